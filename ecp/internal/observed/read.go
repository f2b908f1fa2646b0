package observed

import (
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// Unseen is a record of which nothing was seen yet.
func (m *Clusters) Unseen(rec ecp.ClusterRecord) ecp.Info {
	version := rec.EMQXVersion()
	return ecp.Info{
		ClusterRecord: rec, Version: version, Nodes: []ecp.NodeInfo{},
		Current:  ecp.ConnectionsInfo{Limit: rec.Spec.Connections(), EnforcedBy: ecp.EnforcedByNone},
		Features: ecp.Features(rec.Mode, version, m.Capabilities(rec, ecp.AgentsObservation{})),
	}
}

// Info joins a record with what was seen last. It asks nobody.
func (m *Clusters) Info(rec ecp.ClusterRecord) ecp.Info {
	i := m.Unseen(rec)
	if rec.Mode == ecp.Adopted {
		m.addAgents(&i)
		return i
	}
	m.Mu.Lock()
	defer m.Mu.Unlock()
	if mem := m.Looks[rec.ID]; mem != nil {
		i.LookedAt = mem.SeenAt
		i.Endpoints = mem.Look.Found.Endpoints
		i.Unseen, i.ForeignMembers = mem.Look.Unseen, slices.Clone(mem.Look.ForeignMembers)
		i.Volumes = derive.VolumesOf(rec, mem.Look.Found)
		switch {
		case mem.Look.NotHeld != "":
			i.Waits = mem.Look.NotHeld
		case rec.Status.Operation == "":
		case i.Unseen != "":
			i.Waits = "nothing can be seen: " + i.Unseen
		default:
			i.Waits = derive.NewView(mem.Look.At, rec, mem.Look).WaitsFor()
		}
		if mem.Look.Unseen == "" {
			i.Status.Conditions = derive.RefreshMessages(rec, mem.Look)
		}
		described, members := BrokerNodes(mem), []derive.Member(nil)
		if len(described) > 0 {
			i.Version, members = mem.Brokers[0].Version, RunningMembers(mem.Brokers[0])
		}
		for _, n := range mem.Look.Found.Nodes {
			b := described[n.Name]
			i.Nodes = append(i.Nodes, ecp.NodeInfo{NodeObservation: n, Member: derive.HasMember(members, n.Name), Status: b.Status, Role: b.Role, Version: b.Version, Uptime: b.Uptime, Connections: b.Connections})
			i.Current.Current += b.Connections
			if n.Ready {
				i.ReadyNodes++
			}
		}
		allowed := 0
		if len(described) > 0 {
			allowed = licensed(mem.Brokers)
		}
		i.Current.Limit, i.Current.EnforcedBy = Enforced(rec, allowed, i.ReadyNodes > 0)
	}
	i.Features = ecp.Features(ecp.Hosted, i.Version, ecp.Capabilities{})
	return i
}

// BrokerNodes is what EMQX said of its nodes, where the last look still stands
// on it.
func BrokerNodes(mem *Memory) map[string]ecp.BrokerNode {
	out := map[string]ecp.BrokerNode{}
	if len(mem.Look.Views) == 0 {
		return out
	}
	for _, d := range mem.Brokers {
		for _, n := range d.Nodes {
			if old, ok := out[n.Name]; !ok || old.Status != ecp.NodeRunning {
				out[n.Name] = n
			}
		}
	}
	return out
}
