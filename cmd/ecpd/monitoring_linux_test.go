package main_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/monitor"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMonitoringThroughAgents asks for all that brokers tell through real agents, and
// again when the agent was killed: then it says why it is not known, and tells no zero.
func TestMonitoringThroughAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	t.Parallel()
	for _, version := range []string{"5.8.9", "4.4.24"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})
			node := sim.Join("emqx@10.0.0.1")
			node.SetClients(5, 0)
			if version == "4.4.24" {
				sim.AddConnector("web_hook", "h1", map[string]any{"url": "http://sink"})
				sim.AddRule("r1", `SELECT * FROM "t/#"`, "web_hook:h1")
			} else {
				sim.AddConnector("http", "h1", map[string]any{"url": "http://sink"})
				sim.AddAction("http", "a1", "h1")
				sim.AddRule("r1", `SELECT * FROM "t/#"`, "http:a1")
			}
			node.RaiseAlarm("too_many_processes", "process usage is high", nil)
			d := dev(t, filepath.Join(t.TempDir(), "data"), "--agents-dir", processtest.Agents(t))
			id, agent := d.runBeside(t, node)
			d.reaches(t, id, "running")
			m := &monitored{daemon: d, id: id, path: "/api/v1/clusters/" + id}
			m.tells(t)
			m.scraped(t, version)
			m.summed(t)
			agent.Kill()
			m.unknown(t)
		})
	}
}

// monitored is an adopted cluster whose broker is asked.
type monitored struct {
	*daemon
	id, path string
}

// tells looks at what the broker is asked for itself.
func (m *monitored) tells(t *testing.T) {
	t.Helper()
	var stats struct {
		Connections int
		Nodes       []struct {
			Node, Error string
			Connections int
		}
		Series []struct{ Connections int }
	}
	m.call(t, "GET", m.path+"/stats?window=1h", "", &stats, 200)
	assert.Equal(t, 5, stats.Connections)
	require.Len(t, stats.Nodes, 1)
	assert.Equal(t, "emqx@10.0.0.1", stats.Nodes[0].Node)
	assert.Equal(t, 5, stats.Nodes[0].Connections)
	assert.Empty(t, stats.Nodes[0].Error)

	var alarms struct {
		Items []struct {
			Name   string
			Nodes  []string
			Active bool
		}
	}
	m.call(t, "GET", m.path+"/alarms", "", &alarms, 200)
	require.Len(t, alarms.Items, 1)
	assert.Equal(t, "too_many_processes", alarms.Items[0].Name)
	assert.Equal(t, []string{"emqx@10.0.0.1"}, alarms.Items[0].Nodes)
	assert.True(t, alarms.Items[0].Active)

	var list struct {
		Items []struct {
			ID, Status string
			Running    bool
		}
	}
	m.call(t, "GET", m.path+"/rules", "", &list, 200)
	require.Len(t, list.Items, 1)
	assert.Equal(t, "r1", list.Items[0].ID)
	assert.True(t, list.Items[0].Running)
	m.call(t, "GET", m.path+"/connectors", "", &list, 200)
	require.NotEmpty(t, list.Items)
	for _, c := range list.Items {
		assert.Equal(t, "connected", c.Status, c.ID)
	}
}

