package emqxsim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// TestEvacuation4 goes through one: its states, and where the clients are then.
func TestEvacuation4(t *testing.T) {
	for _, version := range []string{"4.4.12", "4.4.24"} {
		t.Run(version, func(t *testing.T) {
			now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
			c := emqxsim.NewCluster(emqxsim.ClusterConfig{
				Version: version, Limit: 1000, Now: func() time.Time { return now },
			})
			a, b := c.Join("emqx@a"), c.Join("emqx@b")
			c.AddClients(emqxsim.Clients{Name: "c", Count: 20, Persistent: true})
			a.SetClients(0, 7) // who are away
			require.Equal(t, 10, c.Usage().Nodes["emqx@a"].Connected)

			const start = "POST /api/v4/load_rebalance/emqx@a/evacuation/start"
			body := `{"conn_evict_rate":5,"sess_evict_rate":5,"wait_takeover":3,"migrate_to":["emqx@b"]}`
			require.JSONEq(t, `{"code":0,"data":[]}`, ask4(t, b.Handler(), start, body).body)
			require.JSONEq(t, `{"code":400,"message":"already_started"}`, ask4(t, b.Handler(), start, body).body)
			require.JSONEq(t, `{"status":"disabled"}`, ask4(t, b.Handler(), "GET /api/v4/load_rebalance/status").body)
			require.Equal(t, 503, ask4(t, a.Handler(), "GET /api/v4/load_rebalance/availability_check").status)

			var states []string
			for range 200 {
				o := ask4(t, a.Handler(), "GET /api/v4/load_rebalance/status").object(t)
				require.Equal(t, "evacuation", o["process"])
				states = appendChange(states, o["state"].(string))
				if o["state"] == "prohibiting" {
					break
				}
				now = now.Add(time.Second)
			}
			want := []string{"evicting_conns", "waiting_takeover", "evicting_sessions", "prohibiting"}
			if version == "4.4.24" {
				want = append([]string{"waiting_health_check"}, want...)
			}
			require.Equal(t, want, states)
			global := ask4(t, b.Handler(), "GET /api/v4/load_rebalance/global_status").object(t)
			require.Len(t, global["evacuations"], 1)
			stats := global["evacuations"].([]any)[0].(map[string]any)["stats"].(map[string]any)
			require.EqualValues(t, 0, stats["current_connected"])
			require.EqualValues(t, 0, stats["current_sessions"])
			require.EqualValues(t, 10, stats["initial_connected"])
			require.Equal(t, 27, c.Usage().Nodes["emqx@b"].Sessions)

			const stop = "POST /api/v4/load_rebalance/emqx@a/evacuation/stop"
			require.JSONEq(t, `{"code":0,"data":[]}`, ask4(t, b.Handler(), stop).body)
			require.JSONEq(t, `{"code":400,"message":"not_started"}`, ask4(t, b.Handler(), stop).body)
			require.Equal(t, 200, ask4(t, a.Handler(), "GET /api/v4/load_rebalance/availability_check").status)
			require.Equal(t, 404, ask4(t, a.Handler(), strings.Replace(start, "emqx@a", "emqx@z", 1), "{}").status)
		})
	}
}

// TestLicense4 uploads one for the whole cluster.
func TestLicense4(t *testing.T) {
	for _, b := range brokers4 {
		if !b.enterprise() {
			continue
		}
		c := b.cluster("emqx@a", "emqx@b")
		h, other := c.Node("emqx@a").Handler(), c.Node("emqx@b").Handler()
		limit := func() any {
			return ask4(t, other, "GET /api/v4/license").object(t)["data"].(map[string]any)["max_connections"]
		}
		require.EqualValues(t, 10, limit())
		require.NotEqual(t, 0.0, ask4(t, h, "POST /api/v4/license/upload", `{"license":"garbage"}`).object(t)["code"])
		require.EqualValues(t, 10, limit())
		file, err := json.Marshal(map[string]string{"license": emqxsim.LicenseFile(emqxsim.License{
			Limit: 5000, Customer: "ACME",
		})})
		require.NoError(t, err)
		require.JSONEq(t, `{"code":0}`, ask4(t, h, "POST /api/v4/license/upload", string(file)).body)
		require.EqualValues(t, 5000, limit())
		info := ask4(t, h, "GET /api/v4/license_info").object(t)["data"].(map[string]any)
		require.Equal(t, "ACME", info["customer"])
		_, told := info["original_max_connections"]
		require.Equal(t, b.atLeast("20"), told, b)
	}
}

