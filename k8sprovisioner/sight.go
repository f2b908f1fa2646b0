package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/openecp/openecp/ecp"
)

// startPatience is how long a call waits for the first sight after the
// provisioner was made: a restart is no outage.
const startPatience = 10 * time.Second

// eyes holds what is seen of Kubernetes now, if anything is.
type eyes struct {
	doubt chan struct{} // asks for a probe at once

	mu      sync.Mutex
	sight   *sight        // nil = nothing is seen
	why     string        // why not; "" = it has only begun
	changed chan struct{} // closed and replaced at every change
}

func newEyes() *eyes { return &eyes{doubt: make(chan struct{}, 1), changed: make(chan struct{})} }

func (e *eyes) set(s *sight, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sight, e.why = s, why
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *eyes) open(s *sight)    { e.set(s, "") }
func (e *eyes) close(why string) { e.set(nil, why) }

// complain says why a sight that is to begin does not.
func (e *eyes) complain(why string) {
	e.mu.Lock()
	blind := e.sight == nil
	e.mu.Unlock()
	if blind {
		e.close(why)
	}
}

// question asks for a probe at once.
func (e *eyes) question() {
	select {
	case e.doubt <- struct{}{}:
	default:
	}
}

// look gives what is seen; unavailable if nothing is.
func (e *eyes) look(ctx context.Context, op string) (*sight, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		e.mu.Lock()
		s, why, changed := e.sight, e.why, e.changed
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

// sight is one set of watches on everything with our label.
type sight struct {
	factory informers.SharedInformerFactory
	caches  map[string]cache.Indexer // by kind
	written *written
}

// newSight prepares the watches; nothing runs before its factory is started.
// Every event wakes the cluster it belongs to.
func (p *Provisioner) newSight(wake func(ecp.ID)) *sight {
	f := informers.NewSharedInformerFactoryWithOptions(p.client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = labelCluster }),
		informers.WithTransform(slim))
	s := &sight{factory: f, caches: map[string]cache.Indexer{}, written: p.written}
	for kind, row := range kinds {
		i := row.informer(f)
		s.caches[kind] = i.GetIndexer()
		_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { wakeFor(o, wake) },
			UpdateFunc: func(_, o any) { wakeFor(o, wake) },
			DeleteFunc: func(o any) { s.written.removed(kind, o); wakeFor(o, wake) },
		})
		err = errors.Join(err, i.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
			p.eyes.question()
			p.eyes.complain(ecp.MessageOf(failure("watch "+row.resource, err)))
		}))
		if err != nil {
			panic(fmt.Sprintf("prepare the watch of %s: %v", row.resource, err)) // only once it runs
		}
	}
	return s
}

// slim drops what is large and never read.
func slim(o any) (any, error) {
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return o, nil
}

// wakeFor wakes the cluster an object belongs to.
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

// get gives an object with our label; nil if there is none.
func (s *sight) get(kind, namespace, name string) live {
	var cached live
	if o, ok, _ := s.caches[kind].GetByKey(cacheKey(namespace, name)); ok {
		cached, _ = o.(live)
	}
	return s.written.newer(kind, namespace, name, cached)
}

// list gives the objects of a kind in a namespace, in no order. Only for kinds
// we do not write.
func (s *sight) list(kind, namespace string) []any {
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
