package k8sprovisioner

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestProvisionerSuite holds us to every sentence on the interface, on a real
// API server, under the shipped rights.
func TestProvisionerSuite(t *testing.T) {
	lab := labtest.Start(t)
	pods := labFleet(t, lab)
	shipped(t, lab)
	var mu sync.Mutex
	counts := map[ecp.Provisioner]*counter{} // guarded by mu
	workload := func(p ecp.Provisioner, id ecp.ID) string {
		f, err := p.(*Provisioner).objectsOf(context.Background(), id, "test", true)
		require.NoError(t, err)
		require.NotNil(t, f.workload)
		return f.workload.Name
	}
	remove := func(t *testing.T, id ecp.ID, kind, name string) {
		t.Helper()
		_, err := lab.Kubectl(t.Context(), "", "delete", kind, name, "-n", string(id), "--wait=false")
		require.NoError(t, err)
	}
	ecptest.TestProvisioner(t, ecptest.ProvisionerSuite{
		New: func(t *testing.T) ecp.Provisioner {
			c := shipped(t, lab)
			n := counting(c)
			p, err := New(Config{REST: c, Namespace: "openecp-system"})
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			counts[p] = n
			return p
		},
		Ready: settled, Nodes: 2, Parallel: true,
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		DeletePod: func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) {
			remove(t, id, "pod", fmt.Sprintf("%s-%d", workload(p, id), ordinal))
		},
		KillNode: func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) {
			require.NoError(t, pods.Kill(string(id), fmt.Sprintf("%s-%d", workload(p, id), ordinal)))
		},
		ScaleByHand: func(t *testing.T, p ecp.Provisioner, id ecp.ID, n int) {
			_, err := lab.Kubectl(t.Context(), "", "scale", "statefulset", workload(p, id), "-n", string(id),
				fmt.Sprint("--replicas=", n))
			require.NoError(t, err)
		},
		ChangeTemplate: func(t *testing.T, p ecp.Provisioner, id ecp.ID) {
			_, err := lab.Kubectl(t.Context(), "", "rollout", "restart", "statefulset", workload(p, id), "-n",
				string(id))
			require.NoError(t, err)
		},
		Refused: func(d *ecp.Desired, made bool) {
			d.Spec.Network.Type, d.Spec.Network.LoadBalancerClass = ecp.LoadBalancer, "example.com/first"
			if made {
				d.Spec.Network.LoadBalancerClass = "example.com/second"
			}
		},
		DeleteClaim: func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) {
			remove(t, id, "pvc", fmt.Sprintf("data-%s-%d", workload(p, id), ordinal))
		},
		RemoveMachine: func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) {
			pod := fmt.Sprintf("%s-%d", workload(p, id), ordinal)
			volume, err := lab.Kubectl(t.Context(), "", "get", "pvc", "data-"+pod, "-n", string(id), "-o",
				"jsonpath={.spec.volumeName}")
			require.NoError(t, err)
			_, err = lab.Kubectl(t.Context(), "", "patch", "pv", volume, "--type=merge", `-p={"spec":{"nodeAffinity":
				{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname",
				"operator":"In","values":["removed-machine"]}]}]}}}}`)
			require.NoError(t, err)
			remove(t, id, "pod", pod)
		},
		DeleteAuth: func(t *testing.T, _ ecp.Provisioner, id ecp.ID) { remove(t, id, "secret", authName(id)) },
		DeleteNamespace: func(t *testing.T, _ ecp.Provisioner, id ecp.ID) {
			_, err := lab.Kubectl(t.Context(), "", "delete", "namespace", string(id), "--wait=false")
			require.NoError(t, err)
		},
		DeleteService: func(t *testing.T, p ecp.Provisioner, id ecp.ID) { remove(t, id, "service", workload(p, id)) },
		MakeForeign: func(t *testing.T, _ ecp.Provisioner, id ecp.ID) {
			_, err := lab.Kubectl(t.Context(), "", "create", "namespace", string(id))
			require.NoError(t, err)
			t.Cleanup(func() {
				_, _, _ = lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete,
					"/api/v1/namespaces/"+string(id), nil)
			})
		},
		RefusePods: func(t *testing.T, _ ecp.Provisioner, id ecp.ID, refuse bool) string {
			const quota = `{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"project-quota"},"spec":{"hard":{"pods":"0"}}}`
			args := []string{"delete", "resourcequota", "project-quota", "-n", string(id)}
			if refuse {
				args = []string{"apply", "-n", string(id), "-f", "-"}
			}
			_, err := lab.Kubectl(t.Context(), quota, args...)
			require.NoError(t, err)
			return "exceeded quota: project-quota"
		},
		Evict: func(t *testing.T, p ecp.Provisioner, id ecp.ID, ordinal int) error {
			pod := fmt.Sprintf("%s-%d", workload(p, id), ordinal)
			status, answer, err := lab.Do(t.Context(), http.MethodPost,
				fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/eviction", id, pod), fmt.Appendf(nil,
					`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, pod, id))
			require.NoError(t, err)
			if status != http.StatusCreated {
				return fmt.Errorf("%d: %s", status, answer)
			}
			return nil
		},
		SetUnreachable: func(t *testing.T, _ ecp.Provisioner, unreachable bool) {
			if unreachable {
				require.NoError(t, lab.StopAPIServer())
				return
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), settled)
			defer cancel()
			require.NoError(t, lab.StartAPIServer(ctx))
		},
		LargerVolume: "20Gi",
		Writes: func(p ecp.Provisioner) int {
			mu.Lock()
			defer mu.Unlock()
			return writes(counts[p].all())
		},
	})
}

// TestConfinement: the account that ships may do what the provisioner does,
// and nothing outside namespaces of its own.
func TestConfinement(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	kubeconfig := labtest.Shipped(t, lab)
	foreign := labtest.Namespace(t, lab)
	own := string(ecptest.NewID())
	_, err := lab.Kubectl(t.Context(),
		fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{"openecp.io/cluster":%q}}}`,
			own, own), "create", "-f", "-")
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _, _ = lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1/namespaces/"+own, nil)
	})
	lookalike := string(ecptest.NewID()) // named like a cluster, not labelled
	_, err = lab.Kubectl(t.Context(), "", "create", "namespace", lookalike)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _, _ = lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1/namespaces/"+lookalike, nil)
	})
	for _, ns := range []string{foreign, lookalike, own} {
		claim := fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data-%s-emqx-0"},
			"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}}`, ns)
		_, err := lab.Kubectl(t.Context(), claim, "create", "-n", ns, "-f", "-")
		require.NoError(t, err)
	}
	theirs := `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"theirs"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}}`
	_, err = lab.Kubectl(t.Context(), theirs, "create", "-n", own, "-f", "-")
	require.NoError(t, err)
	for _, ns := range []string{foreign, lookalike, own} { // of others the API server lets nobody change the size
		_, err := lab.Kubectl(t.Context(), "", "wait", "--for=jsonpath={.status.phase}=Bound", "pvc", "--all", "-n", ns,
			"--timeout="+settled.String())
		require.NoError(t, err)
	}
	claimFile := filepath.Join(t.TempDir(), "claim.json")
	require.NoError(t, os.WriteFile(claimFile, []byte(theirs), 0o600))
	for name, c := range map[string]struct{ args, refusal string }{
		"a Secret elsewhere": {"create secret generic x -n " + foreign + " --from-literal=a=b",
			"ecpd may write only"},
		"a ConfigMap elsewhere": {"create configmap x -n kube-system --from-literal=a=b", "ecpd may write only"},
		"a ConfigMap in a lookalike": {"create configmap x -n " + lookalike + " --from-literal=a=b",
			"ecpd may write only"},
		"deleting a foreign namespace": {"delete namespace " + foreign, "ecpd may write only"},
		"deleting a lookalike":         {"delete namespace " + lookalike, "ecpd may write only"},
		"adopting a lookalike": {"label namespace " + lookalike + " openecp.io/cluster=" + lookalike,
			"ecpd may write only"},
		"a namespace of another name":  {"create namespace elsewhere", "ecpd may write only"},
		"listing Secrets":              {"get secrets -A", "forbidden"},
		"listing Secrets of a cluster": {"get secrets -n " + lookalike, "forbidden"},
		"making a pod":                 {"run x --image=x -n " + own, "ecpd makes no pods"},
		"trying a pod elsewhere":       {"run x --image=x --dry-run=server -n " + lookalike, "ecpd may write only"},
		"deleting a claim elsewhere": {"delete pvc data-" + foreign + "-emqx-0 --wait=false -n " + foreign,
			"ecpd may write only"},
		"deleting a lookalike's claim": {"delete pvc data-" + lookalike + "-emqx-0 --wait=false -n " + lookalike,
			"ecpd may write only"},
		"deleting claims at large": {"delete --raw /api/v1/namespaces/" + lookalike + "/persistentvolumeclaims",
			"forbidden"},
		"changing a lookalike's claim": {"patch pvc data-" + lookalike + "-emqx-0 -n " + lookalike +
			` --type=merge -p={"spec":{"resources":{"requests":{"storage":"2Mi"}}}}`, "ecpd may write only"},
		"labelling a claim": {"label pvc data-" + own + "-emqx-0 a=b -n " + own,
			"and change nothing else of it"},
		"another claim's size": {"patch pvc theirs -n " + own +
			` --type=merge -p={"spec":{"resources":{"requests":{"storage":"2Mi"}}}}`,
			"ecpd may delete only the volume claims"},
		"a finalizer, and more room": {"patch pvc data-" + own + "-emqx-0 -n " + own +
			` --type=merge -p={"metadata":{"finalizers":["x.example/y"]},"spec":{"resources":{"requests":{"storage":"2Mi"}}}}`, "and change nothing else of it"},
		"making a claim":          {"create -n " + own + " -f " + claimFile, "forbidden"},
		"listing storage classes": {"get storageclasses", "forbidden"},
		"giving itself rights": {"create clusterrolebinding x --clusterrole=cluster-admin --user=x",
			"forbidden"},
		"taking the policy away":     {"delete validatingadmissionpolicy openecp-ecpd", "forbidden"},
		"running something in a pod": {"auth can-i create pods --subresource=exec -A", "exit status 1"},
		"changing a machine":         {"delete node x", "forbidden"},
		"changing events":            {"delete event x -n " + own, "forbidden"},
		"changing a quota":           {"create quota x -n " + own, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := lab.Kubectl(t.Context(), "",
				append([]string{"--kubeconfig=" + kubeconfig}, strings.Fields(c.args)...)...)
			require.ErrorContains(t, err, c.refusal, "%s", out)
		})
	}
}

