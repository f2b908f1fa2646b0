package fleet

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// outdated counts a cluster's outdated nodes as last seen.
func (m *Manager) outdated(id ecp.ID) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		return len(derive.OutdatedOf(mem.look.Found))
	}
	return 0
}
