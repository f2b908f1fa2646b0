package k8sprovisioner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// settled bounds every wait on the control plane: two busy cores with the race
// detector on are slow.
const settled = 4 * time.Minute

// world is a Manager on the control plane, with an EMQX behind every pod.
type world struct {
	*fleet.Manager
	lab      *kubelab.Lab
	pods     *emqxpod.Fleet
	store    ecp.Store
	config   *rest.Config
	requests *counter
	lease    string // of this Manager and those that follow it: other tests have their own
	stop     func()
}

// newLease is a name of a Lease that no other test has.
func newLease() string { return "openecp-" + string(ecptest.NewID()) }

// newWorld starts a Manager under the shipped rights.
func newWorld(t testing.TB, reach Reach) *world {
	t.Helper()
	lab := labtest.Start(t)
	w := &world{lab: lab, pods: labFleet(t, lab), store: memstore.New(), config: shipped(t, lab), lease: newLease()}
	w.requests = counting(w.config)
	p, err := New(Config{REST: w.config, Reach: reach, Namespace: "openecp-system", Lease: w.lease})
	require.NoError(t, err)
	w.manage(t, w.store, p)
	return w
}

// manage runs a Manager until the test ends or stop is called.
func (w *world) manage(t testing.TB, store ecp.Store, p ecp.Provisioner) {
	t.Helper()
	m, err := fleet.New(t.Context(), fleet.Config{
		Store: store, Provisioners: map[string]ecp.Provisioner{"default": p},
		Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		// no load balancer has to notice anything here
		Timings: ecp.Timings{Notice: time.Second, Takeover: time.Second},
	})
	require.NoError(t, err)
	w.Manager = m
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, ecptest.ErrCrashed) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(w.stop)
}

func system(ctx context.Context) context.Context { return ecp.WithActor(ctx, ecp.System) }

// create makes a cluster and has it deleted when the test ends.
func (w *world) create(t testing.TB, image string, nodes int) ecp.ID {
	t.Helper()
	return w.createSpec(t, ecp.HostedSpec{Image: image, Nodes: nodes, Connections: 1000})
}

func (w *world) createSpec(t testing.TB, spec ecp.HostedSpec) ecp.ID {
	t.Helper()
	info, _, err := w.Create(system(t.Context()), fleet.CreateRequest{
		Mode: ecp.Hosted, Name: fmt.Sprintf("made at %d", time.Now().UnixNano()), Spec: ecp.Spec{Hosted: &spec},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _, _ = w.lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1/namespaces/"+string(info.ID),
			nil)
	})
	return info.ID
}

func (w *world) get(ctx context.Context, id ecp.ID) (ecp.Info, error) {
	return w.Cluster(id).Get(system(ctx))
}

func (w *world) do(t testing.TB, id ecp.ID, c ecp.Command) ecp.Operation {
	t.Helper()
	o, err := w.Cluster(id).Do(system(t.Context()), c)
	require.NoError(t, err)
	return o
}

// await waits for a state, with every wanted node a member where it is running.
func (w *world) await(t testing.TB, id ecp.ID, s ecp.State) ecp.Info {
	t.Helper()
	var info ecp.Info
	labtest.Eventually(t, settled, string(id)+" is "+string(s), func(ctx context.Context) (bool, string) {
		var err error
		info, err = w.get(ctx, id)
		return err == nil && info.Status.State == s, describe(info, err)
	})
	return info
}

// awaitReason waits for a state for a reason: it may be there for another one first.
func (w *world) awaitReason(t testing.TB, id ecp.ID, s ecp.State, r ecp.Reason) ecp.Info {
	t.Helper()
	var info ecp.Info
	labtest.Eventually(t, settled, fmt.Sprintf("%s is %s, %s", id, s, r), func(ctx context.Context) (bool, string) {
		var err error
		info, err = w.get(ctx, id)
		return err == nil && info.Status.State == s && info.Status.Reason == r, describe(info, err)
	})
	return info
}

func describe(info ecp.Info, err error) string {
	if err != nil {
		return err.Error()
	}
	b, _ := json.Marshal(info.Nodes)
	return fmt.Sprintf("%s %s %q stale %v nodes %s", info.Status.State, info.Status.Reason, info.Status.Message,
		info.Status.StaleFrom, b)
}