// TestMissingRight: an account without a right says which, in words.
func TestMissingRight(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	path, err := lab.User("nobody-special")
	require.NoError(t, err)
	p := watched(t, Config{REST: loaded(t, path)}, nil)
	labtest.Eventually(t, settled, "the missing right is named", func(ctx context.Context) (bool, string) {
		_, err := p.Observe(ctx, ecptest.NewID())
		return ecp.CodeOf(err) == ecp.CodeUnavailable &&
			slices.ContainsFunc([]string{"cannot list", "cannot watch"}, func(s string) bool {
				return strings.Contains(ecp.MessageOf(err), s)
			}), fmt.Sprint(err)
	})
}

// TestWithoutMachines: an account that may not list machines, as one with an earlier build's rights, goes on without:
// it says so, and that it does not know which machines take no pods.
func TestWithoutMachines(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	shipped(t, lab)
	out, err := lab.Kubectl(t.Context(), "", "get", "clusterrole", "openecp-ecpd", "-o", "json")
	require.NoError(t, err)
	var role rbacv1.ClusterRole
	require.NoError(t, json.Unmarshal([]byte(out), &role))
	role.ObjectMeta = metav1.ObjectMeta{Name: "without-machines"}
	for i, r := range role.Rules {
		if slices.Contains(r.Resources, "nodes") {
			role.Rules[i].Verbs = []string{"get"}
		}
	}
	b, err := json.Marshal(role)
	require.NoError(t, err)
	for _, args := range [][]string{{"create", "-f", "-"}, {"create", "clusterrolebinding", "without-machines",
		"--clusterrole=without-machines", "--user=without-machines"}} {
		_, err := lab.Kubectl(t.Context(), string(b), args...)
		require.NoError(t, err)
	}
	path, err := lab.User("without-machines")
	require.NoError(t, err)
	p := watched(t, Config{REST: loaded(t, path), Namespace: "openecp-system"}, nil)
	labtest.Eventually(t, settled, "the missing right is told", func(ctx context.Context) (bool, string) {
		o, err := p.Observe(ctx, ecptest.NewID())
		warning := p.rights.warning()
		return err == nil && !o.MachinesSeen && strings.Contains(warning, "list and watch nodes"),
			fmt.Sprint(o.MachinesSeen, err, warning)
	})
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = lab.Kubectl(ctx, "", "delete", "clusterrole,clusterrolebinding", "without-machines")
	})
}

// TestNobodyWatches: without Watch nothing is seen, and a call says so after a
// moment instead of passing nothing off as absence.
func TestNobodyWatches(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	p, err := New(Config{REST: shipped(t, lab)})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = p.Observe(ctx, ecptest.NewID())
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorIs(t, p.Apply(ctx, desired("5.8.9")), ecp.ErrUnavailable)
	require.ErrorIs(t, p.Delete(ctx, testID), ecp.ErrUnavailable)
}
