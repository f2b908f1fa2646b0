package fleet

import (
	"github.com/openecp/openecp/ecp"
)

// connections counts the clients on a node, and those on all others, as EMQX last
// told.
func (m *Manager) connections(id ecp.ID, node string) (here, elsewhere int) {
	mem := m.memoryOf(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, n := range brokerNodes(mem) {
		if name == node {
			here += n.Connections
		} else {
			elsewhere += n.Connections
		}
	}
	return here, elsewhere
}

// evacuated tells what has become of the clients of a node that may go now.
func (m *Manager) evacuated(id ecp.ID, l ecp.Leaving) *ecp.EvacuatedNode {
	_, now := m.connections(id, l.Node)
	return &ecp.EvacuatedNode{Node: l.Node, Since: l.Since, Clients: l.Clients, Returned: max(0, min(now-l.Elsewhere, l.Clients))}
}
