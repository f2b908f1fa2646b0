package targets

import (
	"sync"

	"github.com/openecp/openecp/ecp"
)

// Unrecorded has the clusters without a record that were last found, by target: for metrics,
// and so that each is logged once. The zero value is empty.
type Unrecorded struct {
	mu sync.Mutex
	at map[string]map[ecp.ID]bool // guarded by mu
}

// Observed stores which clusters were found on a target, and returns those that are new.
func (u *Unrecorded) Observed(target string, found map[ecp.ID]bool) (fresh map[ecp.ID]bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fresh = map[ecp.ID]bool{}
	for id := range found {
		if !u.at[target][id] {
			fresh[id] = true
		}
	}
	if u.at == nil {
		u.at = map[string]map[ecp.ID]bool{}
	}
	u.at[target] = found
	return fresh
}

// Forget forgets a target.
func (u *Unrecorded) Forget(target string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.at, target)
}

// Remove is called when a cluster has a record or is gone.
func (u *Unrecorded) Remove(target string, id ecp.ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.at[target], id)
}

// Count returns the number of clusters without a record.
func (u *Unrecorded) Count() (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, at := range u.at {
		n += len(at)
	}
	return n
}
