package ecp

import (
	"slices"
	"time"
)

// EvacuatedNode is what has become of the clients of a node that went, as far as
// the nodes' own counts tell: clients also come and go by themselves.
type EvacuatedNode struct {
	Node  string    `json:"node"`  // its EMQX name
	Since time.Time `json:"since"` // when its clients began to be moved
	// Clients is how many were connected to it before; Returned how many of them
	// were connected to others when it went. Fewer came back where a license or a
	// listener's limit refuses them, or where they wait before they connect again.
	Clients  int `json:"clients"`
	Returned int `json:"returned"`
}

// mostEvacuated bounds how many nodes an operation tells of.
const mostEvacuated = 64

// connections counts the clients on a node, and those on all others, as EMQX last
// told.
func (m *Manager) connections(id ID, node string) (here, elsewhere int) {
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
func (m *Manager) evacuated(id ID, l Leaving) *EvacuatedNode {
	_, now := m.connections(id, l.Node)
	return &EvacuatedNode{Node: l.Node, Since: l.Since, Clients: l.Clients, Returned: max(0, min(now-l.Elsewhere, l.Clients))}
}

// tellEvacuated adds what was last seen of a node to an operation.
func tellEvacuated(o *Operation, e *EvacuatedNode) {
	if e == nil {
		return
	}
	i := slices.IndexFunc(o.Evacuated, func(x EvacuatedNode) bool { return x.Node == e.Node && x.Since.Equal(e.Since) })
	switch {
	case i >= 0:
		o.Evacuated[i] = *e
	case len(o.Evacuated) < mostEvacuated:
		o.Evacuated = append(o.Evacuated, *e)
	}
}
