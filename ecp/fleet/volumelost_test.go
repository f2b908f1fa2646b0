package fleet_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestTheVolumeOfARemovedMachine: a node whose volume can be used by no machine is told as such, with
// what to do. Nothing is deleted by itself, and nothing by repair, until a person has deleted the claim.
func TestTheVolumeOfARemovedMachine(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.runningOn("5.8.5", 3)
		connected := r.clients(c, 9)
		kept := claims(r.found(c))
		require.NoError(t, r.sim.RemoveMachine(c.ID(), 1))
		r.until("it is seen as lost", func() bool { return r.get(c).Status.Reason == ecp.ReasonVolumeLost },
			func() any { return r.get(c).Status })
		st := r.get(c).Status
		require.Equal(t, ecp.Degraded, st.State)
		require.Contains(t, st.Message, "is on a machine that has been removed")
		require.Contains(t, st.Reason.Advice(ecp.Hosted), "delete the volume claim that the message names")
		_, err := c.Do(asSystem(), ecp.Repair{})
		require.ErrorIs(t, err, ecp.ErrConflict)
		require.ErrorContains(t, err, "repair deletes no volume that is there")
		require.ErrorContains(t, err, "delete the volume claim that the message names")
		writes := r.sim.Writes()
		r.looked(20)
		require.Equal(t, writes, r.sim.Writes(), "nothing is written")
		require.Equal(t, kept, claims(r.found(c)))

		require.NoError(t, r.sim.DeleteClaim(c.ID(), 1))
		require.NoError(t, r.sim.DeletePod(c.ID(), 1))
		require.Equal(t, ecp.ReasonDataLost, r.reaches(c, ecp.Abnormal).Status.Reason)
		r.ends(r.do(c, ecp.Repair{}), ecp.PhaseSucceeded)
		r.settled(c)
		require.Len(t, r.members(c), 3)
		require.NotEqual(t, kept, claims(r.found(c)))
		require.Equal(t, "running degraded abnormal updating syncing running", d.states())
		r.until("all are served", func() bool { return connected() == 9 }, func() any { return connected() })
	})
}

// A cluster whose only node is lost so has nobody to get its data from, and says it too.
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
		require.ErrorContains(t, err, "repair deletes no volume that is there")
	})
}
