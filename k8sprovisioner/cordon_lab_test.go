package k8sprovisioner

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
)

// ownMachines makes machines on which nothing runs but what tolerates their taint. They have no zone.
func (w *world) ownMachines(t *testing.T, name string, count int) ecp.Placement {
	t.Helper()
	for i := range count {
		machine := fmt.Sprintf("%s-%d", name, i)
		status, answer, err := w.lab.Do(t.Context(), http.MethodPost, "/api/v1/nodes", fmt.Appendf(nil,
			`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q,"labels":{"kubernetes.io/hostname":%q,
			"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64","example.com/for":%q}},
			"spec":{"taints":[{"key":"example.com/for","value":%q,"effect":"NoSchedule"}]}}`,
			machine, machine, name, name))
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, status, "%s", answer)
		t.Cleanup(func() {
			_, _, _ = w.lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1/nodes/"+machine, nil)
		})
	}
	// A new machine takes no pods at first: all of them would be on the first that does.
	labtest.Eventually(t, settled, "machines take pods", func(context.Context) (bool, string) {
		taints := w.kubectl(t, "get", "nodes", "-l", "example.com/for="+name, "-o",
			"jsonpath={.items[*].spec.taints[*].key}")
		return taints == strings.TrimSpace(strings.Repeat("example.com/for ", count)), taints
	})
	return ecp.Placement{NodeSelector: map[string]string{"example.com/for": name},
		Tolerations: []ecp.Toleration{{Key: "example.com/for", Operator: "Exists"}}}
}

// TestKubectlDrainOnKubernetes: a machine is cordoned, and its pod evicted as kubectl drain does it: the API server
// refuses until its clients have left. Then it is made anew on another machine.
func TestKubectlDrainOnKubernetes(t *testing.T) {
	if os.Getenv("OPENECP_LONG") == "" {
		t.Skip("waits for minutes on a busy host; run with OPENECP_LONG=1")
	}
	t.Parallel()
	w := newWorld(t, PodIP)
	id := w.createSpec(t, ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 3, Connections: 1000,
		Evacuation: ecp.Evacuation{Rate: 1}, // one client a second: there is time to look
		Placement:  w.ownMachines(t, "drained", 3)})
	states := w.history(t, id)
	before := w.await(t, id, ecp.Running)
	sim := w.pods.Cluster(string(id))
	sim.AddClients(emqxsim.Clients{Name: "c", Count: 21, Persistent: true})
	labtest.Eventually(t, settled, "clients are there", func(context.Context) (bool, string) {
		return sim.Usage().Connected == 21, fmt.Sprintf("%+v", sim.Usage())
	})
	victim, requests := before.Nodes[1], w.requests.all()
	require.NotContains(t, []string{before.Nodes[0].Host, before.Nodes[2].Host}, victim.Host, "nodes are placed apart")
	budget := func() string {
		return w.kubectl(t, "get", "pdb", "-n", string(id), "-o",
			"jsonpath={.items[0].spec.maxUnavailable} {.items[0].spec.unhealthyPodEvictionPolicy}")
	}
	require.Equal(t, "1 AlwaysAllow", budget())

	w.kubectl(t, "cordon", victim.Host)
	labtest.Eventually(t, settled, "nobody can evict", func(context.Context) (bool, string) {
		return budget() == "0 IfHealthyBudget", budget()
	})
	evict := func(ctx context.Context) (status int, answer []byte) {
		status, answer, err := w.lab.Do(ctx, http.MethodPost,
			fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/eviction", id, victim.Pod), fmt.Appendf(nil,
				`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, victim.Pod, id))
		require.NoError(t, err)
		return status, answer
	}
	free := func(ctx context.Context, node string) (bool, string) {
		info, err := w.get(ctx, id)
		return err == nil && strings.Contains(info.Status.Message, "has no clients any more") &&
			sim.Usage().Nodes[node].Connected == 0, describe(info, err)
	}
	// It is not tried before: Kubernetes' count of ready pods lags behind, and in the moment in which
	// the node is not ready and still counted as such it would be evicted.
	labtest.Eventually(t, settled, "its clients have left", func(ctx context.Context) (bool, string) {
		return free(ctx, victim.Name)
	})
	labtest.Eventually(t, settled, "the eviction is taken", func(ctx context.Context) (bool, string) {
		status, answer := evict(ctx)
		return status == http.StatusCreated, string(answer)
	})
	w.awaitReason(t, id, ecp.Running, ecp.ReasonMachineCordoned)
	after := w.awaitReason(t, id, ecp.Running, ecp.ReasonAsExpected)
	require.Equal(t, "1 AlwaysAllow", budget())
	for i, n := range after.Nodes {
		require.Equal(t, i == 1, n.PodUID != before.Nodes[i].PodUID)
		require.True(t, n.Ready && n.Member, "%+v", n)
	}
	require.NotEqual(t, victim.Host, after.Nodes[1].Host)
	require.Zero(t, sim.Usage().Lost, "sessions that ended with a node")
	made := w.requests.since(requests)
	require.Equal(t, 2, writes(made), "the budget goes down and up: %v", made)

	again := after.Nodes[1]
	w.kubectl(t, "cordon", again.Host)
	labtest.Eventually(t, settled, "it has no clients", func(ctx context.Context) (bool, string) {
		return free(ctx, again.Name)
	})
	w.kubectl(t, "uncordon", again.Host)
	w.awaitReason(t, id, ecp.Running, ecp.ReasonAsExpected)
	w.await(t, id, ecp.Running)
	require.False(t, slices.Contains(states(), ecp.Degraded), "%v", states())
}