// scraped does what Prometheus does: it asks for targets, and scrapes them.
func (m *monitored) scraped(t *testing.T, version string) {
	t.Helper()
	if version == "4.4.24" { // which has a plugin for it; it is loaded through the tunnel
		a := m.call(t, "GET", m.path+"/metrics", "", nil, 422)
		assert.Contains(t, string(a.body), "emqx_ctl plugins load emqx_prometheus")
		m.call(t, "PUT", m.path+"/emqx/api/v4/nodes/emqx@10.0.0.1/plugins/emqx_prometheus/load", "", nil, 200)
	}
	var targets []struct {
		Targets []string
		Labels  map[string]string
	}
	m.call(t, "GET", "/api/v1/prometheus/targets", "", &targets, 200)
	require.Len(t, targets, 1)
	labels := targets[0].Labels
	assert.Equal(t, m.id, labels["cluster"])
	assert.Equal(t, "default/default", labels["project"])
	assert.Equal(t, "adopted", labels["__meta_openecp_mode"])
	assert.Equal(t, version, labels["__meta_openecp_version"])
	require.Equal(t, []string{m.url}, []string{labels["__scheme__"] + "://" + targets[0].Targets[0]},
		"where this daemon is reached")
	query := url.Values{}
	for label, name := range map[string]string{"__param_scope": "scope", "__param_node": "node"} {
		if labels[label] != "" {
			query.Set(name, labels[label])
		}
	}
	path := labels["__metrics_path__"] + "?" + query.Encode()
	a := m.call(t, "GET", path, "", nil, 200)
	assert.Contains(t, a.header.Get("Content-Type"), "text/plain; version=0.0.4")
	assert.Contains(t, string(a.body), "\nemqx_connections_count")
	if version == "4.4.24" {
		assert.Equal(t, "emqx@10.0.0.1", labels["node"], "EMQX 4 does not label its series itself")
	} else {
		assert.Contains(t, string(a.body), `node="emqx@10.0.0.1"`)
	}
	res, err := http.Get(m.url + path)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	assert.Equal(t, 401, res.StatusCode, "without a token")
}

const projectOverview = "/api/v1/projects/default/default/overview"

// summed waits until the overview knows all that there is.
func (m *monitored) summed(t *testing.T) {
	t.Helper()
	var o monitor.Overview
	processtest.Eventually(t, 30*time.Second, func() (bool, string) {
		o = monitor.Overview{}
		a := m.call(t, "GET", projectOverview, "", &o, 200)
		return o.Alarms.Known == 1 && o.Connections.OfLive.Known == 1, string(a.body)
	})
	assert.Equal(t, 1, o.Clusters)
	assert.Equal(t, 5, o.Connections.Live)
	assert.Equal(t, 5, o.Connections.All)
	assert.Equal(t, monitor.AgentTotals{Connected: 1}, o.Agents)
	assert.Equal(t, 1, o.Nodes.Running)
	assert.Equal(t, 1, o.Rules.Running)
	assert.Equal(t, 1, o.Connectors.Connected)
	assert.Equal(t, 1, o.Alarms.Active)
	assert.Empty(t, o.Missing)
}

// unknown looks at what is told while no agent is connected.
func (m *monitored) unknown(t *testing.T) {
	t.Helper()
	var o monitor.Overview
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		o = monitor.Overview{}
		a := m.call(t, "GET", projectOverview, "", &o, 200)
		return o.Agents == monitor.AgentTotals{Away: 1}, string(a.body)
	})
	assert.Zero(t, o.Connections.OfLive.Known)
	assert.Equal(t, 1, o.Connections.OfLive.Unknown)
	assert.Zero(t, o.Nodes.Known)
	assert.Equal(t, 1, o.Nodes.Unknown)
	assert.Equal(t, 1, o.Nodes.Total, "it is known that there is one")
	// What was told a moment ago is told with its age; it does not become zero.
	assert.Equal(t, o.Rules.Known, o.Rules.Running)
	assert.Equal(t, o.Alarms.Known, o.Alarms.Active)
	assert.Equal(t, o.Connectors.Known, o.Connectors.Connected)
	assert.Equal(t, 5*o.Connections.OfAll.Known, o.Connections.All)

	for _, what := range []string{"/stats", "/alarms", "/rules", "/connectors", "/metrics"} {
		a := m.call(t, "GET", m.path+what, "", nil, 503)
		assert.Contains(t, string(a.body), "connected", what)
		assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"), what)
		t.Logf("%s: %s", what, a.body)
	}
	var targets []struct{ Labels map[string]string }
	m.call(t, "GET", "/api/v1/prometheus/targets", "", &targets, 200)
	require.Len(t, targets, 1, "a target that has gone would not be missed")
	assert.Equal(t, m.id, targets[0].Labels["cluster"])
}
