package emqxsim_test

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// TestHostedClusterHasClients: clients of a hosted cluster lose nodes with
// their pods and come back; what was configured outlives the pods.
func TestHostedClusterHasClients(t *testing.T) {
	k := newClock()
	p := newProvisioner(t, emqxsim.ProvisionerConfig{Now: k.Now, BootTime: 10 * time.Second, Limit: 1000})
	d := wanted("emqx-00000001", "5.8.9", 3)
	require.Nil(t, p.Cluster(d.ID))
	require.NoError(t, p.Apply(t.Context(), d))
	k.advance(10 * time.Second)
	c := p.Cluster(d.ID)
	require.NotNil(t, c)
	c.AddClients(emqxsim.Clients{Name: "c", Count: 30})
	c.AddRule("r", `SELECT * FROM "t"`)
	require.Equal(t, 30, c.Usage().Connected)

	o, err := p.Observe(t.Context(), d.ID)
	require.NoError(t, err)
	first := o.Nodes[0].Name
	require.NoError(t, p.DeletePod(d.ID, 0))
	require.Equal(t, 20, c.Usage().Connected)
	k.advance(time.Second)
	require.Equal(t, 30, c.Usage().Connected, "the others took them")
	k.advance(time.Minute)
	require.Zero(t, c.Usage().Nodes[first].Connected, "it is there again, and empty")

	e, err := p.Endpoint(t.Context(), d.ID, first)
	require.NoError(t, err)
	require.Equal(t, 200, callAt(t, e, "GET", "/rules/r", "").status)
	require.Equal(t, 30.0, callAt(t, e, "GET", "/monitor_current", "").o["live_connections"])
	second := o.Nodes[1].Name
	require.Equal(t, 200, callAt(t, e, "POST", "/load_rebalance/"+second+"/evacuation/start",
		`{"wait_health_check":0,"wait_takeover":0}`).status)
	k.advance(time.Minute)
	require.Equal(t, emqxsim.NodeUsage{}, c.Usage().Nodes[second])
	require.Equal(t, 30, c.Usage().Connected)

	require.NoError(t, p.KillAll(d.ID))
	require.Zero(t, c.Usage().Connected)
	require.NoError(t, p.ReviveAll(d.ID))
	k.advance(time.Minute)
	require.Equal(t, 30, c.Usage().Connected)
	require.NoError(t, p.Delete(t.Context(), d.ID))
	k.advance(time.Hour)
	require.Nil(t, p.Cluster(d.ID))
}

// TestSeed: every new cluster has what it is to begin with, and gets it once.
func TestSeed(t *testing.T) {
	k := newClock()
	p := newProvisioner(t, emqxsim.ProvisionerConfig{Now: k.Now, BootTime: 10 * time.Second,
		Seed: func(c *emqxsim.Cluster) {
			c.AddClients(emqxsim.Clients{Name: "c", Count: 4})
			c.AddRule("r", `SELECT * FROM "t"`) // panics the second time
		}})
	for _, id := range []ecp.ID{"emqx-00000001", "emqx-00000002"} {
		require.NoError(t, p.Apply(t.Context(), wanted(id, "5.8.9", 2)))
		c := p.Cluster(id) // no node is up
		k.advance(time.Minute)
		require.Equal(t, 4, c.Usage().Connected)
		require.NoError(t, p.KillAll(id))
		require.NoError(t, p.ReviveAll(id))
		k.advance(time.Minute)
		require.Equal(t, 4, p.Cluster(id).Usage().Connected)
	}
}
