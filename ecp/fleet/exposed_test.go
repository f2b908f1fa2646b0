package fleet_test

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestLoadBalancerWithoutAddress: that it is missing shows at once, with the
// words of the platform as they are now; after minutes it needs attention.
func TestLoadBalancerWithoutAddress(t *testing.T) {
	inBubble(t, func(r *rig) {
		cluster, _ := r.runningOn("5.8.1", 1)
		require.NoError(t, r.sim.WithholdAddress(cluster.ID(), "nobody gives one"))
		condition := func(of ecp.ConditionType) ecp.Condition {
			return ecp.ConditionOf(r.get(cluster).Status.Conditions, of)
		}
		until := func(of ecp.ConditionType, s ecp.ConditionStatus) ecp.Condition {
			r.until(string(of)+" "+string(s), func() bool { return condition(of).Status == s },
				func() any { return r.get(cluster).Status })
			return condition(of)
		}
		r.looked(2)
		require.Equal(t, ecp.True, condition(ecp.CondExposed).Status, "it is to have none")
		r.ends(r.change(cluster, `{"network":{"type":"LoadBalancer"}}`), ecp.PhaseSucceeded)
		missing := until(ecp.CondExposed, ecp.False)
		require.Equal(t, ecp.ReasonAddressPending, missing.Reason)
		require.Equal(t, ecp.True, condition(ecp.CondHealthy).Status, "clouds take their time")
		require.NoError(t, r.sim.WithholdAddress(cluster.ID(), "the pool is empty"))
		r.looked(2)
		require.Equal(t, "the pool is empty", condition(ecp.CondExposed).Message)
		require.Equal(t, missing.Since, condition(ecp.CondExposed).Since)
		ill := until(ecp.CondHealthy, ecp.False)
		require.Equal(t, ecp.ReasonAddressPending, ill.Reason)
		require.Greater(t, ill.Since.Sub(missing.Since), 5*time.Minute)
		require.Equal(t, ecp.Running, r.get(cluster).Status.State)
		require.NoError(t, r.sim.WithholdAddress(cluster.ID(), ""))
		until(ecp.CondExposed, ecp.True)
		until(ecp.CondHealthy, ecp.True)
	})
}
