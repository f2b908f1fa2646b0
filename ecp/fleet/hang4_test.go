package fleet_test

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// TestHangingMemberOf4: nodes of 4.4 wait for one that hangs whenever they are asked
// about all. Those that are healthy are told of all the same, and answer what
// people ask.
func TestHangingMemberOf4(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		info, _, err := r.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-4.4.24", 3)})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		r.settled(c)
		hangs := r.sim.Cluster(c.ID()).Node(r.get(c).Nodes[2].Name)
		hangs.Suspend()
		defer hangs.Resume()
		for start := time.Now(); time.Since(start) < time.Minute; <-time.After(time.Second) {
			reach := ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondManagementReachable)
			require.Equal(t, ecp.True, reach.Status, reach.Message)
		}
		members := 0
		for _, n := range r.get(c).Nodes {
			if n.Member {
				members++
			}
		}
		require.Equal(t, 2, members)
		asked := time.Now()
		_, err = r.m.Monitor.Traffic(asSystem(), c.ID())
		require.NoError(t, err)
		require.Less(t, time.Since(asked), 6*time.Second)
	})
}
