package podsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Label selects the pods that get a process: those kwok leaves unready.
const Label = "openecp.io/cluster"

// LogPort is where the lab's kubelet fetches the log of a pod with the label:
// the process serves it, with the query of the kubelet's own call, if it has
// one. The kubelet program in tools names the same port.
const LogPort = 10255

// Factory makes the process of a pod. It is called once per start, from a
// goroutine of the pod's own; ctx ends with the process. An error is a process
// that exited at once: the container goes into CrashLoopBackOff and is tried
// again, with growing pauses.
type Factory func(ctx context.Context, p Pod) (Process, error)

// Process is what runs in a pod. Ports that the container does not name are
// served too.
type Process struct {
	// HTTP is served at each port. A handler must return when its request's
	// context ends: the end of the process waits for it.
	HTTP map[int]http.Handler
	// TCP lists ports that accept connections and discard what they read. They
	// answer only if Clients has a function for the port.
	TCP []int
	// Clients has the function that serves a connection to a port of TCP. It must
	// return when the connection ends.
	Clients map[int]func(net.Conn)
	// Ended yields one error when the process ends by itself: the container is then
	// restarted as after a failure of the Factory. A nil Ended is for a process that
	// never does.
	Ended <-chan error
	// Exit is called once, after the last connection is closed and before a
	// successor of the same name is made. It may be nil.
	Exit func()
}

// Config tells which pods are simulated, and how.
type Config struct {
	// REST is the administrator's way to the API server. Required.
	REST *rest.Config
	// Factory makes the processes. Required.
	Factory Factory
	// Selector selects the pods that get a process, by their labels. An empty
	// Selector selects those with Label.
	Selector string
	// ProbeEvery is the time between two probes. Zero means the probe's own period,
	// but at most 500 ms. While the results of a probe differ from the pod's
	// status, the time is a fifth of that.
	ProbeEvery time.Duration
	// RestartAfter is the time after which a killed process is restarted, as by the
	// kubelet. Zero means that it is not restarted.
	RestartAfter time.Duration
	// NamespaceGone is called when a namespace with the label is gone and its
	// processes have ended. It may be nil.
	NamespaceGone func(name string)
	// Logger gets what goes wrong. Without one nothing is logged.
	Logger *slog.Logger
}

// Sim runs the processes. Its methods may be called from any goroutine.
type Sim struct {
	cfg    Config
	log    *slog.Logger
	http   *http.Client // to the API server
	client kubernetes.Interface
	prober *http.Client

	mu      sync.Mutex
	workers map[types.NamespacedName]*worker // guarded by mu; one per living pod
	pending map[string]string                // guarded by mu; by namespace, see HoldResizes
	running sync.WaitGroup                   // of workers and calls of NamespaceGone
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Sim, error) {
	if cfg.REST == nil || cfg.Factory == nil {
		return nil, errors.New("podsim: Config.REST and Config.Factory are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Selector = cmp.Or(cfg.Selector, Label)
	to, err := clientConfig(cfg.REST)
	if err != nil {
		return nil, fmt.Errorf("podsim: %w", err)
	}
	s := &Sim{cfg: cfg, log: cfg.Logger, prober: newProber(), workers: map[types.NamespacedName]*worker{},
		pending: map[string]string{}}
	if s.http, err = rest.HTTPClientFor(to); err != nil {
		return nil, fmt.Errorf("podsim: %w", err)
	}
	if s.client, err = kubernetes.NewForConfigAndClient(to, s.http); err != nil {
		return nil, fmt.Errorf("podsim: %w", err)
	}
	return s, nil
}

// clientConfig returns a copy of c without client-go's rate limit and with the
// protobuf encoding. It contains the certificates themselves: client-go would read
// files again and again in a goroutine that cannot be stopped.
func clientConfig(c *rest.Config) (*rest.Config, error) {
	c = rest.CopyConfig(c)
	if err := rest.LoadTLSFiles(c); err != nil {
		return nil, err
	}
	c.CAFile, c.CertFile, c.KeyFile = "", "", ""
	c.QPS, c.Burst, c.RateLimiter = -1, -1, nil
	c.UserAgent = "podsim"
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return c, nil
}

// Run simulates until ctx ends, then ends every process and returns nil. During
// an outage of the API server processes go on, and statuses are written later.
// It must be called once.
func (s *Sim) Run(ctx context.Context) error {
	defer utilnet.CloseIdleConnectionsFor(s.http.Transport)
	defer s.prober.CloseIdleConnections()
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(s.client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = s.cfg.Selector }),
		informers.WithTransform(strip))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.see(ctx, o) },
		UpdateFunc: func(_, o any) { s.see(ctx, o) },
		DeleteFunc: s.gone,
	})
	if err == nil {
		claims := factory.Core().V1().PersistentVolumeClaims().Informer()
		_, err = claims.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { s.resize(ctx, o) },
			UpdateFunc: func(_, o any) { s.resize(ctx, o) },
		})
	}
	if err == nil && s.cfg.NamespaceGone != nil {
		_, err = factory.Core().V1().Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			DeleteFunc: s.namespaceGone,
		})
	}
	if err == nil {
		factory.Start(ctx.Done())
		<-ctx.Done()
	}
	cancel()
	factory.Shutdown() // no event comes after it
	s.running.Wait()
	return err
}

