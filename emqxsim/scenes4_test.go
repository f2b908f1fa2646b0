package emqxsim_test

import "github.com/openecp/openecp/emqxsim"

var (
	one4 = []string{"emqx@127.0.0.4"}
	two4 = []string{"emqx@127.0.0.4", "emqx@127.0.0.5"}
)

// scenes4 are those of EMQX 4.4.19, open source edition.
var scenes4 = []scene{
	{files: "v4/08-client", nodes: one4, with: clients4},
	{files: "v4/12-rule-404", nodes: one4},
	{files: "v4/12-rule-create", nodes: one4},
	{files: "v4/12-rules-empty", nodes: one4},
	{files: "v4/12-", nodes: one4, after: []string{"v4/12-rule-create"}},
	{files: "v4/13-resource-create", nodes: one4},
	{files: "v4/13-resource-status", nodes: one4}, // the resource was gone when it was asked
	{files: "v4/13-resource", nodes: one4, after: []string{"v4/13-resource-create"}},
	{files: "v4/13-rule-with-resource", nodes: one4, after: []string{"v4/13-resource-create"}},
	{files: "v4/13-rules-with-resource", nodes: one4,
		after: []string{"v4/12-rule-create", "v4/13-resource-create", "v4/13-rule-with-resource"}},
	{files: "v4/16-app-use-on-dashboard-port", nodes: one4, door: "dashboard",
		after: []string{"v4/16-dash-app-create"}},
	{files: "v4/16-app-use", nodes: one4, after: []string{"v4/16-dash-app-create"}},
	{files: "v4/16-app-disabled-use", nodes: one4, after: []string{"v4/16-dash-app-create", "v4/16-dash-app-update"}},
	{files: "v4/16-app-expired-use", nodes: one4, after: []string{"v4/16-dash-app-create-expired"}},
	{files: "v4/16-dash-apps", nodes: one4, door: "dashboard"},
	{files: "v4/16-dash-app-create", nodes: one4, door: "dashboard"},
	{files: "v4/16-dash-app-404", nodes: one4, door: "dashboard"},
	{files: "v4/16-dash-app", nodes: one4, door: "dashboard", after: []string{"v4/16-dash-app-create"}},
	{files: "v4/16-dash-user-delete", nodes: one4, door: "dashboard", after: []string{"v4/16-dash-user-create"}},
	{files: "v4/16-dash", nodes: one4, door: "dashboard"},
	{files: "v4/17-plugin-load-again", nodes: one4, after: []string{"v4/13-plugins-webhook-load"}},
	{files: "v4/17-plugin-unload", nodes: one4, after: []string{"v4/13-plugins-webhook-load"}},
	{files: "v4/17-plugin", nodes: one4},
	{files: "v4/17-prometheus-not-loaded", nodes: one4},
	{files: "v4/17-prometheus-load", nodes: one4},
	{files: "v4/17-prometheus", nodes: one4, after: []string{"v4/17-prometheus-load"}},
	{files: "v4/21-dash", nodes: one4, door: "dashboard"},
	{files: "v4/30-alarms-deactivated", nodes: one4, after: []string{"v4/30-alarm-deactivate"}, with: alarm4},
	{files: "v4/30-alarm", nodes: one4, with: alarm4},
	{files: "v4/sweep/GET_api_v4_clients_", nodes: one4, with: twoClients4},
	{files: "v4/", nodes: one4},

	{files: "v4-cluster/01-alarms", nodes: two4, after: []string{"v4/30-alarm-deactivate"}, with: alarm4},
	{files: "v4-cluster/01", nodes: two4},
	{files: "v4-cluster/02", nodes: two4, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.5").Kill() }},
	{files: "v4-cluster/03", nodes: two4, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.5").Leave() }},
}

// clients4 are three clients, one of them away.
func clients4(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{Name: "v4-persist", Count: 1, Persistent: true})
	c.Disconnect("v4-persist", 1)
	twoClients4(c)
}

func twoClients4(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{Name: "v4-sub", Count: 2, Username: "alice", Subscribe: []string{"test/#"}})
}

func alarm4(c *emqxsim.Cluster) {
	c.Node("emqx@127.0.0.4").RaiseAlarm("test_alarm", "Unknown alarm", map[string]any{"reason": "x"})
}
