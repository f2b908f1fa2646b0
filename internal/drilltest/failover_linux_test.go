package drilltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// TestFailOver ends the primary under two daemons in the middle of operations, and promotes
// its replica, which has what was acknowledged: nothing of it is lost, operations end as
// ever, no cluster is taken for newer than its record, and no cluster is worked on by two.
func TestFailOver(t *testing.T) {
	if !long() {
		t.Skip("a long drill; OPENECP_LONG=1 runs it")
	}
	primary := pgtest.Start(t, "max_connections=200")
	replica := primary.Replica(t)
	w := newWorld(t, primary, 2, nil)
	ids := w.clusters("c", 8)
	w.settle()
	c := w.doors(rand.New(rand.NewPCG(0, 0)))
	looking, stop := context.WithCancel(t.Context())
	writes := w.writer(ids[0])
	var beside sync.WaitGroup
	beside.Go(func() { writes.run(looking) })
	var operations []ecp.OperationID
	for i, id := range ids[4:] {
		op, err := c.all[i%2].Change(t.Context(), id, client.Change{Verb: "scale", Body: map[string]any{"nodes": 3}})
		require.NoError(t, err)
		operations = append(operations, op.ID)
	}
	_, err := c.all[1].Do(t.Context(), client.Request{Method: http.MethodPatch, Path: client.ClustersPath +
		client.Path(string(ids[1])), Body: map[string]any{"description": "acknowledged"}}, nil)
	require.NoError(t, err)

	primary.End()
	ended := time.Now()
	_ = w.direct.Close() // it cannot say good-bye
	replica.Promote(t)
	w.url = strings.Replace(w.url, fmt.Sprint(":", primary.Port, "/"), fmt.Sprint(":", replica.Port, "/"), 1)
	for _, s := range w.seats {
		s.wire.lead(fmt.Sprint("127.0.0.1:", replica.Port))
	}
	promoted := time.Since(ended)
	w.direct = w.open(w.url, time.Now)

	for _, id := range operations {
		op, err := c.all[0].WaitOperation(t.Context(), id, nil)
		for attempt := 0; err != nil && attempt < 20; attempt++ { // the database is away at first
			<-time.After(500 * time.Millisecond)
			op, err = c.all[attempt%2].WaitOperation(t.Context(), id, nil)
		}
		require.NoError(t, err)
		require.Equal(t, ecp.PhaseSucceeded, op.Phase, op.Error)
	}
	w.until("the fleet is shared", w.shared)
	w.settle()
	stop()
	beside.Wait()
	kept, err := c.all[0].Cluster(t.Context(), ids[1])
	require.NoError(t, err)
	require.Equal(t, "acknowledged", kept.Description)
	for i, id := range ids {
		is, err := c.all[i%2].Cluster(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, ecp.Running, is.Status.State, is.Status.Message)
		found, err := w.sim.Observe(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, found.Nodes, 2+i/4)
	}
	h := &history{}
	w.notes.into(h)
	h.checkPlatform(func(format string, args ...any) { t.Errorf(format, args...) })
	gap := writes.longest() - promoted
	require.Less(t, gap, most(mostGap), "nothing could be written")
	t.Logf("nothing could be written for %v after the replica was there", gap)
}