// strip drops the managed fields, which take half of a pod's memory and are not used.
func strip(o any) (any, error) {
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return o, nil
}

// see starts a worker for a pod that runs, and ends the one of a pod that does not.
func (s *Sim) see(ctx context.Context, o any) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		s.gone(pod)
		return
	}
	if pod.Status.PodIP == "" || len(pod.Status.ContainerStatuses) == 0 || ctx.Err() != nil {
		return
	}
	key := keyOf(pod)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.workers[key]
	if old != nil && old.pod.UID == pod.UID {
		old.respecified(specOf(pod))
		return
	}
	w := newWorker(s, pod)
	if old != nil {
		w.before = old.done
		old.cancel()
	}
	ctx, w.cancel = context.WithCancel(ctx)
	s.workers[key] = w
	s.running.Go(func() { w.run(ctx) })
}

// gone ends a pod's process. It does not wait for the end, since the events of
// other pods come from the same goroutine.
func (s *Sim) gone(o any) {
	if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = d.Obj
	}
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.workers[keyOf(pod)]; w != nil && w.pod.UID == pod.UID {
		w.cancel() // forget takes it out when it has ended
	}
}

// forget removes a worker that has ended, unless it has a successor.
func (s *Sim) forget(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.workers[keyOf(w.pod)] == w {
		delete(s.workers, keyOf(w.pod))
	}
}

func (s *Sim) namespaceGone(o any) {
	if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = d.Obj
	}
	ns, ok := o.(*corev1.Namespace)
	if !ok {
		return
	}
	var left []*worker
	s.mu.Lock()
	for key, w := range s.workers {
		if key.Namespace == ns.Name { // their own events may come later
			w.cancel()
			left = append(left, w)
		}
	}
	s.mu.Unlock()
	s.running.Go(func() {
		for _, w := range left {
			<-w.done
		}
		s.cfg.NamespaceGone(ns.Name)
	})
}

// Kill ends the process of a pod and returns when it no longer answers. It is not
// started again before Revive, Restart or the pod's replacement.
func (s *Sim) Kill(namespace, pod string) error { return s.tell(namespace, pod, (*worker).kill) }

// Revive makes a killed process answer again, as if the container had never
// ended. A process that runs is left alone.
func (s *Sim) Revive(namespace, pod string) error { return s.tell(namespace, pod, (*worker).revive) }

// Restart ends the process, if it runs, and starts it again as the kubelet does:
// the container's count of restarts grows by one.
func (s *Sim) Restart(namespace, pod string) error { return s.tell(namespace, pod, (*worker).restart) }

// tell calls do with the worker of a pod.
func (s *Sim) tell(namespace, pod string, do func(*worker)) error {
	s.mu.Lock()
	w := s.workers[types.NamespacedName{Namespace: namespace, Name: pod}]
	s.mu.Unlock()
	if w == nil {
		return fmt.Errorf("podsim: pod %s/%s does not run (or is not selected by %s)", namespace, pod, s.cfg.Selector)
	}
	do(w)
	return nil
}

func keyOf(p *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}
