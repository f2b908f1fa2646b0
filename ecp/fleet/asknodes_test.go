package fleet

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Member is said of those that the largest cluster counts which a node told of,
// not of every node that counts itself.
func TestMembersAreThoseOfTheLargestView(t *testing.T) {
	b := newBench(t)
	b.do(ecp.Update{Patch: []byte(`{"nodes":3}`)})
	b.runs(3)
	p := b.w.at(b.id)
	p.split[0] = true
	b.watch(20 * 1e9)
	info, err := b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	var members []bool
	for _, n := range info.Nodes {
		members = append(members, n.Member)
	}
	require.Equal(t, []bool{false, true, true}, members)
	require.Equal(t, "5.8.9", info.Nodes[0].Version, "what a node says of itself is shown all the same")
}
