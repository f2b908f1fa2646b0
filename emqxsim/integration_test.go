package emqxsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestConnectorFaults: a connector that breaks takes its actions along, and an
// alarm rises for each on each node.
func TestConnectorFaults(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now})
	a := c.Join("emqx@a")
	c.Join("emqx@b")
	c.AddConnector("http", "h1", map[string]any{"url": "http://sink:80", "password": "secret"})
	c.AddAction("http", "a1", "h1")
	c.AddRule("r1", `SELECT * FROM "t/#"`, "http:a1")
	for _, step := range []struct {
		node, reason      string
		connector, action string
		alarms            int
	}{
		{"", "", "connected", "connected", 0},
		{"emqx@b", "Connection refused", "inconsistent", "inconsistent", 2},
		{"", "Connection refused", "disconnected", "disconnected", 4},
		{"", "connecting: timeout", "connecting", "connecting", 4},
		{"", "", "connected", "connected", 0},
	} {
		c.SetConnectorFault("http:h1", "", "")
		c.SetConnectorFault("http:h1", step.node, step.reason)
		if step.node == "" && step.reason == "Connection refused" {
			k.advance(time.Minute)
		}
		one := call(t, a, "GET", "/connectors/http:h1", "")
		require.Equal(t, step.connector, one.o["status"], "%+v", step)
		require.Equal(t, "******", one.o["password"])
		require.Equal(t, step.action, call(t, a, "GET", "/actions/http%3Aa1", "").o["status"])
		require.Equal(t, step.alarms, strings.Count(call(t, a, "GET", "/alarms", "").body, "resource_down"), "%+v",
			step)
	}
	require.Contains(t, call(t, a, "GET", "/alarms?activated=false", "").body, "action:http:a1:connector:http:h1")
}

// TestMessagesMoveCounters: what is published is counted where it comes in,
// where it goes out, and by the rules that take it.
func TestMessagesMoveCounters(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 100})
	a := c.Join("emqx@a")
	c.AddConnector("http", "h1", map[string]any{"url": "http://sink"})
	c.AddAction("http", "a1", "h1")
	c.AddRule("r1", `SELECT payload.x AS x FROM "t/#", 'other' WHERE x > 1`, "http:a1")
	c.AddClients(emqxsim.Clients{Name: "pub", Count: 5, Topic: "t/1", Rate: 2, Payload: 100})
	c.AddClients(emqxsim.Clients{Name: "sub", Count: 3, Subscribe: []string{"t/+"}})
	c.AddClients(emqxsim.Clients{Name: "lost", Count: 1, Topic: "nobody", Rate: 1})
	k.advance(10 * time.Second)
	m := call(t, a, "GET", "/metrics?aggregate=true", "").o
	require.Equal(t, 110.0, m["messages.received"])
	require.Equal(t, 300.0, m["messages.sent"])
	require.Equal(t, 10.0, m["messages.dropped"])
	require.GreaterOrEqual(t, m["bytes.received"], 10*100*10.0)
	rule := call(t, a, "GET", "/rules/r1/metrics", "").o["metrics"].(map[string]any)
	require.Equal(t, 100.0, rule["matched"])
	require.Equal(t, 10.0, rule["matched.rate"])
	require.Equal(t, 100.0, rule["actions.success"])

	c.SetConnectorFault("http:h1", "", "Connection refused")
	k.advance(10 * time.Second)
	rule = call(t, a, "GET", "/rules/r1/metrics", "").o["metrics"].(map[string]any)
	require.Equal(t, []any{200.0, 100.0, 100.0}, []any{
		rule["matched"], rule["actions.success"], rule["actions.failed.out_of_service"],
	})
	action := call(t, a, "GET", "/actions/http:a1/metrics", "").o["metrics"].(map[string]any)
	require.Equal(t, []any{200.0, 100.0}, []any{action["matched"], action["success"]})
	require.Equal(t, 204, call(t, a, "PUT", "/rules/r1/metrics/reset", "").status)
	require.Equal(t, 0.0, call(t, a, "GET", "/rules/r1/metrics", "").o["metrics"].(map[string]any)["matched"])
	require.Equal(t, 10.0, call(t, a, "GET", "/monitor_current", "").o["received_msg_rate"].(float64)-1)
	c.AddClients(emqxsim.Clients{Name: "lost"}) // none of them any more
	k.advance(10 * time.Second)
	require.Equal(t, 320.0, call(t, a, "GET", "/metrics?aggregate=true", "").o["messages.received"],
		"11 a second, then 10")
}

// TestMonitorLags: what /monitor_current tells is the last sample, while the
// nodes' own counters are of this moment.
func TestMonitorLags(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 100})
	a := c.Join("emqx@a")
	k.advance(31 * time.Second)
	c.AddClients(emqxsim.Clients{Name: "sub", Count: 4, Subscribe: []string{"t"}})
	told := func() []any {
		m := call(t, a, "GET", "/monitor_current", "").o
		return []any{m["live_connections"], m["connections"], m["subscriptions"], m["topics"]}
	}
	require.Equal(t, 4.0, call(t, a, "GET", "/nodes/emqx@a", "").o["live_connections"])
	require.Equal(t, []any{0.0, 0.0, 0.0, 0.0}, told())
	k.advance(10 * time.Second)
	require.Equal(t, []any{4.0, 4.0, 4.0, 1.0}, told())
}

