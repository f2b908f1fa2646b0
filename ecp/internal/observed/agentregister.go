package observed

import (
	"github.com/openecp/openecp/ecp"
)

// Observe returns what is known of a cluster's agents.
func (m *Clusters) Observe(id ecp.ID) ecp.AgentsObservation {
	if m.Link == nil {
		return ecp.AgentsObservation{Unheard: "this program takes no connections of agents"}
	}
	return m.Link.Observe(id)
}

// MaxAgentText is the longest text that an agent may tell of itself, in bytes.
const MaxAgentText = 255
