package adopt

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp/agents"
)

// stats counts what has happened since the hub was made.
type stats struct {
	registrations, connections, reconnections, reports atomic.Uint64

	mu       sync.Mutex
	refusals map[string]uint64 // by code, nil means none yet; guarded by mu
}

func (s *stats) refuse(code agentproto.RefusalCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusals == nil {
		s.refusals = map[string]uint64{}
	}
	s.refusals[string(code)]++
}

// countedRefusals are the codes that a hub refuses with.
var countedRefusals = []agentproto.RefusalCode{
	agentproto.RefusedTokenUnknown, agentproto.RefusedTokenExpired, agentproto.RefusedTokenRevoked,
	agentproto.RefusedUnknownAgent,
	agentproto.RefusedIdentityConflict, agentproto.RefusedClusterMismatch, agentproto.RefusedRemoved,
	agentproto.RefusedBusy, agentproto.RefusedBadRequest,
}

// Stats counts agents and what they do, for metrics.
func (h *Hub) Stats() agents.Stats {
	out := agents.Stats{
		Connected: map[string]int{string(agentproto.CarrierDirect): 0, string(agentproto.CarrierWebSocket): 0},
		Refusals:  map[string]uint64{}, Registrations: h.stats.registrations.Load(),
		Connections:   h.stats.connections.Load(),
		Reconnections: h.stats.reconnections.Load(), Reports: h.stats.reports.Load(),
	}
	for _, code := range countedRefusals { // a rate needs a zero to begin at
		out.Refusals[string(code)] = 0
	}
	h.stats.mu.Lock()
	maps.Copy(out.Refusals, h.stats.refusals)
	h.stats.mu.Unlock()
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, c := range h.clusters {
		for _, a := range c.agents {
			if a.home != nil || a.orphan { // another daemon counts it, or did
				continue
			}
			if a.connected {
				out.Connected[string(a.connection.Carrier)]++
			} else {
				out.Away++
			}
		}
	}
	return out
}
