package emqxtest

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// Simulated is a cluster of three nodes, emqx@a to emqx@c, with clients on two
// of them, and what an adapter should say of it but for the limit.
func Simulated(version string) (*emqxsim.Cluster, ecp.Description) {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Username: "key-77", Password: "secret-88"})
	c.Join("emqx@c").SetClients(1, 4)
	c.Join("emqx@a").SetClients(2, 0)
	c.Join("emqx@b")
	node := func(name string, connections, sessions int) ecp.BrokerNode {
		return ecp.BrokerNode{Name: name, Status: ecp.NodeRunning, Role: "core", Version: version, Connections: connections, Sessions: sessions}
	}
	return c, ecp.Description{
		Version: version, Edition: "enterprise", Connections: 3,
		Nodes: []ecp.BrokerNode{node("emqx@a", 2, 2), node("emqx@b", 0, 0), node("emqx@c", 1, 5)},
	}
}
