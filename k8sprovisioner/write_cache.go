package k8sprovisioner

import (
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// writeCacheLife is how long a watch may take to show our own write. After that time
// the watch counts.
const writeCacheLife = 30 * time.Second

// writeCache holds the answers to our own writes until the watches show them, so that
// a read right after a write returns what was written.
type writeCache struct {
	mu      sync.Mutex
	objects map[string]cachedWrite // by kind and cache key; guarded by mu
}

type cachedWrite struct {
	object live
	until  time.Time
}

func newWriteCache() *writeCache { return &writeCache{objects: map[string]cachedWrite{}} }

func (w *writeCache) put(kind string, o live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o.SetManagedFields(nil)
	w.objects[kind+" "+cacheKey(o.GetNamespace(), o.GetName())] = cachedWrite{o, time.Now().Add(writeCacheLife)}
}

// newer returns the newer one of what a watch shows, which is nil if it shows nothing,
// and what we wrote.
func (w *writeCache) newer(kind, namespace, name string, cached live) live {
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

// removed drops an object whose deletion a watch shows.
func (w *writeCache) removed(kind string, o any) {
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

// version returns an object's resource version. Within one kind versions grow and can
// be compared.
func version(o metav1.Object) uint64 {
	v, _ := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	return v
}
