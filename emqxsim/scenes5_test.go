package emqxsim_test

import (
	"time"

	"github.com/openecp/openecp/emqxsim"
)

var (
	one5   = []string{"emqx@127.0.0.1"}
	two5   = []string{"emqx@127.0.0.1", "emqx@127.0.0.2"}
	three5 = []string{"emqx@127.0.0.1", "emqx@127.0.0.2", "emqx@127.0.0.3"}
)

// Calls that others need to have been made.
var (
	rule5       = []string{"v5/20-rule-create"}
	connectors5 = []string{"v5/21-connector-create-http", "v5/21-connector-create-mqtt"}
	actions5    = append(connectors5[:2:2], "v5/22-action-create", "v5/22-action-create-mqtt")
	all5        = append(actions5[:4:4], "v5/22-source-create", "v5/22-rule-with-action")
	down5       = []string{"v5/50-connector-down", "v5/50-action-down", "v5/50-rule-down"}
	evacuate5   = []string{"v5/33-evacuation-start"}
	rebalance5  = []string{"v5-cluster/03-rebalance-start"}
	evacuate52  = []string{"v5-cluster/04-evac-start-migrate"}
)

// scenes5 are those of EMQX Enterprise 5.8.9.
var scenes5 = []scene{
	{files: "v5/14-client-kick", nodes: one5, with: persistent5},
	{files: "v5/14-", nodes: one5, with: clients5},
	{files: "v5/20-rule-create-dup", nodes: one5, after: rule5},
	{files: "v5/20-rule-create", nodes: one5},
	{files: "v5/20-rules-empty", nodes: one5},
	{files: "v5/20-rule_engine", nodes: one5},
	{files: "v5/20-", nodes: one5, after: rule5},
	{files: "v5/21-connector-create-dup", nodes: one5, after: connectors5},
	{files: "v5/21-connector-create", nodes: one5},
	{files: "v5/21-connectors-empty", nodes: one5},
	{files: "v5/21-", nodes: one5, after: connectors5},
	{files: "v5/22-action-create", nodes: one5, after: connectors5},
	{files: "v5/22-source-create", nodes: one5, after: connectors5},
	{files: "v5/22-rule-with-action", nodes: one5, after: actions5},
	{files: "v5/22-", nodes: one5, after: all5},
	{files: "v5/29-rule-delete-r1", nodes: one5, after: rule5},
	{files: "v5/29-rule-delete-again", nodes: one5},
	{files: "v5/29-rule-delete", nodes: one5, after: all5},
	{files: "v5/29-source", nodes: one5, after: all5},
	{files: "v5/29-action", nodes: one5, after: actions5},
	{files: "v5/29-connector", nodes: one5, after: connectors5},
	{files: "v5/33-evacuation-start-again", nodes: one5, after: evacuate5},
	{files: "v5/33-evacuation-stop-notstarted", nodes: one5},
	{files: "v5/33-evacuation-stop", nodes: one5, after: evacuate5},
	{files: "v5/33-node-eviction-evacuating", nodes: one5, after: evacuate5},
	{files: "v5/33-rebalance-availability-evacuating", nodes: one5, after: evacuate5},
	{files: "v5/33-rebalance-global-evacuating", nodes: one5, after: evacuate5},
	{files: "v5/33-rebalance-status-evacuating", nodes: one5, after: evacuate5},
	{files: "v5/34-user-create-weak", nodes: one5},
	{files: "v5/34-user-create-dup", nodes: one5, after: []string{"v5/34-user-create"}},
	{files: "v5/34-user-create", nodes: one5},
	{files: "v5/34-users", nodes: one5},
	{files: "v5/34-", nodes: one5, after: []string{"v5/34-user-create"}},
	{files: "v5/35-apikey-create", nodes: one5},
	{files: "v5/35-apikey-nodesc", nodes: one5},
	{files: "v5/35-apikey-publisher-", nodes: one5, with: keys5},
	{files: "v5/35-apikey-publisher", nodes: one5},
	{files: "v5/35-apikey-expired-use", nodes: one5, with: keys5},
	{files: "v5/35-apikey-expired", nodes: one5},
	{files: "v5/35-apikey-disabled", nodes: one5, with: keys5, after: []string{"v5/35-apikey-disable"}},
	{files: "v5/35-apikey-", nodes: one5, with: keys5},
	{files: "v5/35-apikeys", nodes: one5, after: []string{"v5/35-apikey-publisher"}},
	{files: "v5/36-listener-start", nodes: one5, after: []string{"v5/36-listener-stop"}},
	{files: "v5/36-listener-delete", nodes: one5, after: []string{"v5/36-listener-create"}},
	{files: "v5/50-connector-down", nodes: one5},
	{files: "v5/50-rule-down-metrics", nodes: one5, after: down5},
	{files: "v5/50-action-down", nodes: one5, after: down5[:1]},
	{files: "v5/50-rule-down", nodes: one5, after: down5[:2]},
	{files: "v5/50-action-del", nodes: one5, after: down5[:2]},
	{files: "v5/50-monitor", nodes: one5, wait: time.Minute},
	{files: "v5/50-conn-del", nodes: one5, after: down5[:1]},
	{files: "v5/50-alarms-history", nodes: one5, after: append(down5[:3:3], "v5/50-rule-del", "v5/50-action-del",
		"v5/50-conn-del")},
	{files: "v5/50-", nodes: one5, after: down5, with: full5},
	{files: "v5/sweep/GET_clients", nodes: one5, with: twoClients5},
	{files: "v5/sweep/GET_subscriptions", nodes: one5, with: twoClients5},
	{files: "v5/sweep/GET_topics", nodes: one5, with: twoClients5},
	{files: "v5/", nodes: one5},

	{files: "v5-cluster/00-invite", nodes: one5, with: standalone5},
	{files: "v5-cluster/00-invitation", nodes: one5, with: standalone5, after: []string{"v5-cluster/00-invite-3-async"},
		wait: 10 * time.Second},
	{files: "v5-cluster/02-", nodes: three5, with: subscribers5},
	{files: "v5-cluster/03-rebalance-start-badopts", nodes: three5},
	{files: "v5-cluster/03-rebalance-start-again", nodes: three5, with: many5, after: rebalance5},
	{files: "v5-cluster/03-rebalance-start", nodes: three5, with: many5},
	{files: "v5-cluster/03-rebalance-availability-2", nodes: three5, at: 1, with: many5, after: rebalance5},
	{files: "v5-cluster/03-rebalance-status-node2", nodes: three5, at: 1, with: many5, after: rebalance5},
	{files: "v5-cluster/03-rebalance-status-b", nodes: three5, with: many5, after: rebalance5, wait: 4 * time.Second},
	{files: "v5-cluster/03-rebalance-global-b", nodes: three5, with: many5, after: rebalance5, wait: 4 * time.Second},
	{files: "v5-cluster/03-", nodes: three5, with: many5, after: rebalance5},
	{files: "v5-cluster/04-evac-start", nodes: three5},
	{files: "v5-cluster/04-evac-availability-node2", nodes: three5, at: 1, after: evacuate52},
	{files: "v5-cluster/04-evac-status-node2", nodes: three5, at: 1, after: evacuate52, wait: time.Minute},
	{files: "v5-cluster/04-evac-stop", nodes: three5, after: evacuate52},
	{files: "v5-cluster/04-", nodes: three5, after: evacuate52, wait: time.Minute},
	{files: "v5-cluster/05-rule-create", nodes: three5},
	{files: "v5-cluster/05-rule-on-node3", nodes: three5, at: 2, after: []string{"v5-cluster/05-rule-create"}},
	{files: "v5-cluster/05-rule", nodes: three5, after: []string{"v5-cluster/05-rule-create"}},
	{files: "v5-cluster/05-connector-create", nodes: three5},
	{files: "v5-cluster/05-connector", nodes: three5, after: []string{"v5-cluster/05-connector-create"}},
	{files: "v5-cluster/07", nodes: three5, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Kill() }},
	{files: "v5-cluster/08-force-leave", nodes: three5,
		with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Kill() }},
	{files: "v5-cluster/08-rule-del", nodes: three5, after: []string{"v5-cluster/07-config-change-while-down"}},
	{files: "v5-cluster/08", nodes: three5, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Leave() }},
	{files: "v5-cluster/61-force", nodes: two5},
	{files: "v5-cluster/61-cluster-after", nodes: two5, after: []string{"v5-cluster/61-force-leave-running-2"}},
	{files: "v5-cluster/", nodes: three5},
}

