package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// apart gives a cluster of five nodes of which two count only each other. whole: the
// network is whole again, and EMQX does not heal by itself.
func apart(t *testing.T, whole bool, test func(r *rig, c ecp.Cluster, pods map[int]string)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{Pace: emqxsim.Pace{Heal: 100 * time.Hour}})
		defer func() { r.stop() }()
		c, _ := r.runningOn("5.8.5", 5)
		sim, pods := r.sim.Cluster(c.ID()), map[int]string{}
		var names []string
		for _, n := range r.found(c).Nodes {
			pods[n.Ordinal], names = n.PodUID, append(names, n.Name)
		}
		sim.AddClients(emqxsim.Clients{Name: "devices", Count: 10})
		<-time.After(time.Minute)
		sim.Partition([]string{names[1], names[3]})
		if whole {
			sim.Partition()
		}
		r.until("a partition", func() bool { return r.get(c).Status.Reason == ecp.ReasonPartitioned },
			func() any { return r.get(c).Status })
		test(r, c, pods)
	})
}

// TestRepairJoinsAPartition: the nodes of the smaller side are restarted, each when the
// one before has joined, and no other; the plan says which, and how many clients are cut.
func TestRepairJoinsAPartition(t *testing.T) {
	apart(t, true, func(r *rig, c ecp.Cluster, pods map[int]string) {
		r.looked(20)
		for _, n := range r.found(c).Nodes {
			require.Equal(t, pods[n.Ordinal], n.PodUID, "nothing is restarted unasked")
		}
		plan, err := c.Plan(asSystem(), ecp.Repair{})
		require.NoError(t, err)
		require.ElementsMatch(t, []int{1, 3}, plan.Nodes.Replaced)
		cut := 0
		for _, n := range r.get(c).Nodes {
			if n.Ordinal == 1 || n.Ordinal == 3 {
				cut += n.Connections
			}
		}
		require.NotZero(t, cut)
		require.Equal(t, cut, plan.Clients.Cut)
		require.Contains(t, plan.Notes[0], "those of the smaller side are restarted")

		op, err := c.Do(ecp.WithPlan(asSystem(), plan.Hash), ecp.Repair{})
		require.NoError(t, err)
		r.until("the repair ends", func() bool {
			away := 0
			for _, n := range r.found(c).Nodes {
				if !n.Ready {
					away++
				}
			}
			require.LessOrEqual(t, away, 1)
			now, err := r.m.Operation(asSystem(), op.ID)
			require.NoError(t, err)
			return now.Phase.Final()
		}, func() any { return r.get(c).Waits })
		r.ends(op, ecp.PhaseSucceeded)
		require.Equal(t, ecp.Running, r.get(c).Status.State)
		for _, n := range r.found(c).Nodes {
			require.Equal(t, n.Ordinal == 1 || n.Ordinal == 3, pods[n.Ordinal] != n.PodUID, n.Pod)
		}
	})
}

// TestRepairOfACutNetworkRestartsOne: a node that does not join after its restart is not
// followed by another, and that is said.
func TestRepairOfACutNetworkRestartsOne(t *testing.T) {
	apart(t, false, func(r *rig, c ecp.Cluster, pods map[int]string) {
		op := r.do(c, ecp.Repair{})
		ended := r.ends(op, ecp.PhaseFailed)
		require.Contains(t, ended.Error, "was restarted and has not joined the others yet")
		restarted := 0
		for _, n := range r.found(c).Nodes {
			if pods[n.Ordinal] != n.PodUID {
				restarted++
				require.Contains(t, []int{1, 3}, n.Ordinal)
			}
		}
		require.Equal(t, 1, restarted)
	})
}

// TestNoRepairOfASideThatCannotBeSeen: with a node that nobody can ask the smaller side may
// be the larger one.
func TestNoRepairOfASideThatCannotBeSeen(t *testing.T) {
	apart(t, true, func(r *rig, c ecp.Cluster, _ map[int]string) {
		require.NoError(t, r.sim.KillNode(c.ID(), 4))
		r.until("it is missed", func() bool { return r.get(c).ReadyNodes == 4 }, func() any { return r.get(c) })
		_, err := c.Plan(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		_, err = c.Do(asSystem(), ecp.Repair{})
		require.ErrorContains(t, err, "cannot be seen")
		require.ErrorContains(t, err, "none is restarted")
		require.NoError(t, r.sim.ReviveNode(c.ID(), 4))
		r.until("it is back", func() bool { return r.get(c).ReadyNodes == 5 }, func() any { return r.get(c) })
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
	})
}
