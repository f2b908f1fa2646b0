package emqxv5_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
)

// simulated is a cluster of three with clients on two of its nodes.
func simulated() *emqxsim.Cluster {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9", Username: "key-77", Password: "secret-88"})
	c.Join("emqx@c").SetClients(1, 4)
	c.Join("emqx@a").SetClients(2, 0)
	c.Join("emqx@b")
	return c
}

func simulatedNode(name string, connections, sessions int) ecp.BrokerNode {
	return ecp.BrokerNode{Name: name, Status: ecp.NodeRunning, Role: "core", Version: "5.8.9", Connections: connections, Sessions: sessions}
}

// simulatedLimit is that of the licence EMQX comes with.
const simulatedLimit = 25

// TestAgainstSimulator runs the suite against a node of emqxsim.
func TestAgainstSimulator(t *testing.T) {
	ecptest.TestAdapter(t, ecptest.AdapterSuite{
		Adapter: emqxv5.New(emqxv5.Config{Timeout: 2 * time.Second}), Bound: 10 * time.Second,
		Open: func(*testing.T) ecp.Endpoint { return simulated().Node("emqx@b").Endpoint() },
		Want: ecp.Description{Version: "5.8.9", Edition: "enterprise", Connections: 3, Limit: simulatedLimit, Nodes: []ecp.BrokerNode{
			simulatedNode("emqx@a", 2, 2), simulatedNode("emqx@b", 0, 0), simulatedNode("emqx@c", 1, 5),
		}},
	})
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is listed as stopped.
func TestSimulatedUpgrade(t *testing.T) {
	c := simulated()
	c.Node("emqx@b").SetVersion("5.10.0")
	for name, version := range map[string]string{"emqx@a": "5.8.9", "emqx@b": "5.10.0"} {
		require.Equal(t, version, describeSimulated(t, c.Node(name)).Version)
	}
	c.Node("emqx@b").Kill()
	d := describeSimulated(t, c.Node("emqx@a"))
	require.Equal(t, "5.8.9", d.Version)
	require.Equal(t, ecp.BrokerNode{Name: "emqx@b", Status: ecp.NodeStopped, Role: "core"}, d.Nodes[1])
}

func describeSimulated(t *testing.T, n *emqxsim.Node) ecp.Description {
	t.Helper()
	b, err := emqxv5.New(emqxv5.Config{}).Open(n.Endpoint())
	require.NoError(t, err)
	defer b.Close()
	d, err := b.Describe(t.Context())
	require.NoError(t, err)
	return d
}
