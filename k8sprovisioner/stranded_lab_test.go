package k8sprovisioner

import (
	"context"
	"fmt"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
)

// TestVolumeOfARemovedMachine: a pod whose volume is on a machine that was removed waits for ever. That is told, under
// the rights that are shipped; repair that is asked to deletes its claim, and makes the node anew.
func TestVolumeOfARemovedMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	label := newLease()
	for i := range 3 {
		w.machine(t, fmt.Sprint(label, "-", i), label)
	}
	id := w.createSpec(t, ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 2, Connections: 1000, Placement: ecp.Placement{
		NodeSelector: map[string]string{"example.com/for": label},
		Tolerations:  []ecp.Toleration{{Key: "example.com/for", Operator: "Equal", Value: label}},
	}})
	info, ns := w.await(t, id, ecp.Running), string(id)
	lost := info.Nodes[1]
	claim := info.Volumes[1].Name
	volume := w.kubectl(t, "get", "pvc", claim, "-n", ns, "-o", "jsonpath={.spec.volumeName}")
	w.kubectl(t, "patch", "pv", volume, "--type=merge", `-p={"spec":{"nodeAffinity":{"required":{"nodeSelectorTerms":[
		{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["`+lost.Host+`"]}]}]}}}}`)

	w.kubectl(t, "delete", "node", lost.Host)
	w.kubectl(t, "delete", "pod", lost.Pod, "-n", ns, "--grace-period=0", "--force", "--wait=false")
	w.saysOf(t, id, claim, volume, lost.Host, "has been removed from Kubernetes")
	w.awaitReason(t, id, ecp.Degraded, ecp.ReasonVolumeLost)
	_, err := w.Cluster(id).Do(system(t.Context()), ecp.Repair{})
	require.ErrorContains(t, err, "repair deletes no volume unasked")
	plan, err := w.Cluster(id).Plan(system(t.Context()), ecp.Repair{LostVolumes: true})
	require.NoError(t, err)
	require.Equal(t, []int{1}, plan.Nodes.Replaced)
	require.Contains(t, plan.Notes[0], "the volume claim "+claim+" of "+lost.Pod+" is deleted")

	w.do(t, id, ecp.Repair{LostVolumes: true})
	labtest.Eventually(t, settled, "the node is back", func(ctx context.Context) (bool, string) {
		info, err := w.get(ctx, id)
		return err == nil && info.Status.State == ecp.Running && info.ReadyNodes == 2, describe(info, err)
	})
	require.NotEqual(t, volume, w.kubectl(t, "get", "pvc", claim, "-n", ns, "-o", "jsonpath={.spec.volumeName}"))
}
