package fleet

import (
	"github.com/openecp/openecp/ecp/agents"
)

// agentStats returns what the Link has counted; nil where it does not count, or
// there is none.
func (m *Manager) agentStats() *agents.Stats {
	counting, ok := m.observed.Link.(agents.AgentCounter)
	if !ok {
		return nil
	}
	s := counting.Stats()
	return &s
}
