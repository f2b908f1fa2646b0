package k8sprovisioner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// changing is a running cluster with a Manager of its own that is changed.
type changing struct {
	*testing.T
	*world
	id   ecp.ID
	pods *podDiary
}

// newChanging makes a cluster of an image that need not be in the catalogue.
func newChanging(t *testing.T, version string, nodes int) *changing {
	c := &changing{T: t, world: newWorld(t, PodIP)}
	c.image(version)
	c.id = c.create(t, "t-"+version, nodes)
	c.await(t, c.id, ecp.Running)
	c.pods = keepDiary(t, c.lab.Kubeconfig, string(c.id))
	return c
}

func (c *changing) image(version string) {
	c.Helper()
	reference := "emqx/emqx-enterprise:" + version
	if strings.HasPrefix(version, "4.") {
		reference = "emqx/emqx-ee:" + version
	}
	_, err := c.Catalog.Images.Create(system(c.Context()),
		ecp.Image{ID: "t-" + version, Reference: reference, Version: version}, "")
	require.NoError(c, err)
}

// change does a command to its end and gives the cluster as it is then. It may
// take so many writes, and nothing is written afterwards.
func (c *changing) change(what string, cmd ecp.Command, most int) ecp.Info {
	c.Helper()
	before, begun := c.requests.all(), time.Now()
	o := c.do(c.T, c.id, cmd)
	c.ends(o)
	info := c.awaitSettled()
	requests := c.requests.since(before)
	c.Logf("%s took %v and %d writes: %v", what, time.Since(begun).Round(100*time.Millisecond), writes(requests),
		requests)
	require.LessOrEqual(c, writes(requests), most, "%s: %v", what, requests)
	require.Zero(c, requests["delete pods"], "healthy pods go through the Eviction API")
	return info
}

// awaitSettled waits until a running cluster has nothing left to do: nodes may all
// run again while their volumes still grow.
func (c *changing) awaitSettled() (info ecp.Info) {
	c.Helper()
	labtest.Eventually(c, settled, "it is settled", func(ctx context.Context) (bool, string) {
		var err error
		info, err = c.get(ctx, c.id)
		is := ecp.ConditionOf(info.Status.Conditions, ecp.CondSettled)
		return err == nil && info.Status.State == ecp.Running && is.Status == ecp.True,
			fmt.Sprintf("%+v; %s", is, describe(info, err))
	})
	return info
}

func (c *changing) patch(what, spec string, most int) ecp.Info {
	c.Helper()
	return c.change(what+" "+spec, ecp.Update{Patch: json.RawMessage(spec)}, most)
}

func (c *changing) ends(o ecp.Operation) {
	c.Helper()
	labtest.Eventually(c, 2*settled, string(o.Kind)+" has ended", func(ctx context.Context) (bool, string) {
		now, err := c.Operation(system(ctx), o.ID)
		info, _ := c.get(ctx, c.id)
		if err == nil && now.Phase.Final() {
			o = now
			return true, ""
		}
		return false, fmt.Sprintf("%+v %v; %s", now, err, describe(info, nil))
	})
	require.Equal(c, ecp.PhaseSucceeded, o.Phase, "%+v", o)
}

// settledDown: neither this Manager nor one that begins anew writes anything.
func (c *changing) settledDown() {
	c.Helper()
	before := c.requests.all()
	passes := c.Stats().Passes
	c.kubectl(c, "annotate", "statefulset", "--all", "-n", string(c.id), "example.com/note=by-somebody")
	labtest.Eventually(c, settled, "it was looked at again", func(context.Context) (bool, string) {
		return c.Stats().Passes > passes, fmt.Sprint(c.Stats())
	})
	c.stop()
	p, err := New(Config{REST: c.config, Namespace: "openecp-system"})
	require.NoError(c, err)
	c.manage(c.T, c.store, p)
	labtest.Eventually(c, settled, "it was looked at by another process", func(ctx context.Context) (bool, string) {
		info, err := c.get(ctx, c.id)
		s := c.Stats()
		return err == nil && s.Applies > 0 && s.Queue == 0 && !info.LookedAt.IsZero() &&
			info.ReadyNodes == info.Spec.Hosted.Nodes, describe(info, err)
	})
	require.Zero(c, writes(c.requests.since(before)), "%v", c.requests.since(before))
}

