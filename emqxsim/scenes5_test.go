package emqxsim_test

import "github.com/openecp/openecp/emqxsim"

var (
	one5   = []string{"emqx@127.0.0.1"}
	three5 = []string{"emqx@127.0.0.1", "emqx@127.0.0.2", "emqx@127.0.0.3"}
)

const (
	evacuate5  = "v5/33-evacuation-start"
	rebalance5 = "v5-cluster/03-rebalance-start"
	evacuate52 = "v5-cluster/04-evac-start-migrate"
)

// scenes5 are those of EMQX Enterprise 5.8.9.
var scenes5 = []scene{
	{files: "v5/20-rule-create-dup", version: "5.8.9", nodes: one5, after: []string{"v5/20-rule-create"}},
	{files: "v5/20-rule-create", version: "5.8.9", nodes: one5},
	{files: "v5/20-rules-empty", version: "5.8.9", nodes: one5},
	{files: "v5/20-", version: "5.8.9", nodes: one5, after: []string{"v5/20-rule-create"}},
	{files: "v5/29-rule-delete-r1", version: "5.8.9", nodes: one5, after: []string{"v5/20-rule-create"}},
	{files: "v5/33-evacuation-start-again", version: "5.8.9", nodes: one5, after: []string{evacuate5}},
	{files: "v5/33-evacuation-stop-notstarted", version: "5.8.9", nodes: one5},
	{files: "v5/33-evacuation-stop", version: "5.8.9", nodes: one5, after: []string{evacuate5}},
	{files: "v5/33-node-eviction-evacuating", version: "5.8.9", nodes: one5, after: []string{evacuate5}},
	{files: "v5/33-rebalance-availability-evacuating", version: "5.8.9", nodes: one5, after: []string{evacuate5}},
	{files: "v5/33-rebalance-global-evacuating", version: "5.8.9", nodes: one5, after: []string{evacuate5}},
	{files: "v5/33-rebalance-status-evacuating", version: "5.8.9", nodes: one5, after: []string{evacuate5}},
	{files: "v5/36-listener-start", version: "5.8.9", nodes: one5, after: []string{"v5/36-listener-stop"}},
	{files: "v5/", version: "5.8.9", nodes: one5},

	{files: "v5-cluster/03-rebalance-start-again", version: "5.8.9", nodes: three5, after: []string{rebalance5}},
	{files: "v5-cluster/03-rebalance-start-badopts", version: "5.8.9", nodes: three5},
	{files: "v5-cluster/03-rebalance-start", version: "5.8.9", nodes: three5},
	{files: "v5-cluster/03-rebalance-availability-2", version: "5.8.9", nodes: three5, at: 1, after: []string{rebalance5}},
	{files: "v5-cluster/03-rebalance-status-node2", version: "5.8.9", nodes: three5, at: 1, after: []string{rebalance5}},
	{files: "v5-cluster/03-", version: "5.8.9", nodes: three5, after: []string{rebalance5}},
	{files: "v5-cluster/04-evac-start", version: "5.8.9", nodes: three5},
	{files: "v5-cluster/04-evac-availability-node2", version: "5.8.9", nodes: three5, at: 1, after: []string{evacuate52}},
	{files: "v5-cluster/04-evac-status-node2", version: "5.8.9", nodes: three5, at: 1, after: []string{evacuate52}},
	{files: "v5-cluster/04-", version: "5.8.9", nodes: three5, after: []string{evacuate52}},
	{files: "v5-cluster/05-rule-create", version: "5.8.9", nodes: three5},
	{files: "v5-cluster/05-rule-on-node3", version: "5.8.9", nodes: three5, at: 2, after: []string{"v5-cluster/05-rule-create"}},
	{files: "v5-cluster/05-rule", version: "5.8.9", nodes: three5, after: []string{"v5-cluster/05-rule-create"}},
	{files: "v5-cluster/07", version: "5.8.9", nodes: three5, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Kill() }},
	{files: "v5-cluster/08-force-leave", version: "5.8.9", nodes: three5, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Kill() }},
	{files: "v5-cluster/08-rule-del", version: "5.8.9", nodes: three5, after: []string{"v5-cluster/07-config-change-while-down"}},
	{files: "v5-cluster/08", version: "5.8.9", nodes: three5, with: func(c *emqxsim.Cluster) { c.Node("emqx@127.0.0.3").Leave() }},
	{files: "v5-cluster/", version: "5.8.9", nodes: three5},
}
