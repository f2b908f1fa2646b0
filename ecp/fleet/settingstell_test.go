package fleet_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// inForce is what each node of a cluster has of some settings, in the order of nodes.
func (r *rig) inForce(c ecp.Cluster, keys ...string) string {
	r.t.Helper()
	var out []string
	for _, n := range r.found(c).Nodes {
		e, err := r.sim.Endpoint(context.Background(), c.ID(), n.Name)
		require.NoError(r.t, err)
		b, err := emqxv5.New(emqxv5.Config{}).Open(e)
		require.NoError(r.t, err)
		var each []string
		for _, key := range keys {
			root, rest, _ := strings.Cut(key, ".")
			got, err := b.(ecp.SettingsSource).Settings(context.Background(), []string{root})
			require.NoError(r.t, err)
			each = append(each, fmt.Sprint(got.InForce[root].(map[string]any)[rest]))
		}
		b.Close()
		out = append(out, strings.Join(each, " "))
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// appliedSettings are all that nodes are to start with.
func (r *rig) appliedSettings() map[string]string {
	out := map[string]string{}
	for _, settings := range []map[string]string{r.lastApplied().Spec.Config, r.lastApplied().RunTimeConfig} {
		maps.Copy(out, settings)
	}
	return out
}

// A setting that EMQX takes while it runs is in force on all nodes when the operation has ended, no node is
// replaced for it, and a node that starts again has it. What is taken out again gets EMQX's own value.
func TestSettingsOfARunningCluster(t *testing.T) {
	for _, v := range []divides{five, ten, six} {
		t.Run(v.image, func(t *testing.T) {
			v.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
				ran := pods(r.found(c))
				const patch = `{"config":{"mqtt.max_packet_size":"2MB","sysmon.os.cpu_high_watermark":"90%"}}`
				plan := r.plan(c, patch)
				require.Equal(t, []string{"settings-set", "objects", "nodes", "members"}, plan.Steps)
				require.Empty(t, plan.Nodes.Replaced)
				require.Contains(t, notes(plan), "EMQX takes these settings while it runs, on all nodes at once, or "+
					"refuses them and nothing changes: mqtt.max_packet_size, sysmon.os.cpu_high_watermark")
				op := r.ends(r.change(c, patch), ecp.PhaseSucceeded)
				require.Equal(t, "settings-set 1/1 objects 1/1 nodes 3/3 members 3/3 ", done(op))
				require.Equal(t, "running updating syncing running", d.states())
				require.Equal(t, "2MB", r.inForce(c, "mqtt.max_packet_size"))
				require.Equal(t, ran, pods(r.found(c)))
				require.Equal(t, map[string]string{
					"mqtt.max_packet_size": "2MB", "sysmon.os.cpu_high_watermark": "90%",
				}, r.lastApplied().RunTimeConfig)
				require.Nil(t, r.get(c).Status.Untold)

				r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
				require.Equal(t, "2MB", r.inForce(c, "mqtt.max_packet_size"), "after a restart")
				ran = pods(r.found(c))
				r.ends(r.change(c, `{"config":{"mqtt.max_packet_size":null}}`), ecp.PhaseSucceeded)
				require.Equal(t, "1MB", r.inForce(c, "mqtt.max_packet_size"))
				require.Equal(t, ran, pods(r.found(c)))
				r.configured(c, ecp.True, ecp.ReasonAsExpected)
			})
		})
	}
}

