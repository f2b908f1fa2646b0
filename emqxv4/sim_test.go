package emqxv4_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
)

// simulated is a cluster of three with clients on two of its nodes.
func simulated() *emqxsim.Cluster {
	c := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "4.4.24", Username: "key-77", Password: "secret-88"})
	c.Join("emqx@c").SetClients(1, 4)
	c.Join("emqx@a").SetClients(2, 0)
	c.Join("emqx@b")
	return c
}

func simulatedNode(name string, connections, sessions int) ecp.BrokerNode {
	return ecp.BrokerNode{Name: name, Status: ecp.NodeRunning, Role: "core", Version: "4.4.24", Connections: connections, Sessions: sessions}
}

// simulatedLimit is 0: the simulator has no licence call for this major.
const simulatedLimit = 0

// TestAgainstSimulator runs the suite against a node of emqxsim.
func TestAgainstSimulator(t *testing.T) {
	ecptest.TestAdapter(t, ecptest.AdapterSuite{
		Adapter: emqxv4.New(emqxv4.Config{Timeout: 2 * time.Second}), Bound: 10 * time.Second,
		Open: func(*testing.T) ecp.Endpoint { return simulated().Node("emqx@b").Endpoint() },
		Want: ecp.Description{Version: "4.4.24", Edition: "enterprise", Connections: 3, Limit: simulatedLimit, Nodes: []ecp.BrokerNode{
			simulatedNode("emqx@a", 2, 2), simulatedNode("emqx@b", 0, 0), simulatedNode("emqx@c", 1, 5),
		}},
	})
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is not listed by this major.
func TestSimulatedUpgrade(t *testing.T) {
	c := simulated()
	c.Node("emqx@b").SetVersion("4.4.26")
	for name, version := range map[string]string{"emqx@a": "4.4.24", "emqx@b": "4.4.26"} {
		require.Equal(t, version, describeSimulated(t, c.Node(name)).Version)
	}
	c.Node("emqx@b").Kill()
	d := describeSimulated(t, c.Node("emqx@a"))
	require.Equal(t, "4.4.24", d.Version)
	require.Len(t, d.Nodes, 2)
}

func describeSimulated(t *testing.T, n *emqxsim.Node) ecp.Description {
	t.Helper()
	b, err := emqxv4.New(emqxv4.Config{}).Open(n.Endpoint())
	require.NoError(t, err)
	defer b.Close()
	d, err := b.Describe(t.Context())
	require.NoError(t, err)
	return d
}
