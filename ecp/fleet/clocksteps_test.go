package fleet_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// The machine's clock steps while the clients of a node are being moved: they
// leave at the rate that was asked for, and the operation does not end by it.
func TestTheClockStepsWhileClientsLeave(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var jump atomic.Int64
				r := newRig(t, memstore.New())
				defer func() { r.stop() }()
				var err error
				r.m, err = fleet.New(context.Background(), fleet.Config{
					Store:        r.store,
					Provisioners: map[string]ecp.Provisioner{"default": &r.applied},
					Adapters:     []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
					Now:          func() time.Time { return time.Now().Add(time.Duration(jump.Load())) },
				})
				require.NoError(t, err)
				c, _ := r.runningOn("emqx-ee-5.8.9", 3)
				connected := r.clients(c, 24)
				op := r.change(c, `{"size":"2C4G","evacuation":{"rate":1}}`)
				r.until("clients leave", func() bool { return r.get(c).Status.Draining != nil },
					func() any { return r.get(c).Status })
				<-time.After(25 * time.Second)
				jump.Store(int64(step))
				least := connected()
				for range 400 {
					<-time.After(50 * time.Millisecond)
					least = min(least, connected())
				}
				require.Greater(t, least, 20, "of 24 clients, connected at one time")
				got, err := r.m.Operation(asSystem(), op.ID)
				require.NoError(t, err)
				require.False(t, got.Phase.Final(), got.Error)
				require.WithinRange(t, got.Deadline, time.Now().Add(step), time.Now().Add(step+time.Hour))
				r.ends(op, ecp.PhaseSucceeded)
			})
		})
	}
}