// history collects the states a cluster goes through from now on.
func (w *world) history(t testing.TB, id ecp.ID) func() []ecp.State {
	t.Helper()
	var from int64
	require.NoError(t, w.store.Read(t.Context(), func(tx ecp.Tx) (err error) { from, err = tx.Seq(); return err }))
	return func() []ecp.State {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var to int64
		require.NoError(t, w.store.Read(ctx, func(tx ecp.Tx) (err error) { to, err = tx.Seq(); return err }))
		var out []ecp.State
		for c, err := range w.store.Changes(ctx, from) {
			require.NoError(t, err)
			if r, ok := c.Payload.(ecp.ClusterRecord); ok && r.ID == id &&
				(len(out) == 0 || out[len(out)-1] != r.Status.State) {
				out = append(out, r.Status.State)
			}
			if c.Seq >= to {
				break
			}
		}
		return out
	}
}

// items lists the names of what the API server has of one resource.
func (w *world) items(t testing.TB, path string) []string {
	t.Helper()
	_, body, err := w.lab.Do(t.Context(), http.MethodGet, path, nil)
	require.NoError(t, err)
	var list struct {
		Items []struct{ Metadata struct{ Name, UID string } }
	}
	require.NoError(t, json.Unmarshal(body, &list), "%s", body)
	var names []string
	for _, i := range list.Items {
		names = append(names, i.Metadata.Name+" "+i.Metadata.UID)
	}
	slices.Sort(names)
	return names
}

func (w *world) claims(t testing.TB, id ecp.ID) []string {
	t.Helper()
	return w.items(t, "/api/v1/namespaces/"+string(id)+"/persistentvolumeclaims")
}

func (w *world) kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := w.lab.Kubectl(t.Context(), "", args...)
	require.NoError(t, err)
	return out
}

func TestLifeCycleOnKubernetes(t *testing.T) {
	for image, reach := range map[string]Reach{"emqx-ee-4.4.19": PodIP, "emqx-ee-4.4.24": PortForward,
		"emqx-ee-5.8.9": PodIP} {
		t.Run(image+" by "+string(reach), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reach)
			before := w.requests.all()
			id := w.create(t, image, 3)
			states := w.history(t, id)
			info := w.await(t, id, ecp.Running)
			made := w.requests.since(before)
			require.LessOrEqual(t, writes(made), 9, "a write for each object: %v", made)
			require.LessOrEqual(t, made["get namespaces"]+made["get secrets"], 2,
				"its namespace, and the credentials of its API: %v", made)
			require.Len(t, info.Nodes, 3)
			for _, n := range info.Nodes {
				require.True(t, n.Member && n.Ready, "%+v", n)
				require.Equal(t, strings.TrimPrefix(image, "emqx-ee-"), n.Version)
			}
			require.Equal(t, ecp.True, ecp.ConditionOf(info.Status.Conditions, ecp.CondHealthy).Status)
			require.Equal(t, ecp.True, ecp.ConditionOf(info.Status.Conditions, ecp.CondSettled).Status)
			require.NotEmpty(t, info.Endpoints.Internal.Ports)
			require.Len(t, w.items(t, "/api/v1/namespaces/"+string(id)+"/services"), 3)
			claims := w.claims(t, id)
			require.Len(t, claims, 3)

			w.do(t, id, ecp.Stop{})
			info = w.await(t, id, ecp.Stopped)
			require.Empty(t, info.Nodes)
			require.Empty(t, w.items(t, "/api/v1/namespaces/"+string(id)+"/pods"))
			require.Equal(t, claims, w.claims(t, id))

			w.do(t, id, ecp.Start{})
			w.await(t, id, ecp.Running)
			require.Equal(t, claims, w.claims(t, id))

			w.do(t, id, ecp.Delete{})
			w.awaitGone(t, id)
			require.Equal(t, []ecp.State{ecp.Running, ecp.Stopping, ecp.Stopped, ecp.Starting, ecp.Running,
				ecp.Stopping, ecp.Stopped, ecp.Gone}, withoutFirst(states()))
			status, _, err := w.lab.Do(t.Context(), http.MethodGet, "/api/v1/namespaces/"+string(id), nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusNotFound, status)
			pool, err := w.Pool(system(t.Context()))
			require.NoError(t, err)
			require.Zero(t, pool.UsedClusters+pool.UsedConnections)
			require.NoError(t, w.store.Read(t.Context(), func(tx ecp.Tx) error {
				_, _, err := ecp.Get[ecp.Tombstone](tx, string(id))
				return err
			}))
		})
	}
}

