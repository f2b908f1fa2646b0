package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// firstListTimeout is how long a call waits for the first lists after the provisioner
// was created: a restart is not an outage.
const firstListTimeout = 10 * time.Second

// watchState holds the informers while the API server answers.
type watchState struct {
	probeNow chan struct{} // requests a probe at once

	mu        sync.Mutex
	informers *informerSet  // nil during an outage
	outage    string        // why there are no informers; empty before the first lists
	changed   chan struct{} // closed and replaced at every change
}

func newWatchState() *watchState {
	return &watchState{probeNow: make(chan struct{}, 1), changed: make(chan struct{})}
}

func (e *watchState) set(s *informerSet, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.informers, e.outage = s, why
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *watchState) resume(s *informerSet) { e.set(s, "") }
func (e *watchState) suspend(why string)    { e.set(nil, why) }

// reportFailure records why the first lists do not succeed.
func (e *watchState) reportFailure(why string) {
	e.mu.Lock()
	blind := e.informers == nil
	e.mu.Unlock()
	if blind {
		e.suspend(why)
	}
}

// requestProbe requests a probe of the API server at once.
func (e *watchState) requestProbe() {
	select {
	case e.probeNow <- struct{}{}:
	default:
	}
}

// current returns the informers, or an unavailable error during an outage.
func (e *watchState) current(ctx context.Context, op string) (*informerSet, error) {
	ctx, cancel := context.WithTimeout(ctx, firstListTimeout)
	defer cancel()
	for {
		e.mu.Lock()
		s, why, changed := e.informers, e.outage, e.changed
		e.mu.Unlock()
		if s != nil {
			return s, nil
		}
		if why != "" {
			return nil, unavailable(op, why)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, unavailable(op, "nothing is seen of Kubernetes yet: Watch has only begun, or is not running")
		}
	}
}

// informerSet is one set of informers for all objects with our label.
type informerSet struct {
	informers []cache.SharedIndexInformer
	caches    map[string]cache.Indexer // by kind
	writes    *writeCache
}

// newInformers creates informers, which run when they are started. Every event wakes the
// cluster it belongs to.
func (p *Provisioner) newInformers(wake func(ecp.ID)) *informerSet {
	s := &informerSet{caches: map[string]cache.Indexer{}, writes: p.writes}
	for kind, row := range kinds {
		of := cache.NewFilteredListWatchFromClient(row.client(p.client), row.resource, metav1.NamespaceAll,
			func(o *metav1.ListOptions) { o.LabelSelector = labelCluster })
		i := cache.NewSharedIndexInformer(of, row.empty(), 0,
			cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		s.informers, s.caches[kind] = append(s.informers, i), i.GetIndexer()
		_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { wakeFor(o, wake) },
			UpdateFunc: func(_, o any) { wakeFor(o, wake) },
			DeleteFunc: func(o any) { s.writes.removed(kind, o); wakeFor(o, wake) },
		})
		err = errors.Join(err, i.SetTransform(slim), i.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
			p.watch.requestProbe()
			p.watch.reportFailure(ecp.MessageOf(failure("watch "+row.resource, err)))
		}))
		if err != nil {
			panic(fmt.Sprintf("prepare the watch of %s: %v", row.resource, err)) // fails only for an informer that runs
		}
	}
	return s
}

// run runs the informers until ctx ends. Those that it starts are counted in group.
func (s *informerSet) run(ctx context.Context, group *sync.WaitGroup) {
	for _, i := range s.informers {
		group.Go(func() { i.Run(ctx.Done()) })
	}
}

// synced waits for the first lists of all. It returns false if ctx ends before.
func (s *informerSet) synced(ctx context.Context) bool {
	for _, i := range s.informers {
		if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
			return false
		}
	}
	return true
}

// slim drops the managed fields, which are large, and keeps a mark of the one thing that
// is read from them.
func slim(o any) (any, error) {
	if pod, ok := o.(*corev1.Pod); ok {
		markResized(pod)
	}
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return o, nil
}

// wakeFor wakes the cluster that an object belongs to.
func wakeFor(o any, wake func(ecp.ID)) {
	if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = d.Obj
	}
	if m, ok := o.(metav1.Object); ok {
		if id := ecp.ID(m.GetLabels()[labelCluster]); id.Valid() {
			wake(id)
		}
	}
}

// get returns an object with our label, or nil if there is none.
func (s *informerSet) get(kind, namespace, name string) live {
	var cached live
	if o, ok, _ := s.caches[kind].GetByKey(cacheKey(namespace, name)); ok {
		cached, _ = o.(live)
	}
	return s.writes.newer(kind, namespace, name, cached)
}

// list returns the objects of a kind in a namespace, in no order. It is for kinds that
// this package does not write.
func (s *informerSet) list(kind, namespace string) []any {
	list, err := s.caches[kind].ByIndex(cache.NamespaceIndex, namespace)
	if err != nil {
		panic(err) // the index does not exist
	}
	return list
}

func cacheKey(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
