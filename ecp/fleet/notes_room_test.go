package fleet

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// A plan that moves clients warns where the license or what is booked leaves no
// room for them elsewhere.
func TestPlansWarnOfNoRoom(t *testing.T) {
	plan := func(connected, limit int) string {
		now := ecp.Info{
			ClusterRecord: aRecord(ecp.Running),
			Current:       ecp.ConnectionsInfo{Current: connected, Limit: limit},
		}
		after := now.ClusterRecord
		after.Restarts++
		all := notes(ecp.Timings{}, now, decision{kind: ecp.OpRestart, rec: after},
			ecp.Plan{Nodes: ecp.PlannedNodes{Replaced: []int{0}}}, 0)
		require.Len(t, all, 1)
		return all[0]
	}
	require.Contains(t, plan(146, 25), "warning: 146 clients are connected and the limit is 25")
	require.Contains(t, plan(25, 25), "warning:")
	require.NotContains(t, plan(24, 25), "warning:")
	require.NotContains(t, plan(1000, 0), "warning:", "nobody tells the limit")
}
