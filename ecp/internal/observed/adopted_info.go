package observed

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/adopted"
)

// addAgents joins what is shown of an adopted cluster with what its agents show
// now. It asks nobody.
func (m *Clusters) addAgents(i *ecp.Info) {
	now, obs := m.Now(), m.Observe(i.ID)
	nodes := map[string]ecp.NodeInfo{}
	for _, a := range ByReport(obs.Agents) {
		r := *a.Report
		fresh := a.Connected && now.Before(r.At.Add(m.Timings.ReportStale))
		if r.At.After(i.LookedAt) {
			i.LookedAt = r.At
		}
		for _, n := range r.Description.Nodes {
			old, known := nodes[n.Name]
			if !fresh && known || fresh && old.Ready {
				continue
			}
			if !fresh {
				n.Status, n.Connections = ecp.NodeUnknown, 0
			}
			nodes[n.Name] = ecp.NodeInfo{
				NodeObservation: ecp.NodeObservation{Name: n.Name, Ready: n.Status == ecp.NodeRunning,
					Message: n.Error},
				Member: n.Status == ecp.NodeRunning, Status: n.Status, Role: n.Role, Version: n.Version,
				Uptime: n.Uptime, Connections: n.Connections,
			}
		}
		if fresh && r.Description.Version != "" {
			i.Version = r.Description.Version
		}
		if n := r.Description.Limit; fresh && n > 0 {
			i.Current.Limit, i.Current.EnforcedBy = n, ecp.EnforcedByLicense
			if l := i.Status.Limit; l != nil && l.InForce > 0 && !r.At.After(l.At) { // it was set after the report
				i.Current.Limit = l.InForce
			}
		}
	}
	for ordinal, name := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[name]
		n.Ordinal = ordinal
		i.Nodes = append(i.Nodes, n)
		i.Current.Current += n.Connections
		if n.Ready {
			i.ReadyNodes++
		}
	}
	switch {
	case !i.Status.StaleFrom.IsZero():
		i.Unseen = cmp.Or(obs.Unheard, ecp.ConditionOf(i.Status.Conditions, ecp.CondAgentConnected).Message)
	case len(obs.Agents) == 0 && now.Before(obs.Since.Add(m.Timings.AgentReturn)) &&
		(i.Status.State == ecp.Running || i.Status.State == ecp.Abnormal):
		i.Unseen = adopted.NoAgentHeard(obs)
	}
	able := m.Capabilities(i.ClusterRecord, obs)
	i.Features = ecp.Features(ecp.Adopted, i.Version, able)
	switch l := i.Status.Limit; {
	case l == nil || !l.Pending || i.Status.Operation == "":
	case able.Agent:
		i.Waits = "EMQX is asked to keep to its connection limit"
	default:
		i.Waits = NoAgentConnected
	}
}

// ByReport are the agents that have reported what may be believed, the oldest
// report first.
func ByReport(all []ecp.AgentObservation) []ecp.AgentObservation {
	all = slices.DeleteFunc(slices.Clone(all), func(a ecp.AgentObservation) bool {
		return a.Report == nil || a.Mismatch != "" || a.Conflict != ""
	})
	slices.SortStableFunc(all, func(a, b ecp.AgentObservation) int { return a.Report.At.Compare(b.Report.At) })
	return all
}

// Capabilities are what was learned of an adopted cluster.
func (m *Clusters) Capabilities(rec ecp.ClusterRecord, obs ecp.AgentsObservation) ecp.Capabilities {
	c := ecp.Capabilities{ServiceAddress: rec.Spec.Adopted != nil && rec.Spec.Adopted.ServiceAddress != "",
		NoAgentAddress: m.AgentAddress == ""}
	for _, a := range obs.Agents {
		c.Agent = c.Agent || a.Connected
		if r := a.Report; a.Connected && r != nil && a.Mismatch == "" {
			c.Reported, c.Logs, c.LogFault = true, c.Logs || r.Logs != "",
				cmp.Or(c.LogFault, adopted.Cause(r.LogFault()))
		}
		if a.Report != nil && a.Mismatch == "" {
			if f := a.Report.Fault(); f != nil && a.Connected {
				c.Trouble = cmp.Or(c.Trouble, adopted.Cause(f.Message))
			}
			c.LimitCall, c.LicenseType = c.LimitCall || a.Report.LimitCall, max(c.LicenseType, a.Report.LicenseType)
		}
	}
	if d := rec.Status.LimitDropped; d != nil {
		c.LimitDropped = d.Why
	}
	return c
}

// nodesReported counts the nodes that the agents of a cluster know of.
func nodesReported(agents []ecp.AgentObservation) int {
	names := map[string]bool{}
	for _, a := range ByReport(agents) {
		for _, n := range a.Report.Description.Nodes {
			names[n.Name] = true
		}
	}
	return len(names)
}

// AdoptedSnapshot is what is known of an adopted cluster now. It asks nobody.
func (m *Clusters) AdoptedSnapshot(id ecp.ID) adopted.Snapshot {
	snap := adopted.Snapshot{At: m.Now(), Tick: m.Tick(), Agents: m.Observe(id), NoAddress: m.AgentAddress == ""}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.memories[id]; mem != nil {
		snap.AgentMemory = mem.agents
	}
	return snap
}

// ObserveAgents takes up what the agents of a cluster show now, and returns it.
func (m *Clusters) ObserveAgents(rec ecp.ClusterRecord, agents []ecp.AgentRecord) adopted.Snapshot {
	snap := m.AdoptedSnapshot(rec.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.memoryLocked(rec.ID)
	mem.agents = mem.agents.After(snap.Tick, agents, adopted.NewView(m.Timings, snap.At, rec, agents, snap))
	snap.AgentMemory = mem.agents
	return snap
}

// DropAgents closes connections of agents whose records are gone; with no agents, all of
// the cluster's.
func (m *Clusters) DropAgents(id ecp.ID, agents ...ecp.AgentID) {
	if m.Link != nil {
		m.Link.Drop(id, agents...)
	}
}
