package observed

import (
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// UnseenInfo is a record of which nothing was seen yet.
func (m *Clusters) UnseenInfo(rec ecp.ClusterRecord) ecp.Info {
	version := rec.EMQXVersion()
	return ecp.Info{
		ClusterRecord: rec, Version: version, Nodes: []ecp.NodeInfo{},
		Current:  ecp.ConnectionsInfo{Limit: rec.Spec.Connections(), EnforcedBy: ecp.EnforcedByNone},
		Features: ecp.Features(rec.Mode, version, m.Capabilities(rec, ecp.AgentsObservation{})),
	}
}

// Info joins a record with what was seen last. It asks nobody.
func (m *Clusters) Info(rec ecp.ClusterRecord) ecp.Info {
	i := m.UnseenInfo(rec)
	if rec.Mode == ecp.Adopted {
		m.addAgents(&i)
		return i
	}
	m.Mu.Lock()
	defer m.Mu.Unlock()
	if mem := m.Memories[rec.ID]; mem != nil {
		i.LookedAt = mem.ObservedAt
		i.Endpoints = mem.Snapshot.Found.Endpoints
		i.Unseen, i.ForeignMembers = mem.Snapshot.Unseen, slices.Clone(mem.Snapshot.ForeignMembers)
		i.Volumes = derive.VolumesOf(rec, mem.Snapshot.Found)
		switch {
		case mem.Snapshot.NotHeld != "":
			i.Waits = mem.Snapshot.NotHeld
		case rec.Status.Operation == "":
		case i.Unseen != "":
			i.Waits = "nothing can be seen: " + i.Unseen
		default:
			i.Waits = derive.NewView(mem.Snapshot.At, rec, mem.Snapshot).WaitsFor()
		}
		if mem.Snapshot.Unseen == "" {
			i.Status.Conditions = derive.RefreshMessages(rec, mem.Snapshot)
		}
		described, members := BrokerNodes(mem), []derive.Member(nil)
		if len(described) > 0 {
			i.Version, members = mem.Brokers[0].Version, RunningMembers(mem.Brokers[0])
		}
		for _, n := range mem.Snapshot.Found.Nodes {
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
	if len(mem.Snapshot.Views) == 0 {
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
