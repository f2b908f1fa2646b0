package k8sprovisioner

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
)

// saysOf waits until the state's message, or what is waited for, has all words.
func (w *world) saysOf(t testing.TB, id ecp.ID, words ...string) ecp.Info {
	t.Helper()
	var info ecp.Info
	labtest.Eventually(t, settled, fmt.Sprintf("it is told: %q", words), func(ctx context.Context) (bool, string) {
		var err error
		info, err = w.get(ctx, id)
		said := info.Status.Message + " " + info.Waits
		for _, word := range words {
			if !strings.Contains(said, word) {
				return false, info.Waits + " " + describe(info, err)
			}
		}
		return true, ""
	})
	return info
}

// endedByTheKernel writes what a kubelet writes of an EMQX that used more memory
// than it may.
func (w *world) endedByTheKernel(t testing.TB, namespace, pod string) {
	t.Helper()
	w.kubectl(t, "patch", "pod", pod, "-n", namespace, "--subresource=status", "-p", `{"status":{"containerStatuses":[{"name":"emqx","image":"x","imageID":"x","ready":false,"started":false,"restartCount":9,
		"state":{"running":null,"waiting":{"reason":"CrashLoopBackOff","message":"back-off 5m0s restarting failed container=emqx"}},
		"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":"2026-11-28T17:00:00Z","finishedAt":"2026-11-28T17:00:30Z"}}}]}}`)
}

// heldNamespace: what keeps a namespace from going is told while it does.
func (w *world) heldNamespace(t testing.TB, id ecp.ID) (release func()) {
	t.Helper()
	w.kubectl(t, "create", "configmap", "backup-agent", "-n", string(id))
	hold := func(finalizers string) {
		w.kubectl(t, "patch", "configmap", "backup-agent", "-n", string(id), "--type=merge",
			`-p={"metadata":{"finalizers":`+finalizers+`}}`)
	}
	hold(`["backup.example.com/hold"]`)
	return func() {
		w.saysOf(t, id, "the namespace "+string(id)+" cannot end", "backup.example.com/hold")
		hold("null")
	}
}

// TestDeadMachine: a pod whose machine is away never ends by itself. That is
// told; repair makes it anew elsewhere once somebody says that the machine is off.
func TestDeadMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	label := newLease() // of machines of its own: others go on
	for i := range 2 {
		w.machine(t, fmt.Sprint(label, "-", i), label)
	}
	id := w.createSpec(t, ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 2, Connections: 1000, Placement: ecp.Placement{
		NodeSelector: map[string]string{"example.com/for": label},
		Tolerations:  []ecp.Toleration{{Key: "example.com/for", Operator: "Equal", Value: label}},
	}})
	info := w.await(t, id, ecp.Running)
	dead, ns := info.Nodes[1], string(id)
	require.NotEqual(t, info.Nodes[0].Host, dead.Host)

	w.kubectl(t, "patch", "pod", dead.Pod, "-n", ns, "--type=merge",
		`-p={"metadata":{"finalizers":["test.example.com/node-is-away"]}}`)
	w.kubectl(t, "delete", "pod", dead.Pod, "-n", ns, "--grace-period=1", "--wait=false")
	w.saysOf(t, id, "1 of 2 nodes are ready", dead.Pod, "test.example.com/node-is-away")
	require.Equal(t, ecp.Degraded, w.await(t, id, ecp.Degraded).Status.State)

	before := w.requests.all()
	w.kubectl(t, "taint", "node", dead.Host, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
	w.saysOf(t, id, dead.Pod, "out of service")
	operation := w.do(t, id, ecp.Repair{})
	labtest.Eventually(t, settled, "the pod is removed without its machine's word",
		func(context.Context) (bool, string) {
			now := w.requests.since(before)
			return now["delete pods"] > 0, fmt.Sprint(now)
		})
	w.kubectl(t, "patch", "pod", dead.Pod, "-n", ns, "--type=merge", `-p={"metadata":{"finalizers":null}}`)
	info = w.await(t, id, ecp.Running)
	require.Equal(t, info.Nodes[0].Host, info.Nodes[1].Host, "it runs where there is a machine")
	require.Equal(t, 1, w.requests.since(before)["delete pods"], "once")
	o, err := w.Operation(system(t.Context()), operation.ID)
	require.NoError(t, err)
	require.Equal(t, ecp.PhaseSucceeded, o.Phase, "%+v", o)
}

// machine adds one to the lab that takes pods of the label only.
func (w *world) machine(t testing.TB, name, label string) {
	t.Helper()
	node := fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q,"labels":{"kubernetes.io/hostname":%[1]q,"kubernetes.io/os":"linux","topology.kubernetes.io/zone":%[1]q,"example.com/for":%q}},
		"spec":{"taints":[{"key":"example.com/for","value":%[2]q,"effect":"NoSchedule"}]}}`, name, label)
	_, err := w.lab.Kubectl(t.Context(), node, "create", "-f", "-")
	require.NoError(t, err)
	// Ready comes before that
	labtest.Eventually(t, settled, "machine "+name+" takes pods", func(ctx context.Context) (bool, string) {
		taints, err := w.lab.Kubectl(ctx, "", "get", "node", name, "-o", "jsonpath={.spec.taints[*].key}")
		return err == nil && taints == "example.com/for", fmt.Sprint(taints, err)
	})
	t.Cleanup(func() {
		_, _, _ = w.lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1/nodes/"+name, nil)
	})
}