// clients5 are three, one of them away.
func clients5(c *emqxsim.Cluster) {
	twoClients5(c)
	c.AddClients(emqxsim.Clients{Name: "persistent", Count: 1, Persistent: true})
	c.Disconnect("persistent", 1)
}

func twoClients5(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{Name: "sub", Count: 2, Subscribe: []string{"test/%c"}})
}

func persistent5(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{Name: "persistent", Count: 2, Persistent: true})
}

// subscribers5 are enough for several pages.
func subscribers5(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{Name: "cl", Count: 22, Subscribe: []string{"cl/%c"}})
}

// many5 are more than a rebalance leaves where they are.
func many5(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.1").SetClients(22, 0) }

// full5 are more than the license allows.
func full5(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.1").SetClients(32, 0) }

func standalone5(c *emqxsim.Cluster) {
	c.Standalone("emqx@127.0.0.2")
	c.Standalone("emqx@127.0.0.3")
}

// keys5 are those that were made for the recordings; what their secrets were
// was said once only.
func keys5(c *emqxsim.Cluster) {
	c.AddAPIKey(emqxsim.APIKey{Name: "k2", Key: "1d3cbf8ed384d7d7",
		Secret: "LbasWfOpRUou9AJojVgDjlZtrYi9CD7Q6gLVMKanRmDVO", Role: "publisher"})
	c.AddAPIKey(emqxsim.APIKey{
		Name: "k3", Key: "3cfa387a17d784d3", Secret: "ftV8vuUNkszubr9Acok2zSy89AglBcJjLQlJZLiKIFMkH",
		Expires: time.Unix(1577836800, 0),
	})
	c.AddAPIKey(emqxsim.APIKey{Name: "k1", Key: "a6f3d2dffa085236",
		Secret: "kzZyHWCaNR6evtAZlPoMTidkTAF9A9B1xpAbGsG69BvneE", Role: "viewer"})
}
