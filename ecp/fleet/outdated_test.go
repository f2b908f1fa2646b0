package fleet_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
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

// newRendering is a platform that makes objects in another way than an earlier build did.
type newRendering struct{ *emqxsim.Provisioner }

// RenderVersion is that of the earlier build.
func (newRendering) RenderVersion() int { return 1 }

// TestRenderingIsTakenUp only with operations that make all nodes anew anyway. The others
// leave it, and every node, as it is.
func TestRenderingIsTakenUp(t *testing.T) {
	patch := func(s string) func(*rig, ecp.Cluster) ecp.Operation {
		return func(r *rig, c ecp.Cluster) ecp.Operation { return r.change(c, s) }
	}
	command := func(cmd ecp.Command) func(*rig, ecp.Cluster) ecp.Operation {
		return func(r *rig, c ecp.Cluster) ecp.Operation { return r.do(c, cmd) }
	}
	// One that is cancelled before anything was done for it: no daemon runs meanwhile.
	cancelled := func(cmd ecp.Command) func(*rig, ecp.Cluster) ecp.Operation {
		return func(r *rig, c ecp.Cluster) ecp.Operation {
			r.stop()
			r.make(r.store, r.sim)
			back, err := r.m.CancelOperation(asSystem(), r.do(r.m.Cluster(c.ID()), cmd).ID)
			require.NoError(r.t, err)
			r.run()
			return back
		}
	}
	for _, c := range []struct {
		name, image string
		do          func(*rig, ecp.Cluster) ecp.Operation
		takes       bool
	}{
		{"image", "5.8.1", patch(`{"image":"5.8.5"}`), true},
		{"restart", "5.8.1", command(ecp.Restart{}), true},
		{"config", "5.8.1", patch(`{"config":{"authorization.no_match":"deny"}}`), true},
		{"placement", "5.8.1", patch(`{"placement":{"nodeSelector":{"a":"b"}}}`), true},
		{"start after a stop", "5.8.1", func(r *rig, c ecp.Cluster) ecp.Operation {
			r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
			return r.do(c, ecp.Start{})
		}, true},
		{"connections of 4.4", "4.4.12", patch(`{"connections":20}`), true},
		{"CPUs", "5.8.1", patch(`{"size":"fast"}`), true},

		{"more nodes", "5.8.1", patch(`{"nodes":4}`), false},
		{"fewer nodes", "5.8.1", patch(`{"nodes":2}`), false},
		{"connections", "5.8.1", patch(`{"connections":20}`), false},
		{"config at run time", "5.8.1", patch(`{"config":{"mqtt.max_packet_size":"2MB"}}`), false},
		{"network", "5.8.1", patch(`{"network":{"type":"NodePort"}}`), false},
		{"size in place", "5.8.1", patch(`{"size":"more"}`), false},
		{"network while a size is changed in place", "5.8.1", func(r *rig, c ecp.Cluster) ecp.Operation {
			r.change(c, `{"size":"more"}`)
			return r.change(c, `{"network":{"type":"NodePort"}}`)
		}, false},
		{"repair", "5.8.1", func(r *rig, c ecp.Cluster) ecp.Operation {
			require.NoError(r.t, r.sim.DeleteClaim(c.ID(), 2))
			r.reaches(c, ecp.Abnormal)
			return r.do(c, ecp.Repair{})
		}, false},
		{"a start that takes back a stop", "5.8.1", cancelled(ecp.Stop{}), false},
		{"a placement that is taken back", "5.8.1", cancelled(
			ecp.Update{Patch: json.RawMessage(`{"placement":{"nodeSelector":{"a":"b"}}}`)}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{RenderVersion: 2})
				defer func() { r.stop() }()
				r.make(r.store, newRendering{r.sim})
				r.sizes()
				cluster, _ := r.runningOn(c.image, 3)
				r.stop()
				r.make(r.store, r.sim)
				r.run()
				cluster = r.m.Cluster(cluster.ID())
				r.untilUpToDate(cluster, ecp.False, ecp.ReasonRendererNewer)
				require.Contains(t, ecp.ConditionOf(r.get(cluster).Status.Conditions, ecp.CondUpToDate).Message,
					"of rendering 1, and this build knows 2; a restart")
				before := r.found(cluster)

				r.ends(c.do(r, cluster), ecp.PhaseSucceeded)
				cluster = r.m.Cluster(cluster.ID())
				r.settled(cluster)
				after := r.found(cluster)
				for i := range 2 { // which every operation leaves in the cluster
					require.Equal(t, c.takes, before.Nodes[i].PodUID != after.Nodes[i].PodUID, "node %d", i)
				}
				if c.takes {
					r.untilUpToDate(cluster, ecp.True, ecp.ReasonAsExpected)
				} else {
					r.untilUpToDate(cluster, ecp.False, ecp.ReasonRendererNewer)
				}
			})
		})
	}
}
