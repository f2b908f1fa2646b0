package fleet_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// copied gives a store with the records of another, as a copy of its database.
func copied(t *testing.T, from ecp.Store) ecp.Store {
	t.Helper()
	var records []ecp.Record
	require.NoError(t, from.Read(t.Context(), func(tx ecp.Tx) error {
		for _, kind := range []ecp.Kind{
			ecp.KindCluster, ecp.KindOperation, ecp.KindOrg, ecp.KindProject, ecp.KindImage, ecp.KindSize, ecp.KindPool,
		} {
			for r, err := range tx.List(ecp.Query{Kind: kind}) {
				if err != nil {
					return err
				}
				records = append(records, r)
			}
		}
		return nil
	}))
	to := memstore.New()
	require.NoError(t, to.Write(t.Context(), func(tx ecp.Tx) error {
		for _, r := range records {
			if err := tx.Put(r, 0); err != nil {
				return err
			}
		}
		return nil
	}))
	return to
}

// second is a daemon with a copy of the first one's database, on the same
// platform.
func (r *rig) second() (*rig, *emqxsim.Peer) {
	r.t.Helper()
	peer := r.sim.Peer("second-host")
	two := &rig{t: r.t, store: copied(r.t, r.store), sim: r.sim}
	two.make(two.store, peer)
	return two.run(), peer
}

// TestTwoDaemonsOnOnePlatform: of two daemons with copies of one database one
// writes. The other takes commands, says who holds the platform, and does what
// it was asked when the first has gone.
func TestTwoDaemonsOnOnePlatform(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		first := r.sim.Lease()
		require.True(t, first.Held)
		two, peer := r.second()
		defer func() { two.stop() }()
		writes := r.sim.Writes()
		theirs := two.m.Cluster(c.ID())
		op := two.do(theirs, ecp.Update{Patch: []byte(`{"nodes":2,"network":{"type":"NodePort"}}`)})

		<-time.After(time.Hour) // longer than any patience
		synctest.Wait()
		require.Equal(t, writes, r.sim.Writes(), "nothing was written by either")
		info := two.get(theirs)
		for _, says := range []string{info.Waits, peer.Lease().Waiting()} {
			require.Contains(t, says, first.Holder.Incarnation)
			require.Contains(t, says, first.Holder.Host)
		}
		require.Less(t, time.Since(info.LookedAt), time.Minute, "looks go on")
		got, err := two.m.Operation(asSystem(), op.ID)
		require.NoError(t, err)
		require.False(t, got.Phase.Final(), "it waits, and nothing is overdue: %+v", got)
		target, err := two.m.Target(asSystem(), "default")
		require.NoError(t, err)
		require.Equal(t, first.Holder.Incarnation, target.Health.Lease.Holder.Incarnation)
		require.False(t, target.Health.Lease.Held)
		require.Empty(t, r.get(c).Waits)

		r.stop()
		two.ends(op, ecp.PhaseSucceeded)
		require.Len(t, r.found(c).Nodes, 2)
		require.Greater(t, peer.Lease().Epoch, first.Epoch)
	})
}

// TestStoppedDaemonWritesNothing: a daemon that was stopped for longer than its
// lease lives finds another in its place, and waits.
func TestStoppedDaemonWritesNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		two, peer := r.second()
		defer func() { two.stop() }()
		r.sim.Suspend(true)
		// Its Manager goes on here, as a process does right after SIGCONT.
		two.until("the second holds the platform", func() bool { return peer.Lease().Held },
			func() any { return peer.Lease() })
		writes := r.sim.Writes()
		r.do(c, ecp.Stop{})
		require.ErrorIs(t, r.sim.Delete(context.Background(), c.ID()), ecp.ErrUnavailable)
		r.sim.Suspend(false)
		<-time.After(time.Minute)
		require.Equal(t, writes, r.sim.Writes())
		require.Len(t, r.found(c).Nodes, 3)
		require.Contains(t, r.get(c).Waits, "second-host")
	})
}
