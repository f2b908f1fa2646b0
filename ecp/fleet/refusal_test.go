package fleet_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// A node that serves stays where its successor would be refused: neither its
// clients nor its pod are touched, and what waits names the cause.
func TestNoHealthyNodeGoesBeforeItsSuccessorWouldBeTaken(t *testing.T) {
	for name, nodes := range map[string]int{"with others": 3, "alone": 1} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.runningOn("emqx-ee-5.8.9", nodes)
				connected := r.clients(c, 9)
				before := pods(r.found(c))
				require.NoError(t, r.sim.RefusePods(c.ID(), "exceeded quota: project-quota"))
				op := r.do(c, ecp.Restart{})
				r.until("the cause is told", func() bool {
					return len(r.get(c).Waits) > 0 && r.m.Stats().Passes > 50
				}, func() any { return r.get(c).Waits })
				require.Contains(t, r.get(c).Waits, "exceeded quota: project-quota")
				require.Contains(t, r.get(c).Waits, "stays as it is")
				require.Equal(t, before, pods(r.found(c)))
				require.Equal(t, 9, connected())
				require.Nil(t, r.get(c).Status.Draining, "no evacuation has begun")

				require.NoError(t, r.sim.RefusePods(c.ID(), ""))
				r.ends(op, ecp.PhaseSucceeded)
				require.NotEqual(t, before, pods(r.found(c)))
			})
		})
	}
}

// A refusal that comes up while clients leave lets them come back.
func TestASuccessorThatIsRefusedLate(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("emqx-ee-5.8.9", 3)
		r.clients(c, 9)
		before := pods(r.found(c))
		op := r.do(c, ecp.Restart{})
		r.until("clients leave", func() bool { return r.get(c).Status.Draining != nil },
			func() any { return r.get(c).Status })
		require.NoError(t, r.sim.RefusePods(c.ID(), "a webhook says no"))
		r.until("they may come back", func() bool { return r.get(c).Status.Draining == nil },
			func() any { return r.get(c).Status })
		r.until("all serve", func() bool { return r.get(c).ReadyNodes == 3 }, func() any { return r.get(c).Nodes })
		require.Equal(t, before, pods(r.found(c)))
		require.Contains(t, r.get(c).Waits, "a webhook says no")
		require.NoError(t, r.sim.RefusePods(c.ID(), ""))
		r.ends(op, ecp.PhaseSucceeded)
	})
}

// What refuses a node that is missing is told as the cause.
func TestRefusedNodeIsExplained(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		require.NoError(t, r.sim.RefusePods(c.ID(), "exceeded quota: project-quota"))
		require.NoError(t, r.sim.DeletePod(c.ID(), 1))
		r.until("the cause is told", func() bool {
			return len(r.found(c).Obstacles) > 0 && r.get(c).Status.State == ecp.Degraded
		}, func() any { return r.get(c).Status })
		r.looked(5)
		require.Regexp(t, "^the platform refuses to make a pod: exceeded quota: project-quota; 2 of 3 nodes are ready",
			r.get(c).Status.Message)
	})
}

// A dead machine: repair is refused while nobody knows whether the machine
// still runs its node, and helps as soon as that is said.
func TestRepairOfADeadMachine(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		require.NoError(t, r.sim.LoseMachine(c.ID(), 1))
		r.reaches(c, ecp.Degraded)
		r.looked(5)
		require.Contains(t, r.get(c).Status.Message, "its machine does not answer")
		_, err := c.Do(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "its machine does not answer")
		require.Equal(t, "running degraded", d.states())

		require.NoError(t, r.sim.FenceMachine(c.ID(), 1))
		r.looked(5)
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		r.reaches(c, ecp.Running)
	})
}

// A repair with force deletes the pod of a machine that does not answer, and no other: the
// plan names it, with what may happen.
func TestRepairByForceOfADeadMachine(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		pods := map[int]string{}
		for _, n := range r.found(c).Nodes {
			pods[n.Ordinal] = n.PodUID
		}
		require.NoError(t, r.sim.LoseMachine(c.ID(), 1))
		r.reaches(c, ecp.Degraded)
		r.looked(5)
		require.Equal(t, ecp.ReasonMachineLost, r.get(c).Status.Reason)
		require.Equal(t, ecp.ReasonMachineLost, ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondReady).Reason)
		plan, err := c.Plan(asSystem(), ecp.Repair{Force: true})
		require.NoError(t, err)
		require.Equal(t, []int{1}, plan.Nodes.Replaced)
		require.Contains(t, plan.Notes[0], "EMQX goes on there under the same name")
		op, err := c.Do(ecp.WithPlan(asSystem(), plan.Hash), ecp.Repair{Force: true})
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		for _, n := range r.found(c).Nodes {
			require.Equal(t, n.Ordinal == 1, pods[n.Ordinal] != n.PodUID, n.Pod)
		}
		require.Empty(t, r.get(c).Status.Abandoned)

		require.NoError(t, r.sim.LoseMachine(c.ID(), 2)) // one that is lost later is not meant
		r.reaches(c, ecp.Degraded)
		r.looked(5)
		_, err = c.Do(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)
	})
}

// A repair that does not help leaves a degraded cluster degraded.
func TestRepairThatDoesNotHelp(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		require.NoError(t, r.sim.KillNode(c.ID(), 1))
		r.reaches(c, ecp.Degraded)
		op := r.ends(r.do(c, ecp.Repair{}), ecp.PhaseFailed)
		require.Contains(t, op.Error, "repair has not helped: 2 of 3 nodes are ready")
		require.Equal(t, ecp.Degraded, r.get(c).Status.State)
		require.Equal(t, ecp.ReasonNodeDown, r.get(c).Status.Reason)
		require.Equal(t, "running degraded updating degraded", d.states())
		require.NoError(t, r.sim.ReviveNode(c.ID(), 1))
		r.reaches(c, ecp.Running)
	})
}
