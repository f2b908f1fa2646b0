package fleet_test

import (
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Members that belong to no node, as somebody's own scaling leaves them behind and as
// brokers are joined by hand: they are shown, repair removes those that have stopped,
// and those that run are left alone.
func TestForeignMembers(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-5.8.9", 2)
		legal := func() []ecp.CommandKind { i := r.get(c); return i.Legal() }
		require.NotContains(t, legal(), ecp.CommandRepair, "there is nothing to repair")
		_, err := c.Do(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)

		sim := r.sim.Cluster(c.ID())
		first := r.found(c).Nodes[0]
		for _, ordinal := range []string{"2", "3"} { // somebody scaled to 4, they joined, and were taken away again
			pod := strings.TrimSuffix(first.Pod, "0") + ordinal
			sim.Join(strings.Replace(first.Name, first.Pod, pod, 1)).Kill()
		}
		guest := sim.Join("emqx@guest.example.com")
		healthy := func() ecp.Condition { return ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondHealthy) }
		r.until("what is left is told", func() bool {
			f := r.get(c).ForeignMembers
			return len(f) == 3 && !f[0].Running && !f[1].Running && f[2].Running
		}, func() any { return r.get(c) })
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		require.Equal(t, ecp.ReasonForeignMember, healthy().Reason)
		require.Equal(t, ecp.False, healthy().Status)
		require.Contains(t, healthy().Message, "have stopped: ")
		require.Contains(t, healthy().Message, "and run: emqx@guest.example.com")
		require.Contains(t, legal(), ecp.CommandRepair)
		require.Equal(t, 3, r.m.Stats().ForeignMembers)

		pods := r.found(c).Nodes
		plan, err := c.Plan(asSystem(), ecp.Repair{})
		require.NoError(t, err)
		require.Contains(t, plan.Notes[0], "have stopped: ")
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		r.until("only the guest is left", func() bool {
			f := r.get(c).ForeignMembers
			return len(f) == 1 && f[0].Running
		}, func() any { return r.get(c).ForeignMembers })
		require.Equal(t, pods, r.found(c).Nodes, "no node was touched")
		_, err = c.Do(asSystem(), ecp.Repair{})
		require.ErrorContains(t, err, "they are left alone")

		guest.Kill()
		r.until("it has stopped", func() bool { f := r.get(c).ForeignMembers; return len(f) == 1 && !f[0].Running },
			func() any { return r.get(c).ForeignMembers })
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		r.until("all is well", func() bool { return healthy().Status == ecp.True }, func() any { return r.get(c) })
		require.NotContains(t, legal(), ecp.CommandRepair)
		require.Zero(t, r.m.Stats().ForeignMembers)
	})
}

// EMQX 4.4 lists running members only: what has stopped is neither known nor in
// anybody's way.
func TestForeignMembersOf4(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-4.4.24", 2)
		guest := r.sim.Cluster(c.ID()).Join("emqx@guest.example.com")
		told := func() []ecp.ForeignMember { return r.get(c).ForeignMembers }
		r.until("the guest is told", func() bool { return len(told()) == 1 }, func() any { return told() })
		_, err := c.Do(asSystem(), ecp.Repair{})
		require.ErrorContains(t, err, "they are left alone")
		guest.Kill()
		r.until("it has gone", func() bool { return len(told()) == 0 }, func() any { return told() })
		_, err = c.Do(asSystem(), ecp.Repair{})
		require.ErrorContains(t, err, "cannot take repair")
	})
}
