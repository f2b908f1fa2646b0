package fleet_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// Brokers that hang on one target hold nothing up on another.
func TestHungBrokersStarveNobody(t *testing.T) {
	t.Parallel()
	created := func(t *testing.T, hang bool) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memstore.New())
			defer func() { r.stop() }()
			r.store = memstore.New()
			bad, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
			require.NoError(t, err)
			r.m, err = fleet.New(context.Background(), fleet.Config{
				Store: r.store, Provisioners: map[string]ecp.Provisioner{"default": r.sim, "bad": bad}, Workers: 2,
				Adapters: []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
				Defaults: fleet.Defaults{
					Projects: []string{"default/default"},
					Pool:     &ecp.Pool{Connections: 1000, Clusters: 100},
				},
			})
			require.NoError(t, err)
			r.run()
			for i := range 40 {
				s := spec("", 1)
				s.Hosted.Target = "bad"
				info, _, err := r.m.Create(asSystem(),
					fleet.CreateRequest{Mode: ecp.Hosted, Name: fmt.Sprint("bad", i), Spec: s})
				require.NoError(t, err)
				r.settled(r.m.Cluster(info.ID))
				if hang {
					bad.Cluster(info.ID).AddFault(emqxsim.Fault{Hang: true})
				}
			}
			<-time.After(2 * time.Minute)
			began := time.Now()
			c, op := r.create("good")
			r.ends(op, ecp.PhaseSucceeded)
			r.settled(c)
			took = time.Since(began)
		})
		return took
	}
	without, with := created(t, false), created(t, true)
	t.Logf("%s with hung brokers on another target, %s without", with, without)
	require.Less(t, with, without+2*time.Second)
}

// A node that hangs is not waited for by what the others can tell, and the
// cluster is judged by how it is afterwards.
func TestAHungNodeHoldsNothingUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{Node: r.nodeName(c, 0), Hang: true})
		for range 3 {
			<-time.After(7 * time.Second)
			require.NoError(t, r.sim.KillNode(c.ID(), 1))
			died := time.Now()
			require.Equal(t, ecp.ReasonNodeDown, r.reaches(c, ecp.Degraded).Status.Reason)
			require.Less(t, time.Since(died), 2*time.Second, "NodeDown")
			require.NoError(t, r.sim.ReviveNode(c.ID(), 1))
			r.reaches(c, ecp.Running)
		}
		asked := time.Now()
		op := r.do(c, ecp.Stop{})
		r.until("it has begun", func() bool { return r.found(c).Replicas == 0 }, func() any { return r.found(c) })
		require.Less(t, time.Since(asked), 2*time.Second, "a command begins")
		r.ends(op, ecp.PhaseSucceeded)
	})
}
