package emqxhttp

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// Identity caches what a cluster is, until it is described again. It is safe for concurrent
// use.
type Identity struct {
	mu      sync.Mutex
	known   bool     // guarded by mu
	version string   // guarded by mu
	edition string   // guarded by mu
	names   []string // guarded by mu; of the members, as last listed
}

// StoreNames stores the names of the members that a broker has listed.
func (k *Identity) StoreNames(names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names = names
}

// Names returns the names of the members as last listed, or nil if they never were.
func (k *Identity) Names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.names)
}

// Store stores the version and edition of a description. It ignores a description without a
// version. An empty edition, which EMQX 4 may return, does not replace a known one.
func (k *Identity) Store(d ecp.Description) {
	version := LowestRunning(d)
	if version == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.version, k.edition = true, version, cmp.Or(d.Edition, k.edition)
}

// Get returns the version that the whole cluster has, and its edition. It calls ask if
// nothing is stored; several callers may do so at once.
func (k *Identity) Get(ctx context.Context, ask func(context.Context) (ecp.Description, error)) (version,
	edition string, err error) {
	k.mu.Lock()
	known, version, edition := k.known, k.version, k.edition
	k.mu.Unlock()
	if known {
		return version, edition, nil
	}
	d, err := ask(ctx)
	if err != nil {
		return "", "", err
	}
	k.Store(d)
	return LowestRunning(d), d.Edition, nil
}
