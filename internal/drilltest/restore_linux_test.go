package drilltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// TestRestoredToAMoment puts an earlier moment of the database in its place, from a base
// backup and the archive of its log, under two daemons that work on it: nothing is
// written to what is newer in the world until somebody decides, whoever follows the events
// begins anew, and what is not newer is worked on as ever.
func TestRestoredToAMoment(t *testing.T) {
	if !long() {
		t.Skip("a long drill; OPENECP_LONG=1 runs it")
	}
	t.Parallel()
	server := pgtest.Start(t, pgtest.Archived()...)
	w := newWorld(t, server, 2, nil)
	c := w.doors(rand.New(rand.NewPCG(0, 0))).all[0]
	do := func(id ecp.ID, change client.Change) {
		t.Helper()
		op, err := c.Change(t.Context(), id, change)
		require.NoError(t, err)
		if op.ID != "" {
			op, err = c.WaitOperation(t.Context(), op.ID, nil)
			require.NoError(t, err)
			require.Equal(t, ecp.PhaseSucceeded, op.Phase, op.Error)
		}
	}
	nodes := func(n int) client.Change { return client.Change{Verb: "scale", Body: map[string]any{"nodes": n}} }
	ids := w.clusters("c", 6)
	before, later, gone, plain := ids[0], ids[1], ids[2], ids[3:]
	backup := server.Backup(t)
	do(before, nodes(3))
	w.settle()
	<-time.After(time.Second)
	var moment time.Time
	server.Get(t, server.URL("postgres"), "SELECT clock_timestamp()", &moment)
	<-time.After(time.Second)

	do(later, nodes(3))
	do(gone, client.Change{Delete: true})
	created := w.clusters("new", 1)[0]
	w.seats[0].kill() // shards are taken over, and so have epochs that the database will not know of
	w.until("the fleet is shared", w.shared)
	w.begin(w.seats[0])
	w.until("the fleet is shared", w.shared)
	for _, id := range plain[1:] { // and clusters were written to in these epochs
		do(id, client.Change{Verb: "restart"})
	}
	w.settle()
	position := w.stream()[0].Seq
	writes := w.sim.Writes()
	server.RestoreTo(t, backup, moment)

	w.until("the record is older", func() (bool, string) {
		is, err := c.Cluster(t.Context(), later)
		return err == nil && is.Status.Reason == ecp.ReasonRecordOlder, fmt.Sprint(is.Status.Reason, err)
	})
	w.until("what nobody has recorded is told", func() (bool, string) {
		all, err := w.seats[1].runs().manager.Unrecorded(asSystem())
		return err == nil && len(all) == 1 && all[0].ID == created, fmt.Sprint(all, err)
	})
	<-time.After(20 * time.Second)
	found := func(id ecp.ID) int {
		o, err := w.sim.Observe(t.Context(), id)
		require.NoError(t, err)
		return len(o.Nodes)
	}
	require.Equal(t, writes, w.sim.Writes(), "something was written")
	require.Equal(t, []int{3, 3, 0, 2}, []int{found(before), found(later), found(gone), found(created)})
	is, err := c.Cluster(t.Context(), gone)
	require.NoError(t, err)
	require.Equal(t, ecp.ReasonDataLost, is.Status.Reason)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, err := range c.Events(ctx, client.EventOptions{Since: fmt.Sprint(position)}) {
		require.True(t, errors.Is(err, ecp.ErrGone), "%v", err)
	}

	w.until("the fleet is shared", w.shared)
	do(plain[0], nodes(1)) // never written to after the moment
	do(later, client.Change{Verb: "take-over"})
	w.until("it runs", func() (bool, string) {
		is, err := c.Cluster(t.Context(), later)
		return err == nil && is.Status.State == ecp.Running && found(later) == 3, fmt.Sprint(is.Status, err)
	})
	do(later, nodes(2)) // written to by an epoch that the database has forgotten
	h := &history{}
	w.notes.into(h)
	h.checkPlatform(func(format string, args ...any) { t.Errorf(format, args...) })
}
