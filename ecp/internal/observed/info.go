package observed

import (
	"cmp"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// UnseenInfo is a record of which nothing was seen yet.
func (m *Clusters) UnseenInfo(rec ecp.ClusterRecord) ecp.Info {
	version := rec.EMQXVersion()
	return ecp.Info{
		ClusterRecord: rec, Version: version, Nodes: []ecp.NodeInfo{},
		Current:  ecp.ConnectionsInfo{EnforcedBy: ecp.EnforcedByUnknown},
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
	i.Hibernation = derive.HibernationInfo(rec, m.Now().UTC())
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.memories[rec.ID]; mem != nil {
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
		described, members := brokerNodes(mem), []derive.Member(nil)
		if len(described) > 0 {
			i.Version, members = mem.Brokers[0].Version, RunningMembers(mem.Brokers[0])
		}
		for _, n := range mem.Snapshot.Found.Nodes {
			b := described[n.Name]
			i.Nodes = append(i.Nodes,
				ecp.NodeInfo{NodeObservation: n, Member: derive.HasMember(members, n.Name), Status: b.Status,
					Role: cmp.Or(b.Role, string(n.Role)), Version: b.Version, Uptime: b.Uptime,
					Connections: b.Connections})
			i.Current.Current += b.Connections
			if n.Ready {
				i.ReadyNodes++
			}
		}
		if i.ReadyNodes > 0 {
			i.Current.Limit, i.Current.EnforcedBy = mem.Snapshot.Limits.Enforced(rec.Spec.Connections())
		}
	}
	i.Features = ecp.Features(ecp.Hosted, i.Version, ecp.Capabilities{})
	return i
}

// brokerNodes is what EMQX said of its nodes, where the last observation still stands
// on it.
func brokerNodes(mem *Memory) map[string]ecp.BrokerNode {
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

// LastBrokers returns the last snapshot of a hosted cluster, when it saw something last,
// and what EMQX said of its nodes; the zero snapshot where nobody has observed it.
func (m *Clusters) LastBrokers(id ecp.ID) (snap derive.Snapshot, at time.Time, said map[string]ecp.BrokerNode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.memories[id]
	if mem == nil {
		return snap, at, nil
	}
	return mem.Snapshot, mem.ObservedAt, brokerNodes(mem)
}

func RunningMembers(d ecp.Description) []derive.Member {
	var out []derive.Member
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning {
			out = append(out, derive.Member{Name: n.Name, Version: n.Version})
		}
	}
	return out
}

// Connections counts the clients on a node, and those on all others, as EMQX last
// told.
func (m *Clusters) Connections(id ecp.ID, node string) (here, elsewhere int) {
	mem := m.MemoryOf(id)
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

// Evacuated tells what has become of the clients of a node that may go now.
func (m *Clusters) Evacuated(id ecp.ID, l ecp.Draining) *ecp.EvacuatedNode {
	_, now := m.Connections(id, l.Node)
	return &ecp.EvacuatedNode{Node: l.Node, Since: l.Since, Clients: l.Clients,
		Returned: max(0, min(now-l.Elsewhere, l.Clients))}
}