// TestMonitorSeries: a point a second up to the last sample; every tenth holds
// figures.
func TestMonitorSeries(t *testing.T) {
	k := newClock()
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now, Limit: 100})
	a := c.Join("emqx@a")
	require.Equal(t, 200, call(t, a, "GET", "/monitor?latest=60", "").status)
	c.AddClients(emqxsim.Clients{Name: "pub", Count: 4, Topic: "t", Rate: 1, Subscribe: []string{"t"}})
	k.advance(65 * time.Second)
	body := call(t, a, "GET", "/monitor?latest=60", "").body
	require.Equal(t, 55, strings.Count(body, "time_stamp"))
	require.Equal(t, 6, strings.Count(body, `"received":40`), body)
	require.Equal(t, 6, strings.Count(body, `"connections":4`))
	require.Equal(t, body, call(t, a, "GET", "/monitor/nodes/emqx@a?latest=60", "").body)
	again := emqxsim.NewCluster(emqxsim.ClusterConfig{Now: k.Now}).Join("emqx@a")
	k.advance(time.Second)
	require.Equal(t, "[]", call(t, again, "GET", "/monitor?latest=60", "").body, "no sample yet")
}

func TestRuleCalls(t *testing.T) {
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/rules", `{"id":"a_1","sql":"SELECT * FROM \"t/#\""}`, 201, `"from":["t/#"]`},
		{"POST", "/rules", `{"id":"a_1","sql":"SELECT * FROM \"t/#\""}`, 400, "rule id already exists"},
		{"POST", "/rules", `{"id":"b"}`, 400, "required_field"},
		{"POST", "/rules", `{"id":"b","sql":"nonsense"}`, 400, "parse_error"},
		{"POST", "/rules", `{"id":7,"sql":"x"}`, 400, "validation_error"},
		{"POST", "/rules", `{`, 400, "Invalid json message received"},
		{"POST", "/rules", ``, 400, "Invalid json message received"},
		{"GET", "/rules/a%5F1", "", 200, `"id":"a_1"`},
		{"GET", "/rules/a_1", "", 200, `"id":"a_1"`},
		{"GET", "/rules/a%255F1", "", 404, "Rule Id Not Found"},
		{"GET", "/rules?like_id=zzz", "", 200, `"data":[]`},
		{"GET", "/rules?match_from=t/7", "", 200, `"id":"a_1"`},
		{"GET", "/rules?enable=false", "", 200, `"data":[]`},
		{"GET", "/rules?page=0", "", 400, "pos_integer()"},
		{"GET", "/rules?limit=10001", "", 400, "1..10000"},
		{"PUT", "/rules/a%5F1", `{"sql":"SELECT 1 FROM \"u\"","enable":false}`, 200, `"enable":false`},
		{"PATCH", "/rules/a%5F1", "", 405, ""},
		{"DELETE", "/rules/a%5F1", "", 204, ""},
		{"DELETE", "/rules/a%5F1", "", 404, "Rule Id Not Found"},
	} {
		a := call(t, n, c.method, c.path, c.body)
		require.Equal(t, c.status, a.status, "%s %s: %s", c.method, c.path, a.body)
		require.Contains(t, a.body, c.says)
		if c.says == "" {
			require.Empty(t, a.body)
		}
	}
}

// TestWhatVersionsLack compares versions by the calls and fields they have.
func TestWhatVersionsLack(t *testing.T) {
	for _, c := range []struct {
		path, has    string
		since, until string // of the versions below
	}{
		{"/actions_summary", "[]", "5.8.9", ""},
		{"/prometheus/schema_validation", "schema_validation\"", "5.7.2", ""},
		{"/license", "max_sessions", "5.8.9", ""},
		{"/monitor_current", "validation_failed_rate", "5.7.2", ""},
		{"/monitor_current", "sessions_hist_hwmark", "5.10.4", ""},
		{"/status?format=json", "rel_vsn", "5.6.1", "5.10.4"},
		{"/status?format=json", `"cluster"`, "5.10.4", ""},
	} {
		there := false
		for _, version := range []string{"5.6.1", "5.7.2", "5.8.9", "5.10.4"} {
			there = there || version == c.since
			there = there && version != c.until
			n := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version}).Join("emqx@a")
			a := call(t, n, "GET", c.path, "")
			require.Equal(t, there, a.status == 200 && strings.Contains(a.body, c.has), "%s %s: %s", version, c.path,
				a.body)
		}
	}
	n := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.6.1"}).Join("emqx@a")
	require.Equal(t, "applicatin/json", call(t, n, "GET", "/status?format=json", "").header.Get("Content-Type"))
	require.Equal(t, "15", call(t, n, "GET", "/status", "").header.Get("Retry-After"))
}
