package fleet_test

import (
	"encoding/json"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestTemplateChangedBySomebodyElse: such a change is told, is counted in
// plans, and waits for a change of ours that replaces nodes.
func TestTemplateChangedBySomebodyElse(t *testing.T) {
	patch := func(s string) ecp.Command { return ecp.Update{Patch: json.RawMessage(s)} }
	for name, c := range map[string]struct {
		cmd      ecp.Command
		replaces bool
		note     string
	}{
		"network":     {patch(`{"network":{"type":"NodePort"}}`), false, "3 nodes run on an older pod template"},
		"connections": {patch(`{"connections":20}`), false, "3 nodes run on an older pod template"},
		"nodes":       {patch(`{"nodes":4}`), false, "3 nodes run on an older pod template"},
		"size":        {patch(`{"size":"2C4G"}`), true, "3 nodes are replaced"},
		"restart":     {ecp.Restart{}, true, "3 nodes are replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				cluster, _ := r.runningOn("5.8.1", 3)
				before := r.found(cluster)
				require.NoError(t, r.sim.RestartByHand(cluster.ID()))
				r.untilUpToDate(cluster, ecp.False, ecp.ReasonTemplateChanged)
				info := r.get(cluster)
				require.Equal(t, ecp.Running, info.Status.State)
				require.Equal(t, ecp.True, ecp.ConditionOf(info.Status.Conditions, ecp.CondHealthy).Status)

				plan, err := cluster.Plan(asSystem(), c.cmd)
				require.NoError(t, err)
				require.Contains(t, plan.Notes[len(plan.Notes)-1], c.note)
				r.ends(r.do(cluster, c.cmd), ecp.PhaseSucceeded)
				r.looked(3)
				after := r.found(cluster)
				for i, n := range before.Nodes {
					require.Equal(t, c.replaces, n.PodUID != after.Nodes[i].PodUID, "node %d", i)
				}
				if c.replaces {
					r.untilUpToDate(cluster, ecp.True, ecp.ReasonAsExpected)
				} else {
					r.untilUpToDate(cluster, ecp.False, ecp.ReasonTemplateChanged)
				}
			})
		})
	}
}

func (r *rig) untilUpToDate(c ecp.Cluster, status ecp.ConditionStatus, reason ecp.Reason) {
	r.t.Helper()
	r.until("UpToDate "+string(status)+" "+string(reason), func() bool {
		is := ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondUpToDate)
		return is.Status == status && is.Reason == reason
	}, func() any { return r.get(c).Status })
}

// TestNodeDownBesideAnOlderTemplate: nodes of an older template are no reason to
// stay degraded once the one that was away is back.
func TestNodeDownBesideAnOlderTemplate(t *testing.T) {
	inBubble(t, func(r *rig) {
		cluster, _ := r.runningOn("5.8.1", 3)
		require.NoError(t, r.sim.RestartByHand(cluster.ID()))
		require.NoError(t, r.sim.DeletePod(cluster.ID(), 1))
		r.reaches(cluster, ecp.Degraded)
		r.reaches(cluster, ecp.Running)
		r.untilUpToDate(cluster, ecp.False, ecp.ReasonTemplateChanged)
	})
}

// TestAnUnfinishedRollGoesOn: a change that replaces no node by itself does not
// hold up an earlier one that does.
func TestAnUnfinishedRollGoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		cluster, _ := r.runningOn("5.8.1", 3)
		before := r.found(cluster)
		r.change(cluster, `{"size":"2C4G"}`)
		r.until("one is replaced", func() bool {
			o := r.found(cluster)
			return len(o.Nodes) == 3 && o.Nodes[2].PodUID != before.Nodes[2].PodUID
		}, func() any { return r.found(cluster) })
		plan, err := cluster.Plan(asSystem(), ecp.Update{Patch: json.RawMessage(`{"connections":20}`)})
		require.NoError(t, err)
		require.Len(t, plan.Notes, 3)
		require.Contains(t, plan.Notes[2], "an earlier change has not come to its end: ")
		r.ends(r.change(cluster, `{"connections":20}`), ecp.PhaseSucceeded)
		for i, n := range r.found(cluster).Nodes {
			require.NotEqual(t, before.Nodes[i].PodUID, n.PodUID)
		}
		r.untilUpToDate(cluster, ecp.True, ecp.ReasonAsExpected)
	})
}
