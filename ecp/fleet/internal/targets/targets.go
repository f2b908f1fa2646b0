// Package targets keeps in memory what was last observed of Kubernetes targets: their
// Provisioners, their health, the identity of their platforms, and the clusters there that no
// record knows.
package targets

import (
	"maps"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Running has the Provisioners of the targets that were added at run time, and the health of
// all targets.
type Running struct {
	changed chan struct{} // holds one

	mu      sync.Mutex
	up      map[string]ecp.Provisioner  // guarded by mu
	healths map[string]ecp.TargetHealth // guarded by mu
}

// New returns a Running without any target.
func New() *Running {
	return &Running{
		changed: make(chan struct{}, 1),
		up:      map[string]ecp.Provisioner{},
		healths: map[string]ecp.TargetHealth{},
	}
}

// Poke is called when a target was added, changed or removed.
func (r *Running) Poke() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Changed returns a channel that receives after Poke.
func (r *Running) Changed() <-chan struct{} { return r.changed }

// Get returns the Provisioner of a target that was added at run time; nil if it is not up.
func (r *Running) Get(name string) ecp.Provisioner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.up[name]
}

// All returns the Provisioners that are up, by target.
func (r *Running) All() map[string]ecp.Provisioner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.up)
}

// Set stores the Provisioner of a target; nil means that it is not up any more.
func (r *Running) Set(name string, p ecp.Provisioner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p == nil {
		delete(r.up, name)
	} else {
		r.up[name] = p
	}
}

// Health returns what was last observed of a target.
func (r *Running) Health(name string) ecp.TargetHealth {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.healths[name]; ok {
		return h
	}
	return ecp.TargetHealth{Reachable: ecp.Unknown, Message: "it has not been looked at yet"}
}

// Observed stores whether a target could be observed. An empty why means that it could.
func (r *Running) Observed(name string, now time.Time, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := ecp.True
	if why != "" {
		is = ecp.False
	}
	h := r.healths[name]
	if h.Reachable != is {
		h.Since = now
	}
	h.Reachable, h.Message, h.CheckedAt = is, why, now
	r.healths[name] = h
}

// Warn stores what should be mended about a target.
func (r *Running) Warn(name string, warnings []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.healths[name]
	h.Warnings = warnings
	r.healths[name] = h
}

// Forget forgets the health of a target.
func (r *Running) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.healths, name)
}

// ForgetAll forgets the health of all targets.
func (r *Running) ForgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.healths)
}
