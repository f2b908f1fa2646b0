package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// From nothing to nothing, with every state seen in order.
func TestLifeOfACluster(t *testing.T) {
	for _, image := range []string{"emqx-ee-4.4.24", "emqx-ee-5.8.9"} {
		t.Run(image, func(t *testing.T) { inBubble(t, func(r *rig) { life(r, image) }) })
	}
}

func life(r *rig, image string) {
	info, create, err := r.m.Create(asSystem(),
		fleet.CreateRequest{Mode: ecp.Hosted, Name: "生产 1", Spec: spec(image, 3)})
	require.NoError(r.t, err)
	c := r.m.Cluster(info.ID)
	d := r.watch(c)
	require.Equal(r.t, "creating", d.states())
	r.run()

	r.ends(create, ecp.PhaseSucceeded)
	up := r.get(c)
	require.Equal(r.t, ecp.Running, up.Status.State)
	require.Equal(r.t, strings.TrimPrefix(image, "emqx-ee-"), up.Version)
	require.Equal(r.t, 3, up.ReadyNodes)
	for _, n := range up.Nodes {
		require.True(r.t, n.Member, "%+v", n)
		require.Equal(r.t, up.Version, n.Version)
	}
	require.NotEmpty(r.t, up.Endpoints.Internal.Host)
	kept := claims(r.found(c))
	require.Equal(r.t, 3, strings.Count(kept, ", "))

	r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
	down := r.get(c)
	require.Equal(r.t, ecp.Stopped, down.Status.State)
	require.Empty(r.t, down.Nodes)
	require.Equal(r.t, kept, claims(r.found(c)))
	require.Equal(r.t, 10, r.pool().UsedConnections, "what is stopped is still booked")

	r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
	require.Equal(r.t, ecp.Running, r.get(c).Status.State)
	require.Equal(r.t, kept, claims(r.found(c)))

	end := r.do(c, ecp.Delete{})
	r.ends(end, ecp.PhaseSucceeded)
	r.gone(c)
	require.False(r.t, r.found(c).Exists)
	require.Equal(r.t, "creating running stopping stopped starting running stopping stopped gone", d.states())
	require.NoError(r.t, d.err, "the watch ends with the cluster")
	r.leftover(c, end)
}

// leftover checks what is there of a cluster that was deleted: its operations
// and its tombstone, and nothing else.
func (r *rig) leftover(c ecp.Cluster, end ecp.Operation) {
	r.t.Helper()
	require.Zero(r.t, r.pool().UsedConnections)
	require.Zero(r.t, r.pool().UsedClusters)
	var grave ecp.Tombstone
	require.NoError(r.t, r.store.Read(context.Background(), func(tx ecp.Tx) (err error) {
		grave, _, err = ecp.Get[ecp.Tombstone](tx, string(c.ID()))
		return err
	}))
	require.Equal(r.t, end.Actor, grave.DeletedBy)
	page, err := r.m.Operations(asSystem(), c.ID(), fleet.OperationOptions{})
	require.NoError(r.t, err)
	ops := page.Items
	require.Equal(r.t, ecp.OpDelete, ops[0].Kind, "newest first")
	for _, o := range ops {
		require.True(r.t, o.Phase.Final(), "%+v", o)
	}
	_, err = c.Do(asSystem(), ecp.Start{})
	require.ErrorIs(r.t, err, ecp.ErrNotFound)
}

func TestANameIsFreeAgainAfterDelete(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		first, _ := r.create("a")
		again := fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("", 1)}
		_, _, err := r.m.Create(asSystem(), again)
		require.ErrorIs(t, err, ecp.ErrExists)
		var e *ecp.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "name", e.Fields[0].Field)
		require.Equal(t, 1, r.pool().UsedClusters, "what is refused books nothing")

		r.do(first, ecp.Delete{})
		r.gone(first)
		info, _, err := r.m.Create(asSystem(), again)
		require.NoError(t, err)
		require.NotEqual(t, first.ID(), info.ID)
	})
}

func TestStopTakesOverFromCreate(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, create := r.create("a")
		d := r.watch(c)
		r.run()
		<-time.After(500 * time.Millisecond)
		stop := r.do(c, ecp.Stop{})
		require.Equal(t, stop.ID, r.ends(create, ecp.PhaseSuperseded).SupersededBy)
		r.ends(stop, ecp.PhaseSucceeded)
		require.Equal(t, "creating stopping stopped", d.states())
		r.settled(c)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
	})
}

func TestStopBeforeAnythingWasDone(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, create := r.create("a")
		stop := r.do(c, ecp.Stop{})
		d := r.watch(c)
		r.run()
		r.ends(create, ecp.PhaseSuperseded)
		r.ends(stop, ecp.PhaseSucceeded)
		r.settled(c)
		require.Equal(t, "stopping stopped", d.states())
	})
}

func TestStartTakesOverFromStop(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		kept := claims(r.found(c))
		stop := r.do(c, ecp.Stop{})
		<-time.After(100 * time.Millisecond)
		start := r.do(c, ecp.Start{})
		require.Equal(t, start.ID, r.ends(stop, ecp.PhaseSuperseded).SupersededBy)
		r.ends(start, ecp.PhaseSucceeded)
		require.Equal(t, "running stopping starting running", d.states())
		require.Equal(t, kept, claims(r.found(c)))
	})
}

