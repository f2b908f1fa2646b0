package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// At the pace of real brokers nodes are a cluster of their own before they join.
// Clients that come meanwhile are not on such a node when it does, since a pod is
// ready later; where a join takes longer than that, nobody counts the node as a
// member, and no operation as done, before it is one. (After 15 s it would be
// restarted: see TestNodesThatNeverMet.)
func TestNodesThatJoinLater(t *testing.T) {
	late := emqxsim.ProvisionerConfig{Pace: emqxsim.Pace{Alone: 20 * time.Second}}.RealPace()
	late.AnswerTime, late.BootTime = 10*time.Second, 18*time.Second
	for name, c := range map[string]struct {
		platform emqxsim.ProvisionerConfig
		late     bool
	}{
		"in time": {emqxsim.ProvisionerConfig{}.RealPace(), false},
		"late":    {late, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.platform.Limit = 1000
				r := newRigOn(t, memstore.New(), c.platform)
				defer func() { r.stop() }()
				cluster, _ := r.runningOn("emqx-ee-5.8.9", 1)
				sim := r.sim.Cluster(cluster.ID())
				op := r.change(cluster, `{"nodes":3}`)
				alone := false // a node was ready, and no member
				r.until("the operation ends", func() bool {
					sim.AddClients(emqxsim.Clients{Name: "guest", Count: 6, Persistent: true}) // others each time
					before := joinedNodes(r, cluster)
					o, err := r.m.Operation(asSystem(), op.ID)
					require.NoError(t, err)
					info := r.get(cluster)
					after := joinedNodes(r, cluster)
					for _, n := range r.found(cluster).Nodes {
						alone = alone || n.Ready && !after[n.Name]
					}
					for _, n := range info.Nodes {
						require.False(t, n.Member && !after[n.Name], "%s is said to be a member", n.Name)
					}
					require.False(t, o.Phase.Final() && len(before) < 3, "%s: %d of 3 are members", o.Phase,
						len(before))
					return o.Phase.Final()
				}, func() any { return r.get(cluster).Status })
				r.ends(op, ecp.PhaseSucceeded)
				require.Equal(t, c.late, alone)
				require.Equal(t, c.late, sim.Usage().Lost > 0, "%d clients were cut", sim.Usage().Lost)
				require.Len(t, r.members(cluster), 3)
			})
		})
	}
}

// joinedNodes are the nodes that EMQX itself counts as members.
func joinedNodes(r *rig, c ecp.Cluster) map[string]bool {
	out := map[string]bool{}
	for _, n := range r.found(c).Nodes {
		if r.sim.Cluster(c.ID()).Node(n.Name) != nil {
			out[n.Name] = true
		}
	}
	return out
}
