package observed

import (
	"github.com/openecp/openecp/ecp"
)

// Connections counts the clients on a node, and those on all others, as EMQX last
// told.
func (m *Clusters) Connections(id ecp.ID, node string) (here, elsewhere int) {
	mem := m.MemoryOf(id)
	m.Mu.Lock()
	defer m.Mu.Unlock()
	for name, n := range BrokerNodes(mem) {
		if name == node {
			here += n.Connections
		} else {
			elsewhere += n.Connections
		}
	}
	return here, elsewhere
}

// Evacuated tells what has become of the clients of a node that may go now.
func (m *Clusters) Evacuated(id ecp.ID, l ecp.Draining) *ecp.EvacuatedNode {
	_, now := m.Connections(id, l.Node)
	return &ecp.EvacuatedNode{Node: l.Node, Since: l.Since, Clients: l.Clients, Returned: max(0, min(now-l.Elsewhere, l.Clients))}
}
