package observed

import (
	"fmt"
	"sync/atomic"

	"github.com/openecp/openecp/ecp"
)

// Provisioner gives the one a cluster is made by.
func (m *Clusters) Provisioner(rec ecp.ClusterRecord) (ecp.Provisioner, error) {
	target := rec.Spec.Hosted.Target
	if p := m.Provisioners[target]; p != nil {
		return p, nil
	}
	if p := m.Added(target); p != nil {
		return p, nil
	}
	return nil, ecp.NewError(ecp.CodeUnavailable, "reach the platform", fmt.Sprintf("the Kubernetes target %q is not configured, or not up", target))
}

// AdapterFor gives the adapter for an EMQX version; nil if there is none.
func (m *Clusters) AdapterFor(version string) ecp.Adapter {
	v, ok := ecp.ParseVersion(version)
	if !ok {
		return nil
	}
	return m.adapterOf(v.Major)
}

// adapterOf is AdapterFor a major version.
func (m *Clusters) adapterOf(major int) ecp.Adapter {
	if a := m.Adapters[major]; a != nil || major < 5 {
		return a
	}
	return m.Adapters[5]
}

type counters struct{ Passes, Applies, ApplyFailures, Writes, Queries, Unanswered atomic.Uint64 }

// Contested counts the contests that were last seen.
func (m *Clusters) Contested() map[string]int {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	out := map[string]int{}
	for _, mem := range m.Memories {
		for _, c := range mem.Snapshot.Found.Contested {
			out[c.Manager]++
		}
	}
	return out
}