// withoutFirst drops creating: the history may begin before or after the
// first write of it.
func withoutFirst(states []ecp.State) []ecp.State {
	if len(states) > 0 && states[0] == ecp.Creating {
		return states[1:]
	}
	return states
}

func (w *world) awaitGone(t testing.TB, id ecp.ID) {
	t.Helper()
	labtest.Eventually(t, settled, string(id)+" is gone", func(ctx context.Context) (bool, string) {
		info, err := w.get(ctx, id)
		return ecp.CodeOf(err) == ecp.CodeNotFound, describe(info, err)
	})
}

func TestWhatComesBackByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	id := w.create(t, "emqx-ee-5.8.9", 3)
	w.await(t, id, ecp.Running)
	claims := w.claims(t, id)
	ns, sts := string(id), string(id)+"-emqx"

	states := w.history(t, id)
	begun := time.Now()
	require.NoError(t, w.pods.Kill(ns, sts+"-1"))
	info := w.awaitReason(t, id, ecp.Degraded, ecp.ReasonNodeDown)
	t.Logf("EMQX of a pod died: degraded after %v (the probe's own time included)", time.Since(begun))
	require.Equal(t, ecp.True, ecp.ConditionOf(info.Status.Conditions, ecp.CondAvailable).Status)
	w.endedByTheKernel(t, ns, sts+"-1")
	w.saysOf(t, id, sts+"-1: OOMKilled", "exit code 137", "a size with more memory")
	require.NoError(t, w.pods.Revive(ns, sts+"-1"))
	w.await(t, id, ecp.Running)

	begun = time.Now()
	w.kubectl(t, "delete", "pod", sts+"-2", "-n", ns, "--wait=false")
	w.awaitChange(t, states, ecp.Degraded, ecp.Running, ecp.Degraded)
	t.Logf("a pod was deleted: degraded after %v (kubectl's own time included)", time.Since(begun))
	w.await(t, id, ecp.Running)

	for i := range 3 {
		require.NoError(t, w.pods.Kill(ns, fmt.Sprintf("%s-%d", sts, i)))
	}
	w.awaitReason(t, id, ecp.Abnormal, ecp.ReasonNothingServes)
	for i := range 3 {
		require.NoError(t, w.pods.Revive(ns, fmt.Sprintf("%s-%d", sts, i)))
	}
	w.await(t, id, ecp.Running)

	w.kubectl(t, "scale", "statefulset", sts, "-n", ns, "--replicas=0")
	w.awaitChange(t, states, ecp.Abnormal)
	w.await(t, id, ecp.Running)
	require.Equal(t, claims, w.claims(t, id), "no data is lost")

	w.kubectl(t, "delete", "service", sts, "-n", ns)
	labtest.Eventually(t, settled, "the Service is back", func(ctx context.Context) (bool, string) {
		status, body, err := w.lab.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+ns+"/services/"+sts, nil)
		return status == http.StatusOK, fmt.Sprintf("%s %v", body, err)
	})
	w.kubectl(t, "label", "service", sts+"", "-n", ns, "openecp.io/cluster-")
	w.kubectl(t, "patch", "statefulset", sts, "-n", ns, "--type=merge",
		`-p={"spec":{"updateStrategy":{"type":"RollingUpdate"}}}`)
	labtest.Eventually(t, settled, "changed fields are back", func(ctx context.Context) (bool, string) {
		out, err := w.lab.Kubectl(ctx, "", "get", "statefulset,service", "-n", ns, "-l", "openecp.io/cluster", "-o",
			"jsonpath={.items[*].spec.updateStrategy.type} {.items[*].metadata.name}")
		return err == nil && strings.HasPrefix(out, "OnDelete ") && len(strings.Fields(out)) == 5,
			fmt.Sprintf("%s %v", out, err)
	})
	w.await(t, id, ecp.Running)
	w.contested(t, id)
}

