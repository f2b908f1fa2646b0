package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

func TestCancelStopsAndStarts(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		kept := claims(r.found(c))
		stop := r.do(c, ecp.Stop{})
		<-time.After(100 * time.Millisecond)
		back, err := r.m.CancelOperation(asSystem(), stop.ID)
		require.NoError(t, err)
		require.Equal(t, ecp.OpStart, back.Kind)
		require.Equal(t, back.ID, r.ends(stop, ecp.PhaseCancelled).SupersededBy)
		r.ends(back, ecp.PhaseSucceeded)

		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		start := r.do(c, ecp.Start{})
		<-time.After(100 * time.Millisecond)
		back, err = r.m.CancelOperation(asSystem(), start.ID)
		require.NoError(t, err)
		r.ends(start, ecp.PhaseCancelled)
		r.ends(back, ecp.PhaseSucceeded)
		require.Equal(t, "running stopping starting running stopping stopped starting stopping stopped", d.states())
		require.Equal(t, kept, claims(r.found(c)))
	})
}

// The way back of a change is to the spec it was made from, and books it.
func TestCancelAChange(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, create := r.create("a")
		first := r.do(c, ecp.Update{Patch: []byte(`{"connections":70,"evacuation":{"rate":5}}`)})
		second := r.do(c, ecp.Update{Patch: []byte(`{"connections":400}`)})
		require.Equal(t, 400, r.pool().UsedConnections)
		was := r.get(c)
		back, err := r.m.CancelOperation(asSystem(), second.ID)
		require.NoError(t, err)
		is := r.get(c)
		require.Equal(t, 70, is.Spec.Hosted.Connections)
		require.Equal(t, 5, is.Spec.Hosted.Evacuation.Rate)
		require.Equal(t, 70, r.pool().UsedConnections)
		require.Greater(t, is.Generation, was.Generation)
		require.Equal(t, was.Generation, back.From)
		again, err := r.m.CancelOperation(asSystem(), second.ID)
		require.NoError(t, err, "what is cancelled stays so")
		require.Equal(t, ecp.PhaseCancelled, again.Phase)

		r.run()
		r.ends(create, ecp.PhaseSuperseded)
		r.ends(first, ecp.PhaseSuperseded)
		r.ends(back, ecp.PhaseSucceeded)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		require.Nil(t, r.get(c).Status.Previous)
	})
}

func TestRefusedCancels(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, create := r.create("a")
		refused := func(name string, ctx context.Context, id ecp.OperationID, code ecp.Code, says string) {
			t.Helper()
			at, err := r.m.Position(asSystem())
			require.NoError(t, err)
			was := r.get(c)
			_, err = r.m.CancelOperation(ctx, id)
			require.Equal(t, code, ecp.CodeOf(err), "%s: %v", name, err)
			require.ErrorContains(t, err, says, name)
			require.Equal(t, was, r.get(c), name)
			watched, cancel := context.WithTimeout(asSystem(), time.Millisecond)
			defer cancel()
			for change, err := range r.m.Watch(watched, at) {
				if err == nil {
					require.Fail(t, "something was changed", "%s: %+v", name, change)
				}
			}
		}
		as := func(role ecp.Role, project string) context.Context {
			return ecp.WithActor(context.Background(),
				ecp.Actor{Name: "somebody", Grants: []ecp.Grant{{Role: role, Project: project}}})
		}
		refused("nobody", context.Background(), create.ID, ecp.CodeDenied, "no actor")
		refused("a reader", as(ecp.RoleUser, "default/default"), create.ID, ecp.CodeDenied, "may not do this")
		refused("of another project", as(ecp.RoleProjectAdmin, "default/other"), create.ID, ecp.CodeNotFound,
			"there is no operation")
		refused("none", asSystem(), "op-0000000000000000", ecp.CodeNotFound, "there is no operation")
		refused("a create", asSystem(), create.ID, ecp.CodeConflict, "delete removes the cluster")

		smaller := r.do(c, ecp.Update{Patch: []byte(`{"connections":1}`)})
		other := spec("", 1)
		other.Hosted.Connections = 995
		_, another, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "b", Spec: other})
		require.NoError(t, err)
		refused("what the pool holds no more", asSystem(), smaller.ID, ecp.CodeQuotaExceeded, "spec.connections")

		stop := r.do(c, ecp.Stop{})
		refused("superseded", asSystem(), smaller.ID, ecp.CodeConflict, "it is superseded")
		r.run()
		r.ends(stop, ecp.PhaseSucceeded)
		r.ends(another, ecp.PhaseSucceeded) // it writes nothing from now on
		refused("succeeded", asSystem(), stop.ID, ecp.CodeConflict, "it is succeeded")
		r.stop()
		refused("a deletion", asSystem(), r.do(c, ecp.Delete{}).ID, ecp.CodeConflict, "never taken back")
	})
}

// A cluster that is abnormal though it should run can be started; that changes
// nothing of what is wanted.
func TestCancelOfWhatChangedNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		s := spec("", 1)
		s.Hosted.Power = ecp.PowerOff
		info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
		require.NoError(t, err)
		stop := r.do(r.m.Cluster(info.ID), ecp.Stop{})
		_, err = r.m.CancelOperation(asSystem(), stop.ID)
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "nothing to go back to")
	})
}

func TestCancelIsAudited(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.create("a")
		op := r.do(c, ecp.Update{Patch: []byte(`{"connections":70}`)})
		<-time.After(time.Second)
		_, err := r.m.CancelOperation(asSystem(), op.ID)
		require.NoError(t, err)
		page, err := r.m.Changes.Audit(asSystem(), change.AuditOptions{Kind: ecp.KindCluster, Key: string(c.ID())})
		require.NoError(t, err)
		e := page.Items[0]
		require.Equal(t, "cancel", e.Action)
		require.Equal(t, "default/default", e.Scope)
		require.Equal(t, []change.AuditChange{{Path: "/spec/hosted/connections", Before: "70", After: "10"}}, e.Changes)
	})
}
