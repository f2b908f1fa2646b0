package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// The fleet of the benchmark. OPENECP_BENCH_FLEET=1000x1 makes it a thousand clusters of one node.
var fleetClusters, fleetNodes = 100, 3

// fleetDeadline is how long the fleet may take to come, and to go.
func fleetDeadline() time.Duration {
	return max(5*time.Minute, time.Duration(fleetClusters*fleetNodes)*time.Second)
}

// BenchmarkFleet makes 100 clusters of 3 at once beside a program that creates
// the same objects with client-go and 20 workers, before and after; then counts what an idle
// fleet costs; then takes a pod from every cluster over 30 s. Run it with
// -benchtime=1x. OPENECP_BENCH_IDLE is how long the fleet idles, 1m by default.
// OPENECP_BENCH_BARE=no leaves the other program out.
func BenchmarkFleet(b *testing.B) {
	if s := os.Getenv("OPENECP_BENCH_FLEET"); s != "" {
		_, err := fmt.Sscanf(s, "%dx%d", &fleetClusters, &fleetNodes)
		require.NoError(b, err, "OPENECP_BENCH_FLEET=%s", s)
	}
	idle := time.Minute
	if s := os.Getenv("OPENECP_BENCH_IDLE"); s != "" {
		var err error
		idle, err = time.ParseDuration(s)
		require.NoError(b, err)
	}
	lab := labtest.Start(b)
	labFleet(b, lab)
	admin := loaded(b, lab.Kubeconfig)
	pods := watchPods(b, admin)
	for b.Loop() {
		var bare time.Duration
		if os.Getenv("OPENECP_BENCH_BARE") != "no" {
			bare = createBare(b, lab, admin, pods)
			b.ReportMetric(bare.Seconds(), "s-bare")
			b.Logf("client-go with 20 workers: all pods ready after %v", bare)
		}

		w := newWorld(b, PodIP)
		before := w.requests.all()
		states := watchStates(b, w)
		begun := time.Now()
		for i := range fleetClusters {
			_, _, err := w.Create(system(b.Context()), fleet.CreateRequest{
				Mode: ecp.Hosted, Name: fmt.Sprint("fleet ", i),
				Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: fleetNodes, Connections: 1000}},
			})
			require.NoError(b, err)
		}
		states.all(b, ecp.Running)
		ours := time.Since(begun)
		requests := w.requests.since(before)
		b.ReportMetric(ours.Seconds(), "s-fleet")
		b.ReportMetric(float64(writes(requests))/float64(fleetClusters), "writes/cluster")
		b.Logf("a Manager: all running after %v; requests: %v", ours, requests)
		var lag []time.Duration
		for id, at := range states.times(ecp.Running) {
			lag = append(lag, at.Sub(pods.lastReady(string(id))))
		}
		report(b, lag, "running-after-pods-ready")

		// A full pass of a new process, and then nothing.
		w.stop()
		p, err := New(Config{REST: w.config, Namespace: "openecp-system", Lease: w.lease})
		require.NoError(b, err)
		before = w.requests.all()
		w.manage(b, w.store, p)
		labtest.Eventually(b, fleetDeadline(), "every cluster was looked at", func(context.Context) (bool, string) {
			s := w.Stats()
			return s.Applies >= uint64(fleetClusters) && s.Queue == 0, fmt.Sprintf("%+v", s)
		})
		pass := w.requests.since(before)
		b.ReportMetric(float64(writes(pass)), "writes-first-pass")
		b.Logf("first pass of a new process: %v", pass)
		before = w.requests.all()
		passes, idling := w.Stats().Passes, time.NewTimer(idle)
		<-idling.C
		quiet := w.requests.since(before)
		b.ReportMetric(float64(writes(quiet)), "writes-idle")
		b.ReportMetric(float64(verb(quiet, "list")), "lists-idle")
		b.Logf("%v idle: %d passes, requests: %v", idle, w.Stats().Passes-passes, quiet)

		lost := map[string]time.Time{}
		states = watchStates(b, w)
		tick := time.NewTicker(30 * time.Second / time.Duration(fleetClusters))
		client, err := kubernetes.NewForConfig(admin)
		require.NoError(b, err)
		for _, id := range w.ids(b) {
			<-tick.C
			require.NoError(b, client.CoreV1().Pods(string(id)).Delete(b.Context(),
				fmt.Sprint(id, "-emqx-", fleetNodes/2),
				metav1.DeleteOptions{}))
		}
		tick.Stop()
		without := ecp.Degraded
		if fleetNodes == 1 {
			without = ecp.Abnormal
		}
		states.all(b, without)
		labtest.Eventually(b, fleetDeadline(), "the benchmark's own watch has seen every loss",
			func(context.Context) (bool, string) {
				maps.Copy(lost, pods.lostAt())
				missing := slices.DeleteFunc(w.ids(b),
					func(id ecp.ID) bool { _, seen := lost[string(id)]; return seen })
				return len(missing) == 0, fmt.Sprint("not of ", missing)
			})
		var shown []time.Duration
		for id, at := range states.times(without) {
			shown = append(shown, at.Sub(lost[string(id)]))
		}
		report(b, shown, "pod-lost-shown")
		states.all(b, ecp.Running)
		for _, id := range w.ids(b) {
			w.do(b, id, ecp.Delete{})
		}
		states.all(b, ecp.Gone)

		if bare > 0 { // a control plane gets slower with what it has done before: the same again at the end
			again := createBare(b, lab, admin, pods)
			b.ReportMetric(again.Seconds(), "s-bare-again")
			b.Logf("client-go again: all pods ready after %v", again)
			b.ReportMetric(2*ours.Seconds()/(bare+again).Seconds(), "x-bare")
		}
	}
}

