package emqxv5_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
)

// TestAgainstSimulator runs the suite against a node of emqxsim.
func TestAgainstSimulator(t *testing.T) {
	c, want := emqxtest.Simulated("5.8.9")
	want.Limit = 25 // that of the licence EMQX comes with
	ecptest.TestAdapter(t, ecptest.AdapterSuite{
		Adapter: emqxv5.New(emqxv5.Config{Timeout: 2 * time.Second}), Bound: 10 * time.Second, Want: want,
		Open: func(*testing.T) ecp.Endpoint { return c.Node("emqx@b").Endpoint() },
	})
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is listed as stopped.
func TestSimulatedUpgrade(t *testing.T) {
	c, _ := emqxtest.Simulated("5.8.9")
	c.Node("emqx@b").SetVersion("5.10.0")
	for name, version := range map[string]string{"emqx@a": "5.8.9", "emqx@b": "5.10.0"} {
		d, err := emqxtest.Describe(t, emqxv5.New(emqxv5.Config{}), c.Node(name).Endpoint())
		require.NoError(t, err)
		require.Equal(t, version, d.Version)
	}
	c.Node("emqx@b").Kill()
	d, err := emqxtest.Describe(t, emqxv5.New(emqxv5.Config{}), c.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", d.Version)
	require.Equal(t, ecp.BrokerNode{Name: "emqx@b", Status: ecp.NodeStopped, Role: "core"}, d.Nodes[1])
}
