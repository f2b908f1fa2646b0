package fleet_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// lifeCycle is what is done to a cluster of each version, in order. The name is that of
// the operation in docs/lifecycle.md.
var lifeCycle = []struct {
	name  string
	patch string
	cmd   ecp.Command
	fails bool // EMQX 5 and 6 refuse it; EMQX 4.4 is not simulated to
}{
	{name: "scale out", patch: `{"nodes":7}`},
	{name: "scale in", patch: `{"nodes":1}`},
	{name: "scale out", patch: `{"nodes":3}`},
	{name: "resize", patch: `{"size":"2C4G"}`},
	{name: "network", patch: `{"network":{"type":"NodePort"}}`},
	{name: "network", patch: `{"network":{"type":"LoadBalancer"}}`},
	{name: "network", patch: `{"network":{"type":"ClusterIP"}}`},
	{name: "certificate", patch: `{"network":{"certificate":"shops"}}`},
	{name: "certificate", patch: `{"network":{"certificate":"farms"}}`},
	{name: "certificate", patch: `{"network":{"certificate":null}}`},
	{name: "connections", patch: `{"connections":600}`},
	{name: "config", patch: `{"config":{"mqtt.max_packet_size":"2MB"}}`},
	{name: "refused config", patch: `{"config":{"mqtt.max_packet_size":"huge"}}`, fails: true},
	{name: "config after it", patch: `{"config":{"mqtt.max_packet_size":"3MB"}}`},
	{name: "put back", cmd: ecp.EndDrift{Keys: []string{"mqtt.max_packet_size"}}},
	{name: "image", patch: `{"image":"later"}`},
	{name: "image", patch: `{"image":"earlier"}`},
	{name: "restart", cmd: ecp.Restart{}},
	{name: "stop", cmd: ecp.Stop{}},
	{name: "start", cmd: ecp.Start{}},
	{name: "repair", cmd: ecp.Repair{}},
	{name: "delete", cmd: ecp.Delete{}},
}

// TestLifeCycleOfEachVersion: the states on the stream are those that docs/lifecycle.md
// tells, no more and no fewer, and afterwards nothing is left to be written.
func TestLifeCycleOfEachVersion(t *testing.T) {
	documented := documentedStates(t)
	for _, v := range []struct{ version, later, earlier string }{
		{"4.4.19", "4.4.24", "4.4.19"},
		{"4.4.24", "4.4.26", "4.4.24"},
		{"5.8.9", "5.10.4", ""},
		{"5.10.4", "5.10.5", "5.10.3"},
		{"6.2.2", "6.2.3", "6.2.1"},
	} {
		t.Run(v.version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				license := emqxsim.License{Limit: 10_000}
				r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{License: &license})
				defer func() { r.stop() }()
				r.sealer = aRing(t, "a")
				r.make(r.store, &r.applied)
				if !strings.HasPrefix(v.version, "4") { // several nodes of the later ones need a license
					_, err := r.m.Catalog.Licenses.Create(asSystem(),
						ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true},
						ecp.Secret(emqxsim.LicenseKey(license)))
					require.NoError(t, err)
				}
				for id, version := range map[string]string{"first": v.version, "later": v.later, "earlier": v.earlier} {
					if version != "" {
						_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
							ID: id, Reference: "emqx/emqx-enterprise:" + version, Version: version,
						}, "")
						require.NoError(t, err)
					}
				}
				r.certificate("shops", quarter)
				r.certificate("farms", quarter)
				r.run()
				s := spec("first", 3)
				s.Hosted.Connections = 60
				info, op, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
				require.NoError(t, err)
				c := r.m.Cluster(info.ID)
				d := r.watch(c)
				r.ends(op, ecp.PhaseSucceeded)
				r.settled(c)
				require.Equal(t, documented["create"], d.states(), "create")
				d.stop()
				for _, step := range lifeCycle {
					if strings.Contains(step.patch, `"earlier"`) && v.earlier == "" ||
						(step.fails || step.name == "config after it" || step.name == "put back") &&
							strings.HasPrefix(v.version, "4") {
						continue
					}
					if step.name == "put back" {
						r.inDashboard(c, http.MethodPut, zone5, `{"mqtt":{"max_packet_size":"4MB"}}`)
					}
					if step.name == "repair" {
						d := r.watch(c)
						require.NoError(t, r.sim.Break(c.ID(), 1, "CrashLoopBackOff"))
						r.reaches(c, ecp.Degraded)
						require.Equal(t, documented["a node goes outside a plan"], d.states())
						d.stop()
						plan, err := c.Plan(asSystem(), ecp.Repair{})
						require.NoError(t, err)
						require.Equal(t, []int{1}, plan.Nodes.Replaced)
						require.Contains(t, strings.Join(plan.Notes, " "), "will not start without help is made anew")
					}
					d := r.watch(c)
					cmd := step.cmd
					if cmd == nil {
						cmd = ecp.Update{Patch: json.RawMessage(step.patch)}
					}
					if step.fails {
						ran := pods(r.found(c))
						op := r.ends(r.do(c, cmd), ecp.PhaseFailed)
						require.Contains(t, op.Error, "mqtt.max_packet_size", "EMQX's own words")
						require.Equal(t, documented[step.name], d.states(), step.name)
						require.Equal(t, ran, pods(r.found(c)), "no node is touched")
						d.stop()
						continue
					}
					r.ends(r.do(c, cmd), ecp.PhaseSucceeded)
					if step.name == "delete" {
						r.gone(c)
						require.Equal(t, documented[step.name], d.states())
						require.Zero(t, r.pool().UsedConnections)
						d.stop()
						return
					}
					r.settled(c)
					require.Equal(t, documented[step.name], d.states(), "%s %s", step.name, step.patch)
					d.stop()
					found := r.found(c)
					require.Empty(t, found.Drift, "%s: something is left to be written", step.name)
					require.True(t, found.Converged, step.name)
				}
			})
		})
	}
}

// documentedStates reads the states of each operation from docs/lifecycle.md.
func documentedStates(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/lifecycle.md")
	require.NoError(t, err)
	out := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z ]+) \| (\w+ →[^|]*) \|`).FindAllStringSubmatch(string(page), -1) {
		out[row[1]] = strings.ReplaceAll(row[2], " → ", " ")
	}
	require.GreaterOrEqual(t, len(out), 14)
	return out
}
