package contract

// Calls are the calls of EMQX 5 that are simulated, as the documents name them.
var Calls = []string{
	"GET /status",
	"POST /login", "POST /logout",
	"GET /nodes", "GET /nodes/{node}", "GET /nodes/{node}/stats", "GET /nodes/{node}/metrics",
	"GET /cluster", "GET /cluster/topology", "GET /cluster/invitation",
	"PUT /cluster/{node}/invite", "PUT /cluster/{node}/invite_async", "DELETE /cluster/{node}/force_leave",
	"GET /stats", "GET /metrics",
	"GET /monitor", "GET /monitor/nodes/{node}", "GET /monitor_current", "GET /monitor_current/nodes/{node}",
	"GET /alarms", "DELETE /alarms",
	"GET /rules", "POST /rules", "GET /rules/{id}", "PUT /rules/{id}", "DELETE /rules/{id}", "GET /rules/{id}/metrics",
	"GET /connectors", "GET /actions", "GET /sources", "GET /actions_summary", "GET /sources_summary",
	"GET /listeners", "GET /listeners/{id}", "PUT /listeners/{id}",
	"POST /listeners/{id}/start", "POST /listeners/{id}/stop", "POST /listeners/{id}/restart",
	"GET /license", "POST /license", "GET /license/setting", "PUT /license/setting",
	"GET /load_rebalance/status", "GET /load_rebalance/global_status", "GET /load_rebalance/availability_check",
	"POST /load_rebalance/{node}/evacuation/start", "POST /load_rebalance/{node}/evacuation/stop",
	"POST /load_rebalance/{node}/start", "POST /load_rebalance/{node}/stop",
	"GET /node_eviction/status",
	"GET /prometheus/stats", "GET /prometheus/auth", "GET /prometheus/data_integration",
	"GET /prometheus/schema_validation", "GET /prometheus/message_transformation",
}