// What EMQX refuses changes nothing: the operation has EMQX's words, and neither nodes that run nor those that start
// have any setting of the change.
func TestSettingsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ patch, words string }{
		{`{"config":{"mqtt.nonesuch":"1","mqtt.max_inflight":"64"}}`, "unknown_fields"},
		{`{"config":{"mqtt.max_packet_size":"huge","mqtt.max_inflight":"64"}}`, "mqtt.max_packet_size"},
		{`{"config":{"mqtt.max_packet_size":"huge","conn_congestion.enable_alarm":"false"}}`, "mqtt.max_packet_size"},
	} {
		t.Run(c.words+" "+c.patch[:20], func(t *testing.T) {
			five.runs(t, func(r *rig, cluster ecp.Cluster, d *diary) {
				r.ends(r.change(cluster, `{"config":{"mqtt.max_packet_size":"2MB"}}`), ecp.PhaseSucceeded)
				ran := pods(r.found(cluster))
				op := r.ends(r.change(cluster, c.patch), ecp.PhaseFailed)
				require.Contains(t, op.Error, c.words)
				require.Contains(t, op.Error, "no setting of the change has reached a node")
				require.Equal(t, "running updating syncing running updating abnormal", d.states())
				require.Equal(t, "2MB 32", r.inForce(cluster, "mqtt.max_packet_size", "mqtt.max_inflight"))
				require.Equal(t, ran, pods(r.found(cluster)))
				require.Equal(t, map[string]string{"mqtt.max_packet_size": "2MB"}, r.lastApplied().RunTimeConfig)
				require.Empty(t, r.lastApplied().Spec.Config)
				require.NotEqual(t, map[string]string{"mqtt.max_packet_size": "2MB"}, r.get(cluster).Spec.Hosted.Config)

				// A node that starts again, and a restart of them all, keep what EMQX took last.
				require.NoError(t, r.sim.DeletePod(cluster.ID(), 1))
				<-time.After(5 * time.Minute)
				require.Equal(t, "2MB 32", r.inForce(cluster, "mqtt.max_packet_size", "mqtt.max_inflight"))

				// Another value leads out, and so does the one before.
				r.ends(r.change(cluster, `{"config":{"mqtt.max_packet_size":"3MB","mqtt.nonesuch":null,`+
					`"conn_congestion.enable_alarm":null}}`),
					ecp.PhaseSucceeded)
				require.Equal(t, "3MB", r.inForce(cluster, "mqtt.max_packet_size"))
				r.reaches(cluster, ecp.Running)
			})
		})
	}
}

// Settings that EMQX reads when it starts replace nodes, and take the others of the change along.
func TestSettingsThatAreRolled(t *testing.T) {
	t.Run("5", func(t *testing.T) {
		five.runs(t, func(r *rig, c ecp.Cluster, _ *diary) {
			ran := pods(r.found(c))
			const patch = `{"config":{"conn_congestion.enable_alarm":"false","mqtt.max_packet_size":"2MB"}}`
			plan := r.plan(c, patch)
			require.Equal(t, []int{2, 1, 0}, plan.Nodes.Replaced)
			require.Contains(t, notes(plan), "so that nodes are replaced for them: conn_congestion.enable_alarm")
			require.Contains(t, notes(plan), "refuses them and nothing changes: mqtt.max_packet_size")
			r.ends(r.change(c, patch), ecp.PhaseSucceeded)
			require.NotEqual(t, ran, pods(r.found(c)))
			require.Equal(t, "2MB", r.inForce(c, "mqtt.max_packet_size"))
			require.Equal(t, map[string]string{"conn_congestion.enable_alarm": "false"}, r.lastApplied().Spec.Config)
		})
	})
	t.Run("4.4", func(t *testing.T) {
		four.runs(t, func(r *rig, c ecp.Cluster, _ *diary) {
			plan := r.plan(c, `{"config":{"mqtt.max_packet_size":"2MB"}}`)
			require.Equal(t, []int{2, 1, 0}, plan.Nodes.Replaced)
			require.Contains(t, notes(plan), "EMQX 4.4 reads settings only when it starts, so that nodes are replaced "+
				"for: "+
				"mqtt.max_packet_size")
			r.ends(r.change(c, `{"config":{"mqtt.max_packet_size":"2MB"}}`), ecp.PhaseSucceeded)
		})
	})
}