// onlyClaims waits until these claims are left and no other: their end is asked
// for, and takes a moment.
func (c *changing) onlyClaims(want []string) {
	c.Helper()
	labtest.Eventually(c, settled, "the claims of nodes that have left are gone", func(context.Context) (bool, string) {
		is := c.claims(c, c.id)
		return slices.Equal(want, is), fmt.Sprint(is)
	})
}

// service reads the access Service.
func (c *changing) service() corev1.Service {
	c.Helper()
	var s corev1.Service
	require.NoError(c, json.Unmarshal([]byte(c.kubectl(c, "get", "service", string(c.id)+"-emqx", "-n", string(c.id),
		"-o", "json")), &s))
	return s
}

// clients lets some connect, and gives a function that waits until all are.
func (c *changing) clients(n int) (all func()) {
	sim := c.world.pods.Cluster(string(c.id))
	sim.AddClients(emqxsim.Clients{Name: "c", Count: n, Persistent: true})
	all = func() {
		c.Helper()
		labtest.Eventually(c, settled, "all clients are connected", func(context.Context) (bool, string) {
			u := sim.Usage()
			return u.Connected == n, fmt.Sprintf("%+v", u)
		})
		require.Zero(c, sim.Usage().Lost, "sessions that ended with a node: it had not been emptied")
	}
	all()
	return all
}

func (c *changing) versions(info ecp.Info) (out []string) {
	for _, n := range info.Nodes {
		require.True(c, n.Member && n.Ready && !n.Outdated, "%+v", n)
		out = append(out, n.Version)
	}
	return out
}

// templateChanged waits until nodes are said to be of an older pod template.
func (c *changing) templateChanged(when string) {
	c.Helper()
	labtest.Eventually(c, settled, "UpToDate is false "+when, func(ctx context.Context) (bool, string) {
		info, err := c.get(ctx, c.id)
		is := ecp.ConditionOf(info.Status.Conditions, ecp.CondUpToDate)
		return err == nil && is.Status == ecp.False && is.Reason == ecp.ReasonTemplateChanged &&
			info.Status.State == ecp.Running, describe(info, err)
	})
}

func podUIDs(info ecp.Info) (out []string) {
	for _, n := range info.Nodes {
		out = append(out, n.PodUID)
	}
	return out
}

// podDiary is what happened to the pods of one namespace.
type podDiary struct {
	mu      sync.Mutex
	serving map[string]bool // guarded by mu; ready and not going, by UID
	going   map[string]bool // guarded by mu; by UID
	fewest  int             // guarded by mu; that served at once
	ended   int             // guarded by mu; whose end was asked for
}

func keepDiary(t *testing.T, kubeconfig, namespace string) *podDiary {
	t.Helper()
	client, err := kubernetes.NewForConfig(loaded(t, kubeconfig))
	require.NoError(t, err)
	d := &podDiary{serving: map[string]bool{}, going: map[string]bool{}}
	f := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = labelCluster }))
	_, err = f.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: d.see, UpdateFunc: func(_, o any) { d.see(o) }, DeleteFunc: d.gone,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	t.Cleanup(func() { cancel(); f.Shutdown() })
	return d
}

func (d *podDiary) see(o any) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := string(pod.UID)
	if pod.DeletionTimestamp != nil && !d.going[id] {
		d.going[id] = true
		d.ended++
	}
	d.note(id, ready(pod))
}

func (d *podDiary) gone(o any) {
	if pod, ok := o.(*corev1.Pod); ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.note(string(pod.UID), false)
	}
}

// note takes down whether a pod serves; the caller holds d.mu.
func (d *podDiary) note(id string, serves bool) {
	delete(d.serving, id)
	if serves {
		d.serving[id] = true
	}
	d.fewest = min(d.fewest, len(d.serving))
}

// begin forgets what was.
func (d *podDiary) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fewest, d.ended = len(d.serving), 0
}

func (d *podDiary) read() (fewest, ended int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fewest, d.ended
}

