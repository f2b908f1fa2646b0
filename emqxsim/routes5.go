package emqxsim

import "sync"

// v5 returns a row of the table below.
func v5(method, path string, answer func(*request) answer, more ...func(*route)) route {
	r := route{method: method, path: base5 + path, answer: answer}
	for _, m := range more {
		m(&r)
	}
	return r
}

func public(r *route)     { r.access = open }
func byLogin(r *route)    { r.access = login }
func enterprise(r *route) { r.editions = "e" }

func since(version string) func(*route) { return func(r *route) { r.since = version } }
func scoped(scope string) func(*route)  { return func(r *route) { r.scope = scope } }

// calls5 returns the calls of EMQX 5. If several rows match a request, the first one
// counts.
func calls5() []route {
	return []route{
		{method: "GET", path: "/status", access: open, answer: status5},
		{method: "GET", path: "/", access: open, answer: dashboard5},
		{method: "GET", path: "/static/{file}", access: open, answer: dashboard5},
		v5("GET", "/status", status5, public),
		v5("POST", "/login", login5, public),
		v5("POST", "/logout", logout5, byLogin),
		v5("GET", "/api_key", keys5, byLogin),
		v5("POST", "/api_key", createKey5, byLogin),
		v5("PUT", "/api_key/{name}", ofKey(updateKey5), byLogin),
		v5("DELETE", "/api_key/{name}", ofKey(deleteKey5), byLogin),
		v5("GET", "/users", users5, byLogin),
		v5("POST", "/users", createUser5, byLogin),
		v5("PUT", "/users/{username}", ofUser(updateUser5), byLogin),
		v5("DELETE", "/users/{username}", ofUser(deleteUser5), byLogin),
		v5("GET", "/nodes", nodes5, scoped("cluster_operations")),
		v5("GET", "/nodes/{node}", ofNode(func(q *request, n *Node) any { return node5(q, n) }),
			scoped("cluster_operations")),
		v5("GET", "/cluster", cluster5, scoped("cluster_operations")),
		v5("GET", "/cluster/topology", topology5, scoped("cluster_operations")),
		v5("GET", "/cluster/invitation", invitation5, scoped("cluster_operations")),
		v5("PUT", "/cluster/{node}/invite", invite5, scoped("cluster_operations")),
		v5("PUT", "/cluster/{node}/invite_async", inviteAsync5, scoped("cluster_operations")),
		v5("DELETE", "/cluster/{node}/force_leave", forceLeave5, scoped("cluster_operations")),
		v5("GET", "/load_rebalance/availability_check", availability5, scoped("cluster_operations"), public,
			enterprise),
		v5("GET", "/load_rebalance/status", rebalanceStatus5, scoped("cluster_operations"), enterprise),
		v5("GET", "/load_rebalance/global_status", globalRebalance5, scoped("cluster_operations"), enterprise),
		v5("POST", "/load_rebalance/{node}/evacuation/start", startEvacuation5, scoped("cluster_operations"),
			enterprise),
		v5("POST", "/load_rebalance/{node}/evacuation/stop", stopEvacuation5, scoped("cluster_operations"), enterprise),
		v5("POST", "/load_rebalance/{node}/start", startRebalance5, scoped("cluster_operations"), enterprise),
		v5("POST", "/load_rebalance/{node}/stop", stopRebalance5, scoped("cluster_operations"), enterprise),
		v5("GET", "/node_eviction/status", evictionStatus5, scoped("cluster_operations"), enterprise),
		v5("GET", "/nodes/{node}/stats", ofNode(func(q *request, n *Node) any { return nodeStats(q, n) }),
			scoped("monitoring")),
		v5("GET", "/nodes/{node}/metrics", ofNode(func(q *request, n *Node) any { return nodeMetrics(q, n) }),
			scoped("monitoring")),
		v5("GET", "/stats", stats5, scoped("monitoring")),
		v5("GET", "/metrics", metrics5, scoped("monitoring")),
		v5("GET", "/monitor", monitor5, scoped("monitoring")),
		v5("GET", "/monitor/nodes/{node}", nodeMonitor5, scoped("monitoring")),
		v5("GET", "/monitor_current", monitorCurrent5, scoped("monitoring")),
		v5("GET", "/monitor_current/nodes/{node}", ofNode(nodeMonitorCurrent5), scoped("monitoring")),
		v5("GET", "/prometheus/stats", prometheus5("stats"), scoped("monitoring"), public),
		v5("GET", "/prometheus/auth", prometheus5("auth"), scoped("monitoring"), public),
		v5("GET", "/prometheus/data_integration", prometheus5("data_integration"), scoped("monitoring"), public),
		v5("GET", "/prometheus/schema_validation", prometheus5("schema_validation"), scoped("monitoring"), public,
			since("5.7.0")),
		v5("GET", "/prometheus/message_transformation", prometheus5("message_transformation"), scoped("monitoring"),
			public,
			since("5.7.0")),
		v5("GET", "/alarms", alarms5, scoped("monitoring")),
		v5("DELETE", "/alarms", clearAlarms5, scoped("monitoring")),
		v5("GET", "/rules", rules5, scoped("data_integration")),
		v5("POST", "/rules", createRule5, scoped("data_integration")),
		v5("GET", "/rules/{id}", ofRule(func(q *request, r *rule) answer { return asJSON(rule5(q, r)) }),
			scoped("data_integration")),
		v5("PUT", "/rules/{id}", updateRule5, scoped("data_integration")),
		v5("DELETE", "/rules/{id}", ofRule(deleteRule5), scoped("data_integration")),
		v5("GET", "/rules/{id}/metrics", ofRule(ruleMetrics5), scoped("data_integration")),
		v5("PUT", "/rules/{id}/metrics/reset", ofRule(resetRule5), scoped("data_integration")),
		v5("GET", "/rule_engine", fixed(obj{"ignore_sys_message": true, "jq_function_default_timeout": 10000}),
			scoped("data_integration")),
		v5("GET", "/action_types", types5, scoped("data_integration")),
		v5("GET", "/connectors", list5(kindConnector), scoped("data_integration")),
		v5("POST", "/connectors", createResource5(kindConnector), scoped("data_integration")),
		v5("GET", "/connectors/{id}", ofResource(kindConnector, showResource5), scoped("data_integration")),
		v5("DELETE", "/connectors/{id}", ofResource(kindConnector, deleteResource5), scoped("data_integration")),
		v5("PUT", "/connectors/{id}/enable/{enable}", ofResource(kindConnector, enableResource5),
			scoped("data_integration")),
		v5("POST", "/connectors/{id}/start", ofResource(kindConnector, startResource5), scoped("data_integration")),
		v5("POST", "/connectors_probe", probe5, scoped("data_integration")),
		v5("GET", "/actions", list5(kindAction), scoped("data_integration")),
		v5("POST", "/actions", createResource5(kindAction), scoped("data_integration")),
		v5("GET", "/actions/{id}", ofResource(kindAction, showResource5), scoped("data_integration")),
		v5("DELETE", "/actions/{id}", ofResource(kindAction, deleteResource5), scoped("data_integration")),
		v5("GET", "/actions_summary", summary5(kindAction), scoped("data_integration"), since("5.8.5")),
		v5("GET", "/actions/{id}/metrics", ofResource(kindAction, resourceMetrics5), scoped("data_integration")),
		v5("GET", "/source_types", types5, scoped("data_integration")),
		v5("GET", "/sources", list5(kindSource), scoped("data_integration")),
		v5("POST", "/sources", createResource5(kindSource), scoped("data_integration")),
		v5("DELETE", "/sources/{id}", ofResource(kindSource, deleteResource5), scoped("data_integration")),
		v5("GET", "/sources_summary", summary5(kindSource), scoped("data_integration"), since("5.8.5")),
		v5("GET", "/listeners", listeners5, scoped("system")),
		v5("POST", "/listeners", createListener5, scoped("system")),
		v5("GET", "/listeners_status", listenersStatus5, scoped("system")),
		v5("GET", "/listeners/{id}", ofListener(listener5Answer), scoped("system")),
		v5("PUT", "/listeners/{id}", ofListener(updateListener5), scoped("system")),
		v5("DELETE", "/listeners/{id}", ofListener(deleteListener5), scoped("system")),
		v5("POST", "/listeners/{id}/{operation}", ofListener(operateListener5), scoped("system")),
		v5("GET", "/configs", readConfig5, scoped("system")),
		v5("PUT", "/configs", putConfig5, scoped("system")),
		v5("GET", "/configs/global_zone", readZone5, scoped("system")),
		v5("PUT", "/configs/global_zone", putZone5, scoped("system")),
		v5("GET", "/configs/{root}", readRoot5, scoped("system")),
		v5("PUT", "/configs/{root}", putRoot5, scoped("system")),
		v5("GET", "/license", license5, scoped("license"), enterprise),
		v5("POST", "/license", setLicense5, scoped("license"), enterprise),
		v5("GET", "/license/setting", licenseSetting5, scoped("license"), enterprise),
		v5("PUT", "/license/setting", putLicenseSetting5, scoped("license"), enterprise),
		v5("GET", "/clients", clients5, scoped("connections")),
		v5("POST", "/clients/kickout/bulk", kickClients5, scoped("connections")),
		v5("GET", "/clients/{clientid}", ofClient(func(q *request, k client) answer { return asJSON(q.client5(k)) }),
			scoped("connections")),
		v5("DELETE", "/clients/{clientid}", ofClient(kickClient5), scoped("connections")),
		v5("GET", "/clients/{clientid}/subscriptions", ofClient(clientSubscriptions5), scoped("connections")),
		v5("GET", "/subscriptions", subscriptions5, scoped("connections")),
		v5("GET", "/topics", topics5, scoped("connections")),
	}
}

// table5 returns calls5, which it creates once.
var table5 = sync.OnceValue(calls5)
