package fleet_test

import (
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestTheVolumeOfARemovedMachine: a node whose volume can be used by no machine is told as such, with what to do.
// Nothing is deleted by itself, and nothing by repair that was not asked to; asked, it makes the node anew.
func TestTheVolumeOfARemovedMachine(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.runningOn("5.8.5", 3)
		connected := r.clients(c, 9)
		kept := volumes(r.found(c))
		plan, err := c.Plan(asSystem(), ecp.Restart{})
		require.NoError(t, err)
		require.NotContains(t, strings.Join(plan.Notes, ""), "lost")
		require.NoError(t, r.sim.RemoveMachine(c.ID(), 1))
		r.until("it is seen as lost", func() bool { return r.get(c).Status.Reason == ecp.ReasonVolumeLost },
			func() any { return r.get(c).Status })
		st := r.get(c).Status
		require.Equal(t, ecp.Degraded, st.State)
		require.Contains(t, st.Message, "is on a machine that has been removed")
		require.Contains(t, st.Reason.Advice(ecp.Hosted), "repair with lostVolumes")
		_, err = c.Do(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "repair deletes no volume unasked")
		require.ErrorContains(t, err, "--lost-volumes")
		writes := r.sim.Writes()
		r.looked(20)
		require.Equal(t, writes, r.sim.Writes(), "nothing is written")
		require.Equal(t, kept, volumes(r.found(c)))

		r.stop()
		r.make(r.store, &r.applied)
		c = r.m.Cluster(c.ID())
		for _, repair := range []ecp.Repair{{LostVolumes: true}, {Force: true}} {
			_, err = c.Do(asSystem(), repair)
			require.ErrorIs(t, err, ecp.ErrUnavailable, "another process has not seen yet what is lost")
			require.ErrorContains(t, err, "has not been looked at since the program began")
		}
		r.run()
		r.looked(2)

		plan, err = c.Plan(asSystem(), ecp.Repair{LostVolumes: true})
		require.NoError(t, err)
		require.Equal(t, []int{1}, plan.Nodes.Replaced)
		require.Contains(t, plan.Notes[0], "the volume claim "+r.get(c).Nodes[1].Volume+" of ")
		require.Contains(t, plan.Notes[0], "what only the lost one held is lost for good")
		op, err := c.Do(ecp.WithPlan(asSystem(), plan.Hash), ecp.Repair{LostVolumes: true})
		require.NoError(t, err)
		r.ends(op, ecp.PhaseSucceeded)
		r.settled(c)
		require.Len(t, r.members(c), 3)
		now := volumes(r.found(c))
		require.NotEqual(t, kept[1], now[1])
		kept[1] = now[1]
		require.Equal(t, kept, now, "the others are as they were")
		require.Empty(t, r.get(c).Status.Abandoned)
		require.Equal(t, "running degraded updating syncing running", d.states())
		r.until("all are served", func() bool { return connected() == 9 }, func() any { return connected() })

		require.NoError(t, r.sim.RemoveMachine(c.ID(), 2)) // one that is lost later is not meant
		r.until("it is seen as lost", func() bool { return r.get(c).Status.Reason == ecp.ReasonVolumeLost },
			func() any { return r.get(c).Status })
		r.looked(20)
		require.Equal(t, now, volumes(r.found(c)))
		require.NoError(t, r.sim.DeleteClaim(c.ID(), 2)) // by hand, as before
		require.NoError(t, r.sim.DeletePod(c.ID(), 2))
		require.Equal(t, ecp.ReasonDataLost, r.reaches(c, ecp.Abnormal).Status.Reason)
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
	})
}

// Of several lost volumes one is given up after the other, each when the node before has its data.
func TestSeveralVolumesOfRemovedMachines(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.5", 3)
		kept := volumes(r.found(c))
		require.NoError(t, r.sim.RemoveMachine(c.ID(), 1))
		require.NoError(t, r.sim.RemoveMachine(c.ID(), 2))
		r.until("both are seen as lost", func() bool {
			i := r.get(c)
			return i.Status.Reason == ecp.ReasonVolumeLost && len(i.Nodes) == 3 && i.Nodes[1].Reason == "VolumeLost" &&
				i.Nodes[2].Reason == "VolumeLost"
		}, func() any { return r.get(c) })
		op := r.do(c, ecp.Repair{LostVolumes: true})
		r.until("one has its data", func() bool { return r.found(c).Nodes[2].Ready }, func() any { return r.found(c) })
		require.Equal(t, kept[1], volumes(r.found(c))[1], "the other waits for it")
		r.ends(op, ecp.PhaseSucceeded)
		r.settled(c)
		require.Len(t, r.members(c), 3)
		require.NotEqual(t, kept[1], volumes(r.found(c))[1])
		require.Equal(t, kept[0], volumes(r.found(c))[0])
	})
}

// A cluster whose only node is lost so has nobody to get its data from: repair deletes nothing of it.
func TestTheOnlyVolumeOfARemovedMachine(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.runningOn("5.8.5", 1)
		require.NoError(t, r.sim.RemoveMachine(c.ID(), 0))
		st := r.reaches(c, ecp.Abnormal).Status
		require.Equal(t, ecp.ReasonNothingServes, st.Reason)
		r.until("why is told", func() bool {
			return r.get(c).Nodes[0].Reason == "VolumeLost"
		}, func() any { return r.get(c).Nodes })
		_, err := c.Do(asSystem(), ecp.Repair{})
		require.ErrorContains(t, err, "repair deletes no volume unasked")
		_, err = c.Do(asSystem(), ecp.Repair{LostVolumes: true})
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "no node that serves has the data of a volume that is lost")
	})
}

// volumes returns the UIDs of the volume claims by ordinal.
func volumes(o ecp.Observation) (uids []string) {
	for _, v := range o.Volumes {
		uids = append(uids, v.UID)
	}
	return uids
}