// TestChangesOnKubernetes takes clusters through every change, under the shipped
// rights.
func TestChangesOnKubernetes(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"nodes and network": nodesAndNetwork, "what pods are made of": whatPodsAreMadeOf,
		"all at once on 4.4": allAtOnce4,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func nodesAndNetwork(t *testing.T) {
	c := newChanging(t, "5.8.5", 2)
	clusterIP, claims := c.service().Spec.ClusterIP, c.claims(t, c.id)
	two := c.await(t, c.id, ecp.Running)

	// What EMQX takes while it runs is told to it, and written where nodes find it when they start: in a Secret, whose
	// hash the ConfigMap has. The StatefulSet has the generation.
	template := func() string {
		return c.kubectl(t, "get", "statefulset", "--all-namespaces", "-o",
			"jsonpath={.items[?(@.metadata.namespace==\""+string(c.id)+"\")].spec.template}")
	}
	before := template()
	told := c.patch("a setting at run time", `{"config":{"mqtt.max_packet_size":"2MB"}}`, 3)
	require.Equal(t, podUIDs(two), podUIDs(told), "no pod is replaced")
	require.Equal(t, before, template())
	require.Contains(t, c.kubectl(t, "get", "secret", string(c.id)+"-settings", "-n", string(c.id), "-o",
		`go-template={{index .data "run-time.conf" | base64decode}}`), `mqtt.max_packet_size = "2MB"`)
	out := c.patch("and without it again", `{"config":{"mqtt.max_packet_size":null}}`, 3)
	require.Equal(t, podUIDs(two), podUIDs(out))
	require.Equal(t, before, template())

	// Each node has another share of the connections: its configuration is written, too.
	three := c.patch("scale out", `{"nodes":3}`, 2)
	require.Len(t, c.versions(three), 3)
	require.Equal(t, podUIDs(two), podUIDs(three)[:2], "the nodes that were there go on")
	all := c.claims(t, c.id)
	require.Len(t, all, 3)
	require.Subset(t, all, claims)

	open := c.patch("open", `{"network":{"type":"NodePort"}}`, 2)
	require.Len(t, open.Endpoints.External, 4)
	require.Equal(t, podUIDs(three), podUIDs(open))

	in := c.patch("scale in", `{"nodes":2}`, 4)
	require.Len(t, c.versions(in), 2)
	c.onlyClaims(claims)
	require.Nil(t, c.world.pods.Cluster(string(c.id)).Node(three.Nodes[2].Name), "the third is no member any more")
	require.Equal(t, open.Endpoints, in.Endpoints, "addresses stay")
	require.Equal(t, podUIDs(two), podUIDs(in))

	c.kubectl(t, "rollout", "restart", "statefulset", string(c.id)+"-emqx", "-n", string(c.id))
	c.templateChanged("after it was changed by hand")
	_, err := c.Cluster(c.id).Do(system(t.Context()),
		ecp.Update{Patch: json.RawMessage(`{"network":{"annotations":{"a b":"c"}}}`)})
	require.ErrorIs(t, err, ecp.ErrInvalid)
	plan, err := c.Cluster(c.id).Plan(system(t.Context()), ecp.Update{Patch: json.RawMessage(`{"connections":900}`)})
	require.NoError(t, err)
	require.Contains(t, strings.Join(plan.Notes, "\n"), "2 nodes run on an older pod template")
	require.Empty(t, plan.Nodes.Replaced)
	require.Equal(t, podUIDs(two), podUIDs(c.patch("book less", `{"connections":900}`, 2)),
		"that is no reason to replace nodes")
	c.templateChanged("and stays so")

	again := c.patch("scale out again", `{"nodes":3}`, 2)
	require.Len(t, again.Nodes, 3)
	for _, claim := range c.claims(t, c.id) {
		require.False(t, slices.Contains(all, claim) && !slices.Contains(claims, claim), "%s had been left behind",
			claim)
	}
	require.Equal(t, open.Endpoints, again.Endpoints, "addresses stay")

	closed := c.patch("close", `{"network":{"type":"ClusterIP"}}`, 2)
	require.Equal(t, two.Endpoints, closed.Endpoints)
	require.Equal(t, podUIDs(again), podUIDs(closed))
	s := c.service()
	require.Equal(t, clusterIP, s.Spec.ClusterIP, "the address inside is the same ever since")
	for _, p := range s.Spec.Ports {
		require.Zero(t, p.NodePort, "it is not open any more")
	}

	c.ends(c.do(t, c.id, ecp.Stop{}))
	c.ends(c.do(t, c.id, ecp.Update{Patch: json.RawMessage(`{"nodes":2}`)}))
	require.Len(t, c.claims(t, c.id), 3, "data are kept while nothing runs")
	started := c.change("start with fewer nodes", ecp.Start{}, 3)
	require.Len(t, c.versions(started), 2)
	c.onlyClaims(claims)
	c.settledDown()
}

func whatPodsAreMadeOf(t *testing.T) {
	c := newChanging(t, "5.8.1", 3)
	c.image("5.8.5")
	claims, endpoints := c.claims(t, c.id), c.await(t, c.id, ecp.Running).Endpoints
	connected := c.clients(9)
	before := c.await(t, c.id, ecp.Running)
	for _, change := range []struct {
		name string
		cmd  ecp.Command
		is   string // what shows on every pod that it was done
		grow int    // volumes that are written to
	}{
		{"image", ecp.Update{Patch: json.RawMessage(`{"image":"t-5.8.5"}`)}, "emqx/emqx-enterprise:5.8.5", 0},
		{"size", ecp.Update{Patch: json.RawMessage(`{"size":"2C4G"}`)}, "4Gi", 3},
		{"restart", ecp.Restart{}, `"openecp.io/restarts":"1"`, 0},
	} {
		c.pods.begin()
		// an eviction may be refused until the budget has seen the last one's end
		after := c.change(change.name, change.cmd, 1+3+3+change.grow)
		require.Equal(t, []string{"5.8.5", "5.8.5", "5.8.5"}, c.versions(after))
		fewest, ended := c.pods.read() // a notice of a second is too short for probes to see it: TestProbesSeeANotice
		require.Equal(t, 2, fewest, "one node is away at a time")
		require.GreaterOrEqual(t, ended, 3) // Kubernetes may end one more while it gets over an outage
		connected()
		for _, n := range after.Nodes {
			require.NotContains(t, podUIDs(before), n.PodUID)
			require.Contains(t, c.kubectl(t, "get", "pod", n.Pod, "-n", string(c.id), "-o", "json"),
				strings.ReplaceAll(change.is, `":"`, `": "`))
		}
		require.Equal(t, claims, c.claims(t, c.id))
		require.Equal(t, endpoints, after.Endpoints, "addresses stay")
		before = after
	}
	c.settledDown()
}

// allAtOnce4: an EMQX whose readiness does not tell of an evacuation becomes one
// whose does, and has fewer nodes.
func allAtOnce4(t *testing.T) {
	c := newChanging(t, "4.4.19", 3)
	c.image("4.4.24")
	claims := c.claims(t, c.id)
	connected := c.clients(9)
	c.pods.begin()
	// the claims grow, that of the node that leaves, too
	after := c.patch("image, size, network and nodes",
		`{"image":"t-4.4.24","size":"2C4G","nodes":2,"network":{"type":"NodePort"}}`, 2+2+2+2+3)
	require.Equal(t, []string{"4.4.24", "4.4.24"}, c.versions(after))
	fewest, ended := c.pods.read()
	require.Equal(t, 1, fewest, "of two, one is away at a time")
	require.GreaterOrEqual(t, ended, 3) // here, too, Kubernetes may end one more of its own
	connected()
	c.onlyClaims(claims[:2])
	require.Len(t, after.Endpoints.External, 4)
	require.Equal(t, []string{"20Gi", "20Gi"}, c.capacities(c.id))
	c.balancers()
	c.settledDown()
}

// balancers: what the API server will never take is refused in its own words,
// and nothing of it is stored.
func (c *changing) balancers() {
	c.patch("open to a load balancer", `{"network":{"type":"LoadBalancer","loadBalancerClass":"example.com/first"}}`, 2)
	before := c.await(c, c.id, ecp.Running)
	second := ecp.Update{Patch: json.RawMessage(`{"network":{"loadBalancerClass":"example.com/second"}}`)}
	_, planned := c.Cluster(c.id).Plan(system(c.Context()), second)
	_, err := c.Cluster(c.id).Do(system(c.Context()), second)
	for _, err := range []error{planned, err} {
		require.ErrorIs(c, err, ecp.ErrInvalid)
		require.ErrorContains(c, err, "spec.network.loadBalancerClass: Kubernetes says: ")
		require.ErrorContains(c, err, "may not change once set")
	}
	require.Equal(c, before.Revision, c.await(c, c.id, ecp.Running).Revision)
}

func (c *changing) capacities(id ecp.ID) (out []string) {
	info, err := c.get(c.Context(), id)
	require.NoError(c, err)
	for _, v := range info.Volumes {
		require.Empty(c, v.Pending)
		out = append(out, v.Capacity)
	}
	return out
}
