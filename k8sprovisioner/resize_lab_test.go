package k8sprovisioner

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// size puts a size with so much memory, and else that of the default, into the catalogue.
func (c *changing) size(name string, memory ecp.Resource) {
	c.Helper()
	s := ecp.DefaultSizes()[0]
	s.Name, s.Default, s.Memory = name, false, memory
	_, err := c.Catalog.Sizes.Create(system(c.Context()), s, "")
	require.NoError(c, err)
}

// memories gives how much memory every pod has: by its spec, and by what the kubelet says.
func (c *changing) memories() (out []string) {
	c.Helper()
	var list corev1.PodList
	require.NoError(c, json.Unmarshal([]byte(c.kubectl(c, "get", "pods", "-n", string(c.id), "-o", "json")), &list))
	for _, pod := range list.Items {
		wants, has := resourcesOf(pod.Spec), corev1.ResourceRequirements{}
		if s := statusOf(&pod); s != nil && s.Resources != nil {
			has = *s.Resources
		}
		out = append(out, wants.Limits.Memory().String()+" "+has.Limits.Memory().String())
	}
	return out
}

// TestResizeInPlace: memory is changed in pods that run, as the API server and a kubelet
// do it; what the kubelet refuses is replaced.
func TestResizeInPlace(t *testing.T) {
	t.Parallel()
	c := newChanging(t, "5.8.5", 3)
	c.size("more", ecp.Resource{Request: "2Gi", Limit: "2Gi"})
	c.size("most", ecp.Resource{Request: "3Gi", Limit: "3Gi"})
	c.size("looser", ecp.Resource{Request: "1Gi", Limit: "3Gi"})
	connected := c.clients(9)
	before := c.await(t, c.id, ecp.Running)
	plan := func(size string) string {
		t.Helper()
		p, err := c.Cluster(c.id).Plan(system(t.Context()), ecp.Update{Patch: json.RawMessage(`{"size":"` + size + `"}`)})
		require.NoError(t, err)
		return strings.Join(p.Notes, "\n")
	}
	require.Contains(t, plan("more"), "3 nodes get their CPU and memory, one at a time, in place")
	require.Contains(t, plan("looser"), "not in place: its class of service")
	c.pods.begin()
	after := c.patch("more memory", `{"size":"more"}`, 1+3)
	fewest, ended := c.pods.read()
	require.Equal(t, []int{3, 0}, []int{fewest, ended}, "no node was away")
	connected()
	require.Equal(t, podUIDs(before), podUIDs(after))
	require.Equal(t, []string{"2Gi 2Gi", "2Gi 2Gi", "2Gi 2Gi"}, c.memories())

	back := c.patch("less memory", `{"size":"1C1G"}`, 1+3)
	require.Equal(t, podUIDs(after), podUIDs(back), "the pods have an old revision again, which is now the newest")
	require.Equal(t, []string{"1Gi 1Gi", "1Gi 1Gi", "1Gi 1Gi"}, c.memories())

	c.world.pods.HoldResizes(string(c.id), "Infeasible: Node didn't have enough capacity: memory")
	most := c.patch("refused by the kubelet", `{"size":"most"}`, 1+3+3+3)
	for _, n := range most.Nodes {
		require.NotContains(t, podUIDs(back), n.PodUID)
	}
	require.Equal(t, []string{"3Gi 3Gi", "3Gi 3Gi", "3Gi 3Gi"}, c.memories())
	connected()

	c.world.pods.HoldResizes(string(c.id), "")
	again := c.patch("again", `{"size":"more"}`, 1+3)
	c.kubectl(t, "delete", "pod", again.Nodes[1].Pod, "-n", string(c.id))
	c.awaitReplaced(again, 1)
	require.Equal(t, []string{"2Gi 2Gi", "2Gi 2Gi", "2Gi 2Gi"}, c.memories(), "what comes anew has it, too")
	c.settledDown()
	for _, n := range c.await(t, c.id, ecp.Running).Nodes {
		require.False(t, n.Outdated, "another process sees no difference: %+v", n.NodeObservation)
		require.True(t, n.Resizable, n.NoResize)
	}
}

// awaitReplaced waits until one node is another pod and everything is as it was.
func (c *changing) awaitReplaced(before ecp.Info, ordinal int) (info ecp.Info) {
	c.Helper()
	labtest.Eventually(c, settled, "the pod is replaced", func(ctx context.Context) (bool, string) {
		var err error
		info, err = c.get(ctx, c.id)
		return err == nil && info.ReadyNodes == len(before.Nodes) &&
			info.Nodes[ordinal].PodUID != before.Nodes[ordinal].PodUID, describe(info, err)
	})
	return c.awaitSettled()
}

// TestWithoutTheRightToResize: nodes are replaced as before, and the plan says why.
func TestWithoutTheRightToResize(t *testing.T) {
	t.Parallel()
	for _, lacks := range []*right{resizePods, getRevisions} {
		p := &Provisioner{memos: map[ecp.ID]*memo{}}
		p.resizeSupport = resizeSupport{known: true}
		p.rights.missing = []*right{lacks}
		why, err := p.resizeObstacle(&corev1.Pod{})
		require.NoError(t, err)
		require.Equal(t, "the account has no right to "+lacks.name+"; see deploy/kubernetes/rights.yaml", why)
	}
}
