package observed

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// AdoptedSnapshot is what is known of an adopted cluster now. It asks nobody.
func (m *Clusters) AdoptedSnapshot(id ecp.ID) derive.AdoptedSnapshot {
	snap := derive.AdoptedSnapshot{At: m.Now(), Tick: m.Tick(), Agents: m.Observe(id), NoAddress: m.AgentAddress == ""}
	m.Mu.Lock()
	defer m.Mu.Unlock()
	if mem := m.Memories[id]; mem != nil {
		snap.AddMemory(mem.Agents)
	}
	return snap
}
