package k8sprovisioner

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestReplicantsOnKubernetes: replicants come beside nodes that run, are upgraded with them
// and go again; core nodes and their volumes stay meanwhile, and nothing is written afterwards.
func TestReplicantsOnKubernetes(t *testing.T) {
	t.Parallel()
	c := newChanging(t, "5.8.8", 2)
	c.image("5.8.9")
	claims := c.claims(t, c.id)
	uids := func(info ecp.Info, role ecp.NodeRole) (out []string) {
		for _, n := range info.Nodes {
			if n.NodeObservation.Role == role {
				out = append(out, n.PodUID)
			}
		}
		return out
	}
	cores := uids(c.awaitSettled(), ecp.RoleCore)
	require.Len(t, cores, 2)

	info := c.patch("replicants", `{"replicants":{"nodes":2}}`, 8)
	require.Equal(t, cores, uids(info, ecp.RoleCore))
	require.Len(t, uids(info, ecp.RoleReplicant), 2)
	front := func() string {
		return c.kubectl(t, "get", "service", string(c.id)+"-emqx", "-n", string(c.id), "-o",
			`jsonpath={.spec.selector}`)
	}
	require.Contains(t, front(), "replicant", "clients reach replicants")

	info = c.patch("upgrade", `{"image":"t-5.8.9"}`, 40)
	for _, n := range info.Nodes {
		require.Equal(t, "5.8.9", n.Version, "%+v", n)
		require.True(t, n.Member && n.Ready, "%+v", n)
	}
	require.Len(t, info.Nodes, 4)
	cores = uids(info, ecp.RoleCore)

	info = c.patch("no replicants", `{"replicants":null}`, 12)
	require.Equal(t, cores, uids(info, ecp.RoleCore))
	require.Len(t, info.Nodes, 2)
	require.NotContains(t, front(), "replicant")
	require.Equal(t, claims, c.claims(t, c.id))
	c.settledDown()
}
