package emqxhttp

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// Known is what a cluster is, learned once and kept until it is described anew.
// It may be used from several goroutines.
type Known struct {
	mu      sync.Mutex
	known   bool     // guarded by mu
	version string   // guarded by mu
	edition string   // guarded by mu
	names   []string // guarded by mu; of the members, as last listed
}

// LearnNames keeps the names of the members that a broker has listed.
func (k *Known) LearnNames(names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names = names
}

// Names are those of the members, as last listed; nil = they never were.
func (k *Known) Names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.names)
}

// Learn keeps what a description says. What does not name a version is left, and
// where only the edition is not told, which takes v4 a call more, the one that
// is known stays.
func (k *Known) Learn(d ecp.Description) {
	version := LowestRunning(d)
	if version == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.version, k.edition = true, version, cmp.Or(d.Edition, k.edition)
}

// What gives the version that the whole cluster has, and its edition. ask is
// called where nothing has been learned; several callers may ask at once.
func (k *Known) What(ctx context.Context, ask func(context.Context) (ecp.Description, error)) (version, edition string, err error) {
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
	k.Learn(d)
	return LowestRunning(d), d.Edition, nil
}
