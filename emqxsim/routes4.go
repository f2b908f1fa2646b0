package emqxsim

// route4 is one call of the API of EMQX 4.4. A node lists its calls in the form
// path, name, method and descr have here, those of a wrong spelling, too.
type route4 struct {
	method, path string // ":x" in the path is one segment
	name, descr  string
	answer       func(c *call4) answer

	enterprise bool                  // the open source edition lacks it
	since      string                // the first version that has it, see has
	port       int                   // the only listener that serves it; 0 = both
	open       string                // the first version that wants no credentials; "" = none
	when       func(c *Cluster) bool // it is there at all; nil = yes
}

// routes4 are the calls that are simulated. What only Enterprise has is not
// public: its names and descriptions here follow the others' style, its paths
// and bodies what is known from its documents and its clients.
var routes4 = []route4{
	{method: "GET", path: "/alarms", name: "list_all_alarms", descr: "List all alarms in the cluster", answer: alarms4(wanted4{active: true, past: true})},
	{method: "GET", path: "nodes/:node/alarms", name: "list_node_alarms", descr: "List all alarms on a node", answer: nodeAlarms4(wanted4{active: true, past: true})},
	{method: "GET", path: "/alarms/activated", name: "list_all_activated_alarms", descr: "List all activated alarm in the cluster", answer: alarms4(wanted4{active: true})},
	{method: "GET", path: "nodes/:node/alarms/activated", name: "list_node_activated_alarms", descr: "List all activated alarm on a node", answer: nodeAlarms4(wanted4{active: true})},
	{method: "GET", path: "/alarms/deactivated", name: "list_all_deactivated_alarms", descr: "List all deactivated alarm in the cluster", answer: alarms4(wanted4{past: true})},
	{method: "GET", path: "nodes/:node/alarms/deactivated", name: "list_node_deactivated_alarms", descr: "List all deactivated alarm on a node", answer: nodeAlarms4(wanted4{past: true})},
	{method: "POST", path: "/alarms/deactivated", name: "deactivate_alarm", descr: "Delete the special alarm on a node", answer: deactivateAlarm4},
	{method: "DELETE", path: "/alarms/deactivated", name: "delete_all_deactivated_alarms", descr: "Delete all deactivated alarm in the cluster", answer: clearAlarms4},
	{method: "DELETE", path: "nodes/:node/alarms/deactivated", name: "delete_node_deactivated_alarms", descr: "Delete all deactivated alarm on a node", answer: clearNodeAlarms4},

	{method: "GET", path: "/brokers/", name: "list_brokers", descr: "A list of brokers in the cluster", answer: listNodes4(broker4)},
	{method: "GET", path: "/brokers/:node", name: "get_broker", descr: "Get broker info of a node", answer: oneNode4(broker4, true)},
	{method: "GET", path: "/nodes/", name: "list_nodes", descr: "A list of nodes in the cluster", answer: nodes4},
	{method: "GET", path: "/nodes/:node", name: "get_node", descr: "Lookup a node in the cluster", answer: oneNode4(node4, true)},
	{method: "GET", path: "/stats/", name: "list_stats", descr: "A list of stats of all nodes in the cluster", answer: listNodes4(named4("stats", stats4))},
	{method: "GET", path: "/nodes/:node/stats/", name: "lookup_node_stats", descr: "A list of stats of a node", answer: oneNode4(stats4, false)},
	{method: "GET", path: "/metrics", name: "list_all_metrics", descr: "A list of metrics of all nodes in the cluster", answer: listNodes4(named4("metrics", metrics4))},
	{method: "GET", path: "/nodes/:node/metrics", name: "list_node_metrics", descr: "A list of metrics of a node", answer: oneNode4(metrics4, false)},
	{method: "GET", path: "/emqx_prometheus", name: "stats", descr: "Get emqx all stats info", answer: prometheus4, open: "4.4.0"},

	{method: "GET", path: "/clients/", name: "list_clients", descr: "A list of clients on current node", answer: clients4},
	{method: "GET", path: "nodes/:node/clients/", name: "list_node_clients", descr: "A list of clients on specified node", answer: nodeClients4},
	{method: "GET", path: "/clients/:clientid", name: "lookup_client", descr: "Lookup a client in the cluster", answer: client4},
	{method: "DELETE", path: "/clients/:clientid", name: "kickout_client", descr: "Kick out the client in the cluster", answer: kickClient4},

	{method: "GET", path: "/listeners/", name: "list_listeners", descr: "A list of listeners in the cluster", answer: listeners4},
	{method: "GET", path: "/nodes/:node/listeners", name: "list_node_listeners", descr: "A list of listeners on the node", answer: nodeListeners4},
	{method: "PUT", path: "/listeners/:identifier/restart", name: "restart_listener", descr: "Restart a listener in the cluster", answer: restartListener4},
	{method: "PUT", path: "/nodes/:node/listeners/:identifier/restart", name: "restart_node_listener", descr: "Restart a listener on a node", answer: restartNodeListener4},

	{method: "PUT", path: "/nodes/:node/plugins/:plugin/load", name: "load_node_plugin", descr: "Load a plugin", answer: loadPlugin4(true)},
	{method: "PUT", path: "/nodes/:node/plugins/:plugin/unload", name: "unload_node_plugin", descr: "Unload a plugin", answer: loadPlugin4(false)},

	{method: "POST", path: "/rules/", name: "create_rule", descr: "Create a rule", answer: createRule4},
	{method: "PUT", path: "/rules/:id", name: "update_rule", descr: "Update a rule", answer: updateRule4},
	{method: "GET", path: "/rules/", name: "list_rules", descr: "A list of all rules", answer: rules4},
	{method: "GET", path: "/rules/:id", name: "show_rule", descr: "Show a rule", answer: showRule4},
	{method: "DELETE", path: "/rules/:id", name: "delete_rule", descr: "Delete a rule", answer: deleteRule4},
	{method: "PUT", path: "/rules/:id/reset_metrics", name: "reset_metrics", descr: "reset a rule metrics", answer: resetRule4},
	{method: "GET", path: "/resources/", name: "list_resources", descr: "A list of all resources", answer: resources4},
	{method: "POST", path: "/resources/", name: "create_resource", descr: "Create a resource", answer: createResource4},
	{method: "GET", path: "/resources/:id", name: "show_resource", descr: "Show a resource", answer: showResource4},
	{method: "PUT", path: "/resources/:id", name: "update_resource", descr: "Update a resource", answer: updateResource4},
	{method: "GET", path: "/resource_status/:id", name: "get_resource_status", descr: "Get status of a resource", answer: resourceStatus4},
	{method: "POST", path: "/resources/:id", name: "start_resource", descr: "Start a resource", answer: startResource4},
	{method: "DELETE", path: "/resources/:id", name: "delete_resource", descr: "Delete a resource", answer: deleteResource4},

	// The dashboard's listener alone.
	{method: "POST", path: "/auth", name: "auth_user", descr: "Authenticate an user", answer: login4, port: dashboard, open: "4.4.0"},
	{method: "GET", path: "/users/", name: "list_users", descr: "List users", answer: users4, port: dashboard},
	{method: "POST", path: "/users/", name: "create_user", descr: "Create a user", answer: createUser4, port: dashboard},
	{method: "DELETE", path: "/users/:name", name: "delete_user", descr: "Delete an user", answer: deleteUser4, port: dashboard},
	{method: "PUT", path: "/change_pwd/:username", name: "change_pwd", descr: "Change password for an user", answer: changePassword4, port: dashboard},
	{method: "GET", path: "/apps/", name: "list_apps", descr: "List applications", answer: apps4, port: dashboard},
	{method: "POST", path: "/apps/", name: "add_app", descr: "Add application", answer: addApp4, port: dashboard},
	{method: "GET", path: "/apps/:appid", name: "lookup_app", descr: "Lookup application", answer: app4, port: dashboard},
	{method: "PUT", path: "/apps/:appid", name: "update_app", descr: "Update application", answer: updateApp4, port: dashboard},
	{method: "DELETE", path: "/apps/:appid", name: "del_app", descr: "Delete application", answer: deleteApp4, port: dashboard},

	{enterprise: true, method: "GET", path: "/license", name: "get_license", descr: "Get the license", answer: license4},
	{enterprise: true, method: "GET", path: "/license_info", name: "get_license_info", descr: "Get the license info", answer: licenseInfo4},
	{enterprise: true, method: "POST", path: "/license/upload", name: "upload_license", descr: "Upload a license", answer: uploadLicense4},
	{enterprise: true, since: sinceDynamic4, method: "POST", path: "/dynamic_license", name: "set_dynamic_license", descr: "Set Dynamic License", answer: dynamicLicense4, when: dynamicBy4("POST")},
	{enterprise: true, since: sinceDynamic4, method: "PUT", path: "/dynamic_license", name: "set_dynamic_license", descr: "Set Dynamic License", answer: dynamicLicense4, when: dynamicBy4("PUT")},
	{enterprise: true, method: "GET", path: "/monitor/current_metrics", name: "current_metrics", descr: "Current metrics of the cluster", answer: currentMetrics4},
	{enterprise: true, method: "GET", path: "/monitor/metrics", name: "list_monitor_metrics", descr: "Metrics of the cluster over time", answer: monitorMetrics4},
	{enterprise: true, method: "GET", path: "/monitor/metrics/:type", name: "lookup_monitor_metrics", descr: "One of the metrics over time", answer: monitorMetrics4},
	{enterprise: true, method: "POST", path: "/cluster/invite_node", name: "invite_node", descr: "Invite a node to the cluster", answer: inviteNode4},
	{enterprise: true, method: "DELETE", path: "/cluster/force_leave/:node", name: "force_leave", descr: "Force a node to leave the cluster", answer: forceLeave4},

	{enterprise: true, since: sinceEvacuation4, method: "POST", path: "/load_rebalance/:node/evacuation/start", name: "load_rebalance_evacuation_start", descr: "Start evacuation of a node", answer: startEvacuation4},
	{enterprise: true, since: sinceEvacuation4, method: "POST", path: "/load_rebalance/:node/evacuation/stop", name: "load_rebalance_evacuation_stop", descr: "Stop evacuation of a node", answer: stopEvacuation4},
	{enterprise: true, since: sinceEvacuation4, method: "POST", path: "/load_rebalance/:node/start", name: "load_rebalance_start", descr: "Start rebalancing", answer: startRebalance4},
	{enterprise: true, since: sinceEvacuation4, method: "POST", path: "/load_rebalance/:node/stop", name: "load_rebalance_stop", descr: "Stop rebalancing", answer: stopRebalance4},
	{enterprise: true, since: sinceEvacuation4, method: "GET", path: "/load_rebalance/status", name: "load_rebalance_status", descr: "Status of the node's evacuation or rebalancing", answer: rebalanceStatus4},
	{enterprise: true, since: sinceEvacuation4, method: "GET", path: "/load_rebalance/global_status", name: "load_rebalance_global_status", descr: "Status of all evacuations and rebalancings", answer: globalStatus4},
	{enterprise: true, since: sinceEvacuation4, method: "GET", path: "/load_rebalance/availability_check", name: "load_rebalance_availability_check", descr: "Whether the node takes clients", answer: available4, open: "4.4.24"},
}
