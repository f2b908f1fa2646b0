package observed

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// Outdated counts a cluster's outdated nodes as last seen.
func (m *Clusters) Outdated(id ecp.ID) int {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	if mem := m.Memories[id]; mem != nil {
		return len(derive.OutdatedOf(mem.Snapshot.Found))
	}
	return 0
}
