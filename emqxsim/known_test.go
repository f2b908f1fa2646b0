package emqxsim_test

// known are the ways in which the simulator's answers differ from the recorded
// ones on purpose. "*" in a pattern stands for anything; no at is every
// difference. A row that no recording needs fails the test.
var known = []struct{ files, at, why string }{
	{"v4/00-api-root", ".data[]", "the broker had calls of plugins that are not simulated; TestCalls4 compares " +
		"those that are"},
	{"v4/21-dash-index", "", "the broker was built without the dashboard's files"},
	{"v4-cluster/02-stats-after-kill", "*.stats", "the module for delayed messages was loaded by then"},
	{"v4/sweep/GET_api_v4_stats_", "*.stats", "the module for delayed messages was loaded by then"},
	{"v4/sweep/GET_api_v4_metrics", "*.metrics", "the web hook plugin, with counters of its own, was loaded by then"},
	{"v5/99-dashboard-index", "", "the broker was built without the dashboard's files"},
	{"v5*monitor*", "[]", "how many points there are follows from how long the node had run"},
	{"v5/50-alarms-history", ".data[]", "the recorded history goes back to what was tried before"},
	{"v5/22-connector-delete-inuse", ".message", "the recorded words print the whole configuration of the action"},
	{"v5/35-apikey-nodesc-500", ".message", "the recorded words go on with a stack of calls"},
	{"v5/31-prometheus-stats-json", ".client[]", "how many connections ended why is not counted"},
}

// neverRecorded are calls of the adapters that nobody made on a running broker.
var neverRecorded = []string{
	"/api/v5/listeners/{}/restart",
}
