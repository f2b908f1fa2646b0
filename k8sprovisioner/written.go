package k8sprovisioner

import (
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// echoPatience is how long a watch may take to bring our own write back. After
// it what the watch shows counts.
const echoPatience = 30 * time.Second

// written holds the answers to our own writes until the watches have brought
// them, so that a look right after a write sees it.
type written struct {
	mu      sync.Mutex
	objects map[string]answer // by kind and cache key; guarded by mu
}

type answer struct {
	object live
	until  time.Time
}

func newWritten() *written { return &written{objects: map[string]answer{}} }

func (w *written) put(kind string, o live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o.SetManagedFields(nil)
	w.objects[kind+" "+cacheKey(o.GetNamespace(), o.GetName())] = answer{o, time.Now().Add(echoPatience)}
}

// newer gives the newer one of what a watch has brought (nil = nothing) and
// what we wrote.
func (w *written) newer(kind, namespace, name string, cached live) live {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := kind + " " + cacheKey(namespace, name)
	a, ok := w.objects[key]
	if !ok {
		return cached
	}
	if time.Now().After(a.until) || cached != nil && version(cached) >= version(a.object) {
		delete(w.objects, key)
		return cached
	}
	return a.object
}

// removed drops an object that a watch says has gone.
func (w *written) removed(kind string, o any) {
	if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = d.Obj
	}
	m, ok := o.(metav1.Object)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := kind + " " + cacheKey(m.GetNamespace(), m.GetName())
	if a, ok := w.objects[key]; ok && a.object.GetUID() == m.GetUID() {
		delete(w.objects, key)
	}
}

// version is an object's resource version: they grow, and can be compared
// within one kind.
func version(o metav1.Object) uint64 {
	v, _ := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	return v
}
