package observed

import (
	"github.com/openecp/openecp/ecp"
)

// Found gives what was last found of a cluster; false = nothing can be seen, or
// nobody has looked yet.
func (m *Clusters) Found(id ecp.ID) (ecp.Observation, bool) {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	mem := m.Memories[id]
	if mem == nil || mem.ObservedAt.IsZero() || mem.Snapshot.Unseen != "" {
		return ecp.Observation{}, false
	}
	return mem.Snapshot.Found, true
}
