package emqxv4_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
)

// TestAgainstSimulator runs the suite against a node of emqxsim.
func TestAgainstSimulator(t *testing.T) {
	c, want := emqxtest.Simulated("4.4.24")
	want.Limit = 10 // that of the licence EMQX comes with
	ecptest.TestAdapter(t, ecptest.AdapterSuite{
		Adapter: emqxv4.New(emqxv4.Config{Timeout: 2 * time.Second}), Bound: 10 * time.Second, Want: want,
		Open: func(*testing.T) ecp.Endpoint { return c.Node("emqx@b").Endpoint() },
	})
}

// TestSimulatedUpgrade: while versions differ, the one that counts is that of
// the node that answers; a killed member is not listed by this major.
func TestSimulatedUpgrade(t *testing.T) {
	c, _ := emqxtest.Simulated("4.4.24")
	c.Node("emqx@b").SetVersion("4.4.26")
	for name, version := range map[string]string{"emqx@a": "4.4.24", "emqx@b": "4.4.26"} {
		d, err := emqxtest.Describe(t, emqxv4.New(emqxv4.Config{}), c.Node(name).Endpoint())
		require.NoError(t, err)
		require.Equal(t, version, d.Version)
	}
	c.Node("emqx@b").Kill()
	d, err := emqxtest.Describe(t, emqxv4.New(emqxv4.Config{}), c.Node("emqx@a").Endpoint())
	require.NoError(t, err)
	require.Equal(t, "4.4.24", d.Version)
	require.Len(t, d.Nodes, 2)
}