// contested: somebody who keeps changing a field back is named, and is answered
// ever more rarely.
func (w *world) contested(t testing.TB, id ecp.ID) {
	t.Helper()
	sts, theirs, before := string(id)+"-emqx", 0, w.requests.all()
	labtest.Eventually(t, settled, "the fight is told", func(ctx context.Context) (bool, string) {
		is, err := w.lab.Kubectl(ctx, "", "get", "statefulset", sts, "-n", string(id), "-o",
			"jsonpath={.spec.template.spec.terminationGracePeriodSeconds}")
		if err == nil && is != "120" {
			_, err = w.lab.Kubectl(ctx, "", "patch", "statefulset", sts, "-n", string(id),
				"--field-manager=policy-engine", "-p",
				`{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":120}}}}`)
			theirs++
		}
		info, _ := w.get(ctx, id)
		c := ecp.ConditionOf(info.Status.Conditions, ecp.CondProvisioned)
		return c.Reason == ecp.ReasonContested && strings.Contains(c.Message, "policy-engine") &&
			strings.Contains(c.Message, "spec.template.spec.terminationGracePeriodSeconds"), fmt.Sprint(c, err)
	})
	require.LessOrEqual(t, w.requests.since(before)["patch statefulsets"], contestThreshold+2, "they wrote %d times",
		theirs)
	require.Equal(t, map[string]int{"policy-engine": 1}, w.Stats().Contested)
	require.Equal(t, ecp.Running, w.await(t, id, ecp.Running).Status.State)
}

// awaitChange waits until the history goes through the states in this order,
// whatever is between them.
func (w *world) awaitChange(t testing.TB, states func() []ecp.State, want ...ecp.State) {
	t.Helper()
	labtest.Eventually(t, settled, fmt.Sprintf("the history has %v", want), func(context.Context) (bool, string) {
		seen, next := states(), 0
		for _, s := range seen {
			if next < len(want) && s == want[next] {
				next++
			}
		}
		return next == len(want), fmt.Sprint(seen)
	})
}

func TestWhatIsLostStaysLost(t *testing.T) {
	for name, c := range map[string]struct {
		reason ecp.Reason
		remove func(sts string) []string
	}{
		"claim": {ecp.ReasonDataLost, func(sts string) []string { return []string{"pvc", "data-" + sts + "-1"} }},
		"secret": {ecp.ReasonSecretLost, func(sts string) []string {
			return []string{"secret",
				strings.TrimSuffix(sts, "-emqx") + "-auth"}
		}},
		"namespace": {ecp.ReasonDataLost, func(sts string) []string {
			return []string{"namespace",
				strings.TrimSuffix(sts, "-emqx")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, PodIP)
			id := w.create(t, "emqx-ee-5.8.9", 3)
			w.await(t, id, ecp.Running)
			ns := string(id)
			w.kubectl(t, append([]string{"delete", "-n", ns, "--wait=false"}, c.remove(ns+"-emqx")...)...)
			w.awaitReason(t, id, ecp.Abnormal, c.reason)
			// A pass after it, and one by a process that remembers nothing.
			before := w.requests.all()
			w.stop()
			p, err := New(Config{REST: w.config, Namespace: "openecp-system", Lease: w.lease})
			require.NoError(t, err)
			w.manage(t, w.store, p)
			labtest.Eventually(t, settled, "it was looked at again", func(ctx context.Context) (bool, string) {
				info, err := w.get(ctx, id)
				return err == nil && w.Stats().Passes > 2 && info.Status.StaleFrom.IsZero(), describe(info, err)
			})
			require.Equal(t, ecp.Abnormal, w.await(t, id, ecp.Abnormal).Status.State)
			require.Zero(t, writes(w.requests.since(before)), "%v", w.requests.since(before))
			goes := func() {}
			if name == "secret" {
				w.keysReplaced(t, id)
				goes = w.heldNamespace(t, id)
			}
			w.do(t, id, ecp.Delete{})
			goes()
			w.awaitGone(t, id)
		})
	}
}

