package observed

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// AdoptedLook is what is known of an adopted cluster now. It asks nobody.
func (m *Clusters) AdoptedLook(id ecp.ID) derive.AdoptedSnapshot {
	snap := derive.AdoptedSnapshot{At: m.Now(), Tick: m.Tick(), Agents: m.Observe(id), NoAddress: m.AgentAddress == ""}
	m.Mu.Lock()
	defer m.Mu.Unlock()
	if mem := m.Looks[id]; mem != nil {
		snap.AddMemory(mem.Agents)
	}
	return snap
}