// TestDynamicLicense4: the call is there if somebody says how it goes, and never
// lets in more than the license does.
func TestDynamicLicense4(t *testing.T) {
	for _, b := range brokers4 {
		c := b.cluster("emqx@a")
		h := c.Node("emqx@a").Handler()
		const call = "PUT /api/v4/dynamic_license"
		require.Equal(t, 404, ask4(t, h, call, `{"limit":5}`).status)
		require.NotContains(t, ask4(t, h, "GET /api/v4").body, "dynamic_license")
		c.SetDynamicLicense("PUT", "limit")
		if !b.enterprise() || !b.atLeast("11") {
			require.Equal(t, 404, ask4(t, h, call, `{"limit":5}`).status, b)
			continue
		}
		require.Contains(t, ask4(t, h, "GET /api/v4").body,
			`"method":"PUT","name":"set_dynamic_license","path":"/dynamic_license"`)
		limits := func() [2]any {
			o := ask4(t, h, "GET /api/v4/license_info").object(t)["data"].(map[string]any)
			return [2]any{o["max_connections"], o["original_max_connections"]}
		}
		told := func(n float64) any { // from 4.4.20 on
			if b.atLeast("20") {
				return n
			}
			return nil
		}
		require.Equal(t, [2]any{10.0, told(10)}, limits())
		require.JSONEq(t, `{"code":0}`, ask4(t, h, call, `{"limit":5}`).body)
		require.Equal(t, [2]any{5.0, told(10)}, limits())
		require.JSONEq(t, `{"code":0}`, ask4(t, h, call, `{"limit":500}`).body)
		require.Equal(t, [2]any{10.0, told(10)}, limits(), "the license's own")
		require.Equal(t, 107.0, ask4(t, h, call, `{"max":5}`).object(t)["code"])
	}
}

// TestMembers4: Enterprise alone.
func TestMembers4(t *testing.T) {
	c := broker4{"4.4.24", emqxsim.Enterprise}.cluster("emqx@a", "emqx@b")
	c.Standalone("emqx@c")
	h := c.Node("emqx@a").Handler()
	require.JSONEq(t, `{"code":400,"message":"nodedown"}`, ask4(t, h, "POST /api/v4/cluster/invite_node",
		`{"node":"emqx@z"}`).body)
	require.JSONEq(t, `{"code":0}`, ask4(t, h, "POST /api/v4/cluster/invite_node", `{"node":"emqx@c"}`).body)
	require.Len(t, ask4(t, h, "GET /api/v4/nodes").object(t)["data"], 3)
	c.Node("emqx@c").Kill()
	require.JSONEq(t, `{"code":0}`, ask4(t, h, "DELETE /api/v4/cluster/force_leave/emqx@c").body)
	require.JSONEq(t, `{"code":400,"message":"node_not_in_cluster"}`,
		ask4(t, h, "DELETE /api/v4/cluster/force_leave/emqx@c").body)
	require.Equal(t, 400.0, ask4(t, h, "DELETE /api/v4/cluster/force_leave/emqx@a").object(t)["code"])
	open := broker4{"4.4.24", emqxsim.OpenSource}.cluster("emqx@a").Node("emqx@a").Handler()
	require.Equal(t, 404, ask4(t, open, "POST /api/v4/cluster/invite_node", `{"node":"emqx@c"}`).status)
}

// TestListeners4: a restart cuts who came through, and they come back.
func TestListeners4(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24", Now: func() time.Time { return now }})
	h := c.Join("emqx@a").Handler()
	c.AddClients(emqxsim.Clients{Name: "c", Count: 7})
	through := func() float64 {
		for _, l := range ask4(t, h, "GET /api/v4/nodes/emqx@a/listeners").object(t)["data"].([]any) {
			if o := l.(map[string]any); o["identifier"] == "mqtt:tcp:external" {
				return o["current_conns"].(float64)
			}
		}
		return -1
	}
	require.EqualValues(t, 7, through())
	require.JSONEq(t, `{"code":0}`, ask4(t, h, "PUT /api/v4/listeners/mqtt:tcp:external/restart").body)
	require.EqualValues(t, 0, through())
	now = now.Add(2 * time.Second)
	require.EqualValues(t, 7, through())
}

// TestMonitor4 reads what the exporter does.
func TestMonitor4(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24", Now: func() time.Time { return now }})
	h := c.Join("emqx@a").Handler()
	c.AddClients(emqxsim.Clients{Name: "c", Count: 5, Subscribe: []string{"t"}, Topic: "t", Rate: 2})
	now = now.Add(10 * time.Minute)
	data := ask4(t, h, "GET /api/v4/monitor/current_metrics").object(t)["data"].(map[string]any)
	require.EqualValues(t, 10, data["received"], "messages a second")
	require.EqualValues(t, 50, data["sent"])
	require.EqualValues(t, 5, data["connection"])
	points := ask4(t, h, "GET /api/v4/monitor/metrics/received").object(t)["data"].(map[string]any)["emqx@a"].([]any)
	require.Len(t, points, 11, "one a minute")
	require.Equal(t, []any{float64(now.UnixMilli()), 600.0}, points[10])
	require.Equal(t, []any{float64(now.Add(-10 * time.Minute).UnixMilli()), 0.0}, points[0])
	require.Equal(t, 404, ask4(t, h, "GET /api/v4/monitor/metrics").status)
	require.Equal(t, 404, ask4(t, h, "GET /api/v4/monitor/metrics/nope").status)
	metrics := ask4(t, h, "GET /api/v4/nodes/emqx@a/metrics").object(t)["data"].(map[string]any)
	require.EqualValues(t, 6000, metrics["messages.received"])
}
