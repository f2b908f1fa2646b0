package k8sprovisioner

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// kubectl drain first cordons a machine, and then evicts its pods. What is cordoned is
// watched, so that evictions can be held before the first of them.

// cordonedNodes selects the Kubernetes nodes that take no new pods. Others are not even
// listed, and cost nothing.
const cordonedNodes = "spec.unschedulable=true"

// cordons are the machines that take no new pods.
type cordons struct {
	mu   sync.Mutex
	seen bool            // guarded by mu; the first list was complete, and the watch goes on
	are  map[string]bool // guarded by mu
}

// mark says of nodes whether their machines take no new pods, and reports whether that is
// known.
func (c *cordons) mark(nodes []ecp.NodeObservation) (seen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range nodes {
		nodes[i].Unschedulable = c.seen && c.are[nodes[i].Host]
	}
	return c.seen
}

func (c *cordons) set(name string, cordoned bool) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = c.are[name] != cordoned
	if cordoned {
		c.are[name] = true
	} else {
		delete(c.are, name)
	}
	return changed
}

func (c *cordons) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen, c.are = false, map[string]bool{}
}

// listed notes that the first list is complete, and returns what is cordoned.
func (c *cordons) listed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = true
	return slices.Collect(maps.Keys(c.are))
}

// watchCordons keeps up which machines take no new pods until ctx ends, and wakes the
// clusters that have pods on one when that changes. An account that may not list machines
// goes on without.
func (p *Provisioner) watchCordons(ctx context.Context, s *informerSet, wake func(ecp.ID)) {
	p.cordons.begin()
	defer p.cordons.begin()
	for p.forbidden(ctx, listNodes) {
		if !sleep(ctx, rightsRecheck, nil) {
			return
		}
	}
	change := func(o any, cordoned bool) {
		if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = d.Obj
		}
		if m, ok := o.(metav1.Object); ok && p.cordons.set(m.GetName(), cordoned) {
			s.wakeOn(m.GetName(), wake)
		}
	}
	i := cache.NewSharedIndexInformer(cache.NewFilteredListWatchFromClient(core(p.client), "nodes", "",
		func(o *metav1.ListOptions) { o.FieldSelector = cordonedNodes }), new(corev1.Node), 0, cache.Indexers{})
	handled, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { change(o, true) },
		DeleteFunc: func(o any) { change(o, false) },
	})
	if err = errors.Join(err, i.SetTransform(slim)); err != nil {
		panic("prepare the watch of machines: " + err.Error()) // fails only for an informer that runs
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { i.Run(ctx.Done()) })
	if cache.WaitForCacheSync(ctx.Done(), handled.HasSynced) {
		for _, name := range p.cordons.listed() {
			s.wakeOn(name, wake)
		}
	}
	<-ctx.Done()
}

// wakeOn wakes the clusters that have pods on a machine.
func (s *informerSet) wakeOn(machine string, wake func(ecp.ID)) {
	for _, o := range s.caches[kindPod].List() {
		if pod, ok := o.(*corev1.Pod); ok && pod.Spec.NodeName == machine {
			wakeFor(pod, wake)
		}
	}
}

// evictionsHeld reports whether a budget of the cluster allows nothing.
func (f clusterObjects) evictionsHeld() bool {
	for _, r := range f.eachRole() {
		if r.workload == nil {
			continue
		}
		b, ok := f.informers.get(kindBudget, string(f.id), r.workload.Name).(*policyv1.PodDisruptionBudget)
		if ok && b.Spec.MaxUnavailable != nil && b.Spec.MaxUnavailable.IntValue() == 0 {
			return true
		}
	}
	return false
}