func TestCreatePoweredOff(t *testing.T) {
	inBubble(t, func(r *rig) {
		s := spec("", 2)
		s.Hosted.Power = ecp.PowerOff
		info, create, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		d := r.watch(c)
		r.run()
		r.ends(create, ecp.PhaseSucceeded)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Equal(t, "creating stopped starting running", d.states())
	})
}

func TestAskingForWhatHolds(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		before := r.get(c)
		require.Zero(t, r.do(c, ecp.Start{}))
		require.Zero(t, r.do(c, ecp.Transfer{Project: "default/default"}))
		require.Equal(t, before.Revision, r.get(c).Revision)
		_, err := c.Do(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "legal now: start, stop, restart, update, transfer, delete")
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		require.Zero(t, r.do(c, ecp.Stop{}))
		r.do(c, ecp.Delete{})
		require.Zero(t, r.do(c, ecp.Delete{}))
		_, err = c.Do(asSystem(), ecp.Start{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "legal now: delete")
		r.gone(c)
		require.Equal(t, "running stopping stopped gone", d.states())
	})
}

func TestDeleteByForce(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		end := r.do(c, ecp.Delete{Force: true})
		r.ends(end, ecp.PhaseSucceeded)
		r.gone(c)
		require.Equal(t, "running stopping stopped gone", d.states())
		r.leftover(c, end)
	})
}

func TestForceIsAddedToADelete(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		end := r.do(c, ecp.Delete{})
		require.Zero(t, r.do(c, ecp.Delete{Force: true}), "the running deletion goes on, faster")
		require.True(t, r.get(c).Force)
		r.ends(end, ecp.PhaseSucceeded)
		r.gone(c)
	})
}

func TestDeleteWhileNothingCanBeReached(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		r.sim.SetUnreachable(true)
		end := r.do(c, ecp.Delete{})
		<-time.After(time.Hour)
		st := r.get(c).Status
		require.Equal(t, ecp.Stopping, st.State, "no time passes for what cannot be seen")
		require.NotZero(t, st.StaleFrom)
		r.sim.SetUnreachable(false)
		r.ends(end, ecp.PhaseSucceeded)
		r.gone(c)
		require.Equal(t, "running stopping stopped gone", d.states())
	})
}

func TestTransferOfARunningCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		before := r.found(c)
		require.Zero(t, r.do(c, ecp.Transfer{Project: "default/other"}))
		r.looked(3)
		require.Equal(t, before.Nodes, r.found(c).Nodes, "nothing restarts")
		require.Equal(t, "running", d.states())
		theirs := ecp.WithActor(context.Background(),
			ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/other"}}})
		_, err := c.Get(theirs)
		require.NoError(t, err)
		ops, err := r.m.Operations(theirs, c.ID(), fleet.OperationOptions{})
		require.NoError(t, err)
		require.Len(t, ops.Items, 1)
		ours := ecp.WithActor(context.Background(),
			ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}})
		_, err = c.Get(ours)
		require.ErrorIs(t, err, ecp.ErrNotFound)
	})
}

func TestWatchSeesOnlyWhatMayBeRead(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		ctx, cancel := context.WithCancel(ecp.WithActor(context.Background(),
			ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/other"}}}))
		defer cancel()
		var kinds []ecp.Kind
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for c, err := range r.m.Watch(ctx, 0) {
				if err == nil {
					kinds = append(kinds, c.Kind)
				}
			}
		}()
		_, err := r.m.Accounts.Bootstrap(context.Background(), "a token that is long enough")
		require.NoError(t, err)
		c, _ := r.create("not for them")
		r.reaches(c, ecp.Running)
		cancel()
		<-ended
		projects := 0
		for _, k := range kinds {
			require.NotContains(t, []ecp.Kind{ecp.KindCluster, ecp.KindOperation, ecp.KindToken}, k)
			if k == ecp.KindProject {
				projects++
			}
		}
		require.Equal(t, 1, projects, "their own")
	})
}

func TestWaitingForAnOperation(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, op := r.create("a")
		for _, patience := range []time.Duration{-1, 0, time.Second} {
			got, err := r.m.WaitOperation(asSystem(), op.ID, patience)
			require.NoError(t, err)
			require.False(t, got.Phase.Final())
		}
		ctx, cancel := context.WithTimeout(asSystem(), time.Second)
		defer cancel()
		_, err := r.m.WaitOperation(ctx, op.ID, time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = r.m.WaitOperation(asSystem(), "op-0000000000000000", time.Minute)
		require.ErrorIs(t, err, ecp.ErrNotFound)
		r.run()
		r.ends(op, ecp.PhaseSucceeded)
	})
}

func TestWatchingWhatIsNotThere(t *testing.T) {
	inBubble(t, func(r *rig) {
		for _, err := range r.m.Cluster("emqx-00000000").Watch(asSystem()) {
			require.True(t, errors.Is(err, ecp.ErrNotFound), "%v", err)
			return
		}
		t.Error("nothing was yielded")
	})
}
