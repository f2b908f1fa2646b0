package targets

import "sync"

// Identities has what was observed of the identities of platforms. The zero value is empty.
type Identities struct {
	mu sync.Mutex
	at map[string]Identity // by target; guarded by mu
}

// Identity is what was observed of the identity of one platform.
type Identity struct {
	Found string // an empty one is not known
	Why   string // why nothing is written to the platform; empty if it is the right one
	Other bool   // it is another platform than the one that the records belong to
}

// Get returns what was last observed of a target.
func (i *Identities) Get(target string) (_ Identity, known bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	is, known := i.at[target]
	return is, known
}

// Observed stores what was observed, and reports whether it is news.
func (i *Identities) Observed(target string, is Identity) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.at == nil {
		i.at = map[string]Identity{}
	}
	was, known := i.at[target]
	i.at[target] = is
	return !known || was.Why != is.Why
}

// Forget forgets a target.
func (i *Identities) Forget(target string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.at, target)
}