// keysReplaced repairs a cluster whose Secret has gone: no pod that had the former keys runs
// beside one that has the new ones.
func (w *world) keysReplaced(t *testing.T, id ecp.ID) {
	t.Helper()
	auth := func() string {
		return w.kubectl(t, "get", "secret", "-n", string(id), authName(id), "-o", "jsonpath={.metadata.uid}")
	}
	uids := func(ctx context.Context) string {
		out, err := w.lab.Kubectl(ctx, "", "get", "pods", "-n", string(id), "-o", "jsonpath={.items[*].metadata.uid}")
		require.NoError(t, err)
		return out
	}
	before, claims, old := w.await(t, id, ecp.Abnormal), w.claims(t, id), strings.Fields(uids(t.Context()))
	require.Len(t, old, 3)
	plan, err := w.Cluster(id).Plan(system(t.Context()), ecp.Repair{})
	require.NoError(t, err)
	require.Contains(t, plan.Notes[0], "all nodes are stopped at once")
	history := w.history(t, id)
	w.do(t, id, ecp.Repair{})
	labtest.Eventually(t, settled, "other pods, and never beside the former ones",
		func(ctx context.Context) (bool, string) {
			now := strings.Fields(uids(ctx))
			kept := 0
			for _, uid := range now {
				if slices.Contains(old, uid) {
					kept++
				}
			}
			require.True(t, kept == 0 || kept == len(now), "%v beside %v", now, old)
			info, err := w.get(ctx, id)
			return kept == 0 && len(now) == 3 && err == nil && info.Status.State == ecp.Running, describe(info, err)
		})
	w.awaitChange(t, history, ecp.Updating, ecp.Syncing, ecp.Running)
	require.NotEmpty(t, auth())
	require.Equal(t, claims, w.claims(t, id))
	info := w.await(t, id, ecp.Running)
	require.NotEqual(t, before.Status.Auth, info.Status.Auth)
	require.Equal(t, auth(), info.Status.Auth)
	for _, n := range info.Nodes {
		require.True(t, n.Member, n.Name)
	}
}

func TestNamespaceOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	// The id is drawn by the Manager: stop it, so that the namespace is there first.
	w.stop()
	id := w.create(t, "emqx-ee-5.8.9", 1)
	w.kubectl(t, "create", "namespace", string(id))
	w.kubectl(t, "create", "configmap", "theirs", "-n", string(id))
	uid := w.kubectl(t, "get", "namespace", string(id), "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion}")
	p, err := New(Config{REST: w.config, Namespace: "openecp-system", Lease: w.lease})
	require.NoError(t, err)
	w.manage(t, w.store, p)
	w.awaitReason(t, id, ecp.Abnormal, ecp.ReasonForeignOwner)
	w.do(t, id, ecp.Delete{})
	w.awaitGone(t, id)
	require.Equal(t, uid, w.kubectl(t, "get", "namespace", string(id), "-o",
		"jsonpath={.metadata.uid} {.metadata.resourceVersion}"))
	w.kubectl(t, "get", "configmap", "theirs", "-n", string(id))
}

// TestAPIServerAway does not run beside others: they would see it, too.
func TestAPIServerAway(t *testing.T) {
	w := newWorld(t, PodIP)
	running, stopped := w.create(t, "emqx-ee-5.8.9", 3), w.create(t, "emqx-ee-4.4.24", 1)
	w.await(t, stopped, ecp.Running)
	w.do(t, stopped, ecp.Stop{})
	w.await(t, running, ecp.Running)
	w.await(t, stopped, ecp.Stopped)
	claims := w.claims(t, running)
	histories := []func() []ecp.State{w.history(t, running), w.history(t, stopped)}

	away := time.Now()
	require.NoError(t, w.lab.StopAPIServer())
	for _, id := range []ecp.ID{running, stopped} {
		labtest.Eventually(t, settled, "stale", func(ctx context.Context) (bool, string) {
			info, err := w.get(ctx, id)
			return err == nil && !info.Status.StaleFrom.IsZero() &&
				ecp.ConditionOf(info.Status.Conditions, ecp.CondReady).Status == ecp.Unknown, describe(info, err)
		})
	}
	t.Logf("stale after %v", time.Since(away))
	w.do(t, stopped, ecp.Start{}) // asked for while nothing can be seen
	labtest.Eventually(t, settled, "30 s are over", func(context.Context) (bool, string) {
		return time.Since(away) > 30*time.Second, time.Since(away).String()
	})
	back := time.Now()
	require.NoError(t, w.lab.StartAPIServer(t.Context()))
	for _, id := range []ecp.ID{running, stopped} {
		info := w.await(t, id, ecp.Running)
		labtest.Eventually(t, settled, "fresh", func(ctx context.Context) (bool, string) {
			info, err := w.get(ctx, id)
			return err == nil && info.Status.StaleFrom.IsZero(), describe(info, err)
		})
		require.NotEqual(t, ecp.PhaseFailed, info.Status.Operation)
	}
	t.Logf("both as asked for %v after the API server was ready", time.Since(back))
	require.Equal(t, claims, w.claims(t, running))
	for _, s := range histories[0]() {
		require.Equal(t, ecp.Running, s, "the state is kept while nothing is seen")
	}
	require.NotContains(t, histories[1](), ecp.Abnormal)
}