// createBare creates the objects of the fleet with plain requests, waits for
// its pods, and removes it.
func createBare(b *testing.B, lab *kubelab.Lab, admin *rest.Config, pods *podWatch) time.Duration {
	p, err := New(Config{REST: admin})
	require.NoError(b, err)
	ids := make(chan ecp.ID, fleetClusters)
	var all []ecp.ID
	for range fleetClusters {
		id := ecptest.NewID()
		all = append(all, id)
		ids <- id
	}
	close(ids)
	begun := time.Now()
	var workers sync.WaitGroup
	for range 20 {
		workers.Go(func() {
			for id := range ids {
				if err := bareCluster(b.Context(), p, id); err != nil {
					b.Error(err)
				}
			}
		})
	}
	workers.Wait()
	pods.awaitReady(b, all)
	took := time.Since(begun)
	for _, id := range all {
		_, _, err := lab.Do(b.Context(), "DELETE", "/api/v1/namespaces/"+string(id), nil)
		require.NoError(b, err)
	}
	labtest.Eventually(b, fleetDeadline(), "the bare clusters are gone", func(ctx context.Context) (bool, string) {
		out, err := lab.Kubectl(ctx, "", "get", "namespaces", "-l", labelCluster, "-o", "name")
		return err == nil && out == "", fmt.Sprint(strings.Count(out, "\n"), " left ", err)
	})
	return took
}

func bareCluster(ctx context.Context, p *Provisioner, id ecp.ID) error {
	d := desired("5.8.9")
	d.ID = id
	in, err := newInput(d, p.cfg)
	if err != nil {
		return err
	}
	f := clusterObjects{id: id}
	ns, err := newObject(namespace(in))
	if err != nil {
		return err
	}
	if err := errors.Join(p.createNamespace(ctx, &f, ns), p.createAuth(ctx, &f)); err != nil {
		return err
	}
	in.auth = f.auth
	objects, err := render(renderers, in)
	if err != nil {
		return err
	}
	for _, o := range objects[1:] {
		row := kinds[o.kind]
		if err := p.send(ctx, row.client(p.client).Post().Namespace(string(id)).Resource(row.resource).
			SetHeader("Content-Type", "application/json").Body(o.json()), nil); err != nil {
			return fmt.Errorf("%v: %w", o, err)
		}
	}
	return nil
}

// podWatch is the benchmark's own sight of the pods.
type podWatch struct {
	mu    sync.Mutex
	ready map[string]map[string]time.Time // by namespace and pod, when seen first
	lost  map[string]time.Time            // by namespace, when a pod was seen to go last
}

