package contract_test

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// cluster is one with something to tell of everything.
func cluster(version string) ecp.Endpoint {
	config := emqxsim.ClusterConfig{Version: version}
	if later[version] != "" {
		config.License = &license
	}
	c := emqxsim.NewCluster(config)
	a := c.Join("emqx@a")
	c.Join("emqx@b")
	c.Join("emqx@c").Kill()
	c.Standalone("emqx@d")
	c.AddClients(emqxsim.Clients{
		Name: "c", Count: 6, Persistent: true, Subscribe: []string{"t/%c"}, Topic: "t/1", Rate: 1,
	})
	c.Disconnect("c", 1)
	c.AddConnector("http", "h1", map[string]any{"url": "http://127.0.0.1:9"})
	c.AddConnector("mqtt", "m1", map[string]any{"server": "127.0.0.1:1883"})
	c.AddRule("r1", `SELECT * FROM "t/#"`, "http:a1")
	a.RaiseAlarm("now", "an alarm", map[string]any{"reason": "x"})
	a.RaiseAlarm("past", "another", map[string]any{"reason": "x"})
	a.ClearAlarm("past")
	return c.Node("emqx@a").Endpoint()
}

// calls are those the test makes, each on a cluster of its own. before, where
// it is set, are calls made first.
func calls() []made {
	const evacuate = "/load_rebalance/emqx@a/evacuation"
	action := []string{`POST /actions {"type":"http","name":"a1","connector":"h1","parameters":{"path":"/x"}}`}
	source := []string{`POST /sources {"type":"mqtt","name":"s1","connector":"m1","parameters":{"topic":"in/#",` +
		`"qos":0}}`}
	return []made{
		{call: "GET /status", status: 200, open: true},
		{call: "POST /login", body: `{"username":"admin","password":"public"}`, status: 200, open: true},
		{call: "POST /login", body: `{"username":"admin","password":"wrong"}`, status: 401, open: true},
		{call: "POST /login", body: `{"username":"admin"}`, status: 400, open: true},
		{call: "POST /logout", body: `{"username":"admin"}`, status: 204, token: true},
		{call: "POST /logout", body: `{"username":"admin"}`, status: 401},

		{call: "GET /nodes", status: 200},
		{call: "GET /nodes", status: 401, bad: true},
		{call: "GET /nodes/{node}", path: "/nodes/emqx@a", status: 200},
		{call: "GET /nodes/{node}", path: "/nodes/emqx@c", status: 404},
		{call: "GET /nodes/{node}/stats", path: "/nodes/emqx@a/stats", status: 200},
		{call: "GET /nodes/{node}/stats", path: "/nodes/nope/stats", status: 404},
		{call: "GET /nodes/{node}/metrics", path: "/nodes/emqx@a/metrics", status: 200},
		{call: "GET /nodes/{node}/metrics", path: "/nodes/nope/metrics", status: 404},
		{call: "GET /cluster", status: 200},
		{call: "GET /cluster/topology", status: 200},
		{call: "GET /cluster/invitation", status: 200},
		{call: "PUT /cluster/{node}/invite", path: "/cluster/emqx@a/invite", status: 400},
		{call: "PUT /cluster/{node}/invite", path: "/cluster/emqx@d/invite", status: 200},
		{call: "PUT /cluster/{node}/invite_async", path: "/cluster/emqx@d/invite_async", status: 200},
		{call: "PUT /cluster/{node}/invite_async", path: "/cluster/emqx@a/invite_async", status: 400},
		{call: "DELETE /cluster/{node}/force_leave", path: "/cluster/emqx@c/force_leave", status: 204},
		{call: "DELETE /cluster/{node}/force_leave", path: "/cluster/emqx@a/force_leave", status: 400},

		{call: "GET /stats", status: 200},
		{call: "GET /stats", path: "/stats?aggregate=true", status: 200},
		{call: "GET /metrics", status: 200},
		{call: "GET /metrics", path: "/metrics?aggregate=true", status: 200},
		{call: "GET /monitor", status: 200},
		{call: "GET /monitor", path: "/monitor?latest=120", status: 200},
		{call: "GET /monitor/nodes/{node}", path: "/monitor/nodes/emqx@a?latest=120", status: 200},
		{call: "GET /monitor_current", status: 200},
		{call: "GET /monitor_current/nodes/{node}", path: "/monitor_current/nodes/emqx@a", status: 200},
		{call: "GET /monitor_current/nodes/{node}", path: "/monitor_current/nodes/emqx@z", status: 404},
		{call: "GET /alarms", status: 200},
		{call: "GET /alarms", path: "/alarms?activated=false", status: 200},
		{call: "DELETE /alarms", status: 204},

		{call: "GET /rules", status: 200},
		{call: "GET /rules/{id}", path: "/rules/r1", status: 200},
		{call: "GET /rules/{id}", path: "/rules/nope", status: 404},
		{call: "GET /rules/{id}/metrics", path: "/rules/r1/metrics", status: 200},
		{call: "POST /rules", body: `{"id":"r2","sql":"SELECT * FROM \"t\"","actions":[]}`, status: 201},
		{call: "POST /rules", body: `{"id":"r2","sql":"SELEC"}`, status: 400},
		{call: "PUT /rules/{id}", path: "/rules/r1", body: `{"sql":"SELECT * FROM \"t\"","enable":false}`, status: 200},
		{call: "PUT /rules/{id}", path: "/rules/r1", body: `{"sql":"SELEC"}`, status: 400},
		{call: "DELETE /rules/{id}", path: "/rules/r1", status: 204},
		{call: "DELETE /rules/{id}", path: "/rules/nope", status: 404},
		{call: "GET /connectors", status: 200},
		{call: "GET /actions", status: 200, before: action},
		{call: "GET /sources", status: 200, before: source},
		{call: "GET /actions_summary", status: 200, before: action},
		{call: "GET /sources_summary", status: 200, before: source},

		{call: "GET /listeners", status: 200},
		{call: "GET /listeners/{id}", path: "/listeners/tcp:default", status: 200},
		{call: "GET /listeners/{id}", path: "/listeners/tcp:nope", status: 404},
		{call: "PUT /listeners/{id}", path: "/listeners/tcp:default",
			body: `{"id":"tcp:default","type":"tcp","bind":"0.0.0.0:1883","max_connections":100}`, status: 200},
		{call: "POST /listeners/{id}/stop", path: "/listeners/tcp:default/stop", status: 200},
		{call: "POST /listeners/{id}/start", path: "/listeners/tcp:default/start", status: 200},
		{call: "POST /listeners/{id}/restart", path: "/listeners/tcp:default/restart", status: 200},

		{call: "GET /license", status: 200},
		{call: "POST /license", body: `{"key":"default"}`, status: 200},
		{call: "POST /license", body: `{"key":"garbage"}`, status: 400},
		{call: "POST /license", body: `{}`, status: 400},
		{call: "GET /license/setting", status: 200},
		{call: "PUT /license/setting", body: `{"connection_low_watermark":"70%","connection_high_watermark":"90%"}`,
			status: 200},
		{call: "PUT /license/setting", body: `{"connection_low_watermark":"95%","connection_high_watermark":"90%"}`,
			status: 400},

		{call: "GET /load_rebalance/availability_check", status: 200, open: true},
		{call: "GET /load_rebalance/availability_check", status: 503, open: true,
			before: []string{"POST " + evacuate + "/start {}"}},
		{call: "GET /load_rebalance/status", status: 200},
		{call: "GET /load_rebalance/status", status: 200, before: []string{"POST " + evacuate + "/start {}"}},
		{call: "GET /load_rebalance/global_status", status: 200},
		{call: "GET /load_rebalance/global_status", status: 200, before: []string{"POST " + evacuate + "/start {}"}},
		{call: "POST /load_rebalance/{node}/evacuation/start", path: evacuate + "/start", body: `{}`, status: 200},
		{call: "POST /load_rebalance/{node}/evacuation/start", path: "/load_rebalance/nope/evacuation/start",
			body:   `{}`,
			status: 404},
		{call: "POST /load_rebalance/{node}/evacuation/start", path: evacuate + "/start", body: `{}`, status: 400,
			before: []string{"POST " + evacuate + "/start {}"}},
		{call: "POST /load_rebalance/{node}/evacuation/stop", path: evacuate + "/stop", status: 200,
			before: []string{"POST " + evacuate + "/start {}"}},
		{call: "POST /load_rebalance/{node}/evacuation/stop", path: evacuate + "/stop", status: 400},
		{call: "POST /load_rebalance/{node}/start", path: "/load_rebalance/emqx@a/start", body: `{}`, status: 400},
		{call: "POST /load_rebalance/{node}/stop", path: "/load_rebalance/emqx@a/stop", status: 400},
		{call: "GET /node_eviction/status", status: 200},
		{call: "GET /node_eviction/status", status: 200, before: []string{"POST " + evacuate + "/start {}"}},

		{call: "GET /prometheus/stats", status: 200, open: true},
		{call: "GET /prometheus/auth", status: 200, open: true},
		{call: "GET /prometheus/data_integration", status: 200, open: true},
		{call: "GET /prometheus/schema_validation", status: 200, open: true},
		{call: "GET /prometheus/message_transformation", status: 200, open: true},
	}
}