// TestKilledAnywhere: the daemon is cut off at its n-th boundary after every
// command, before and after requests and writes, and the next one comes to the
// same end. The whole matrix runs on simulated clusters in package ecp.
func TestKilledAnywhere(t *testing.T) {
	for n := 1; n <= 8; n++ {
		t.Run(fmt.Sprint("at boundary ", n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, PodIP)
			name := fmt.Sprint("killed at ", n)
			w.killed(t, n, func(ctx context.Context) error {
				page, err := w.Clusters(ctx, ecp.ListOptions{})
				if err != nil || len(page.Items) > 0 {
					return err
				}
				_, _, err = w.Create(ctx, fleet.CreateRequest{Mode: ecp.Hosted, Name: name,
					Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 2, Connections: 1000}}})
				return err
			})
			page, err := w.Clusters(system(t.Context()), ecp.ListOptions{})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			id := page.Items[0].ID
			auth := w.await(t, id, ecp.Running).Status.Auth
			claims := w.claims(t, id)
			require.Len(t, claims, 2)

			w.killed(t, n, func(ctx context.Context) error { _, err := w.Cluster(id).Do(ctx, ecp.Stop{}); return err })
			w.await(t, id, ecp.Stopped)
			w.killed(t, n, func(ctx context.Context) error { _, err := w.Cluster(id).Do(ctx, ecp.Start{}); return err })
			info := w.await(t, id, ecp.Running)
			require.Equal(t, auth, info.Status.Auth)
			require.Equal(t, claims, w.claims(t, id))
			w.ledger(t, 1, 1000)

			w.killed(t, n, func(ctx context.Context) error {
				_,
					err := w.Cluster(id).Do(ctx, ecp.Delete{})
				return err
			})
			w.awaitGone(t, id)
			w.ledger(t, 0, 0)
			operations, err := w.Operations(system(t.Context()), id, fleet.OperationOptions{})
			require.NoError(t, err)
			succeeded := map[ecp.OperationKind]int{}
			for _, o := range operations.Items {
				require.Equal(t, ecp.PhaseSucceeded, o.Phase, "%+v", o)
				succeeded[o.Kind]++
			}
			require.Equal(t, map[ecp.OperationKind]int{ecp.OpCreate: 1, ecp.OpStop: 1, ecp.OpStart: 1, ecp.OpDelete: 1},
				succeeded)
		})
	}
}

// killed gives a command to a daemon that is cut off at its n-th boundary, and
// starts the next one, which is asked again where the first gave no answer.
func (w *world) killed(t *testing.T, n int, command func(context.Context) error) {
	t.Helper()
	w.stop()
	crasher := ecptest.NewCrasher()
	p, err := New(Config{REST: w.config, Namespace: "openecp-system", Lease: w.lease})
	require.NoError(t, err)
	w.manage(t, ecptest.NewFaultyStore(w.store, crasher), ecptest.NewFaultyProvisioner(p, crasher))
	crasher.Arm(n)
	if err := command(system(t.Context())); err != nil {
		require.ErrorIs(t, err, ecptest.ErrCrashed)
	}
	select {
	case <-crasher.Crashed():
	case <-time.After(settled):
		t.Fatalf("only these boundaries were crossed: %v", crasher.Points())
	}
	w.stop()
	p, err = New(Config{REST: w.config, Namespace: "openecp-system", Lease: w.lease})
	require.NoError(t, err)
	w.manage(t, w.store, p)
	err = command(system(t.Context()))
	if ecp.CodeOf(err) != ecp.CodeNotFound { // deleted already
		require.NoError(t, err)
	}
}

func (w *world) ledger(t testing.TB, clusters, connections int) {
	t.Helper()
	pool, err := w.Pool(system(t.Context()))
	require.NoError(t, err)
	require.Equal(t, [2]int{clusters, connections}, [2]int{pool.UsedClusters, pool.UsedConnections})
}

// TestSpreadWithoutZones: machines that have no zone are told apart all the same.
func TestSpreadWithoutZones(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	id := w.createSpec(t, ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 3, Connections: 1000,
		Placement: w.ownMachines(t, "zoneless", 3)})
	hosts := map[string]bool{}
	for _, n := range w.await(t, id, ecp.Running).Nodes {
		hosts[n.Host] = true
	}
	require.Len(t, hosts, 3, "%v", hosts)
}