func watchPods(b *testing.B, c *rest.Config) *podWatch {
	c = rest.CopyConfig(c)
	c.QPS = -1
	client, err := kubernetes.NewForConfig(c)
	require.NoError(b, err)
	w := &podWatch{ready: map[string]map[string]time.Time{}, lost: map[string]time.Time{}}
	f := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = labelCluster }))
	see := func(o any) {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ready[pod.Namespace] == nil {
			w.ready[pod.Namespace] = map[string]time.Time{}
		}
		at, was := w.ready[pod.Namespace][pod.Name]
		switch {
		case ready(pod) && !was:
			w.ready[pod.Namespace][pod.Name] = time.Now()
		case !ready(pod) && was && !at.IsZero():
			delete(w.ready[pod.Namespace], pod.Name)
			w.lost[pod.Namespace] = time.Now()
		}
	}
	_, err = f.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: see, UpdateFunc: func(_, o any) { see(o) },
		DeleteFunc: func(o any) {
			if pod, ok := o.(*corev1.Pod); ok {
				pod = pod.DeepCopy()
				pod.Status.Conditions = nil
				see(pod)
			}
		},
	})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	b.Cleanup(func() { cancel(); f.Shutdown() })
	return w
}

func (w *podWatch) awaitReady(b *testing.B, ids []ecp.ID) {
	labtest.Eventually(b, fleetDeadline(), "all pods are ready", func(context.Context) (bool, string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		n := 0
		for _, id := range ids {
			n += len(w.ready[string(id)])
		}
		return n == len(ids)*fleetNodes, fmt.Sprint(n, " ready")
	})
}

func (w *podWatch) lastReady(namespace string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.MaxFunc(slices.Collect(maps.Values(w.ready[namespace])), time.Time.Compare)
}

func (w *podWatch) lostAt() map[string]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.lost)
}

// stateWatch is when each cluster came into each state.
type stateWatch struct {
	mu   sync.Mutex
	seen map[ecp.State]map[ecp.ID]time.Time
}

func watchStates(b *testing.B, w *world) *stateWatch {
	s := &stateWatch{seen: map[ecp.State]map[ecp.ID]time.Time{}}
	var from int64
	require.NoError(b, w.store.Read(b.Context(), func(tx ecp.Tx) (err error) { from, err = tx.Seq(); return err }))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for c, err := range w.store.Changes(ctx, from) {
			r, ok := c.Payload.(ecp.ClusterRecord)
			if err != nil || !ok {
				continue
			}
			s.mu.Lock()
			if s.seen[r.Status.State] == nil {
				s.seen[r.Status.State] = map[ecp.ID]time.Time{}
			}
			if _, twice := s.seen[r.Status.State][r.ID]; !twice {
				s.seen[r.Status.State][r.ID] = time.Now()
			}
			s.mu.Unlock()
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *stateWatch) times(state ecp.State) map[ecp.ID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.seen[state])
}

func (s *stateWatch) all(b *testing.B, state ecp.State) {
	labtest.Eventually(b, fleetDeadline(), "all are "+string(state), func(context.Context) (bool, string) {
		n := len(s.times(state))
		return n == fleetClusters, fmt.Sprint(n, " are")
	})
}

func (w *world) ids(b *testing.B) (ids []ecp.ID) {
	for o := (ecp.ListOptions{Limit: ecp.MaxListLimit}); ; {
		page, err := w.Clusters(system(b.Context()), o)
		require.NoError(b, err)
		for _, i := range page.Items {
			ids = append(ids, i.ID)
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			return ids
		}
	}
}

func verb(requests map[string]int, verb string) int {
	sum := 0
	for k, v := range requests {
		if strings.HasPrefix(k, verb+" ") {
			sum += v
		}
	}
	return sum
}

// report gives median and maximum in milliseconds.
func report(b *testing.B, d []time.Duration, name string) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Milliseconds()), "ms-"+name+"-p50")
	b.ReportMetric(float64(d[len(d)-1].Milliseconds()), "ms-"+name+"-max")
	b.Logf("%s: p50 %v max %v of %d", name, d[len(d)/2], d[len(d)-1], len(d))
}
