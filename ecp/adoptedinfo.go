package ecp

import (
	"cmp"
	"slices"
)

// EMQXVersion returns the EMQX version that a record tells of: that of the image, or
// what agents have reported last. It is empty where no agent has.
func (r ClusterRecord) EMQXVersion() string {
	if r.Mode == Adopted {
		return r.Status.Version
	}
	return r.Resolved.Image.Version
}

// addAgents joins what is shown of an adopted cluster with what its agents show
// now. It asks nobody.
func (m *Manager) addAgents(i *Info) {
	now, obs := m.now(), m.observe(i.ID)
	nodes := map[string]NodeInfo{}
	for _, a := range byReport(obs.Agents) {
		r := *a.Report
		fresh := a.Connected && now.Before(r.At.Add(m.timings.ReportStale))
		if r.At.After(i.LookedAt) {
			i.LookedAt = r.At
		}
		for _, n := range r.Description.Nodes {
			old, known := nodes[n.Name]
			if !fresh && known || fresh && old.Ready {
				continue
			}
			if !fresh {
				n.Status, n.Connections = NodeUnknown, 0
			}
			nodes[n.Name] = NodeInfo{
				NodeObservation: NodeObservation{Name: n.Name, Ready: n.Status == NodeRunning, Message: n.Error},
				Member:          n.Status == NodeRunning, Status: n.Status, Role: n.Role, Version: n.Version, Uptime: n.Uptime, Connections: n.Connections,
			}
		}
		if fresh && r.Description.Version != "" {
			i.Version = r.Description.Version
		}
		if n := r.Description.Limit; fresh && n > 0 {
			i.Current.Limit, i.Current.EnforcedBy = n, EnforcedByLicence
			if l := i.Status.Limit; l != nil && l.InForce > 0 && !r.At.After(l.At) { // it was set after the report
				i.Current.Limit = l.InForce
			}
		}
	}
	for ordinal, name := range sortedKeys(nodes) {
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
		i.Unseen = cmp.Or(obs.Unheard, ConditionOf(i.Status.Conditions, CondAgentConnected).Message)
	case len(obs.Agents) == 0 && now.Before(obs.Since.Add(m.timings.AgentReturn)) && (i.Status.State == Running || i.Status.State == Abnormal):
		i.Unseen = noneHeard(obs)
	}
	able := m.capabilities(i.ClusterRecord, obs)
	i.Features = Features(Adopted, i.Version, able)
	switch l := i.Status.Limit; {
	case l == nil || !l.Pending || i.Status.Operation == "":
	case able.Agent:
		i.Waits = "EMQX is asked to keep to its connection limit"
	default:
		i.Waits = notConnected
	}
}

// byReport are the agents that have reported what may be believed, the oldest
// report first.
func byReport(all []AgentObservation) []AgentObservation {
	all = slices.DeleteFunc(slices.Clone(all), func(a AgentObservation) bool {
		return a.Report == nil || a.Mismatch != "" || a.Conflict != ""
	})
	slices.SortStableFunc(all, func(a, b AgentObservation) int { return a.Report.At.Compare(b.Report.At) })
	return all
}

// capabilities are what was learned of an adopted cluster.
func (m *Manager) capabilities(rec ClusterRecord, obs AgentsObservation) Capabilities {
	c := Capabilities{ServiceAddress: rec.Spec.Adopted != nil && rec.Spec.Adopted.ServiceAddress != "", NoAgentAddress: m.agentAddress == ""}
	for _, a := range obs.Agents {
		c.Agent = c.Agent || a.Connected
		if r := a.Report; a.Connected && r != nil && a.Mismatch == "" {
			c.Reported, c.Logs, c.LogFault = true, c.Logs || r.Logs != "", cmp.Or(c.LogFault, cause(r.logFault()))
		}
		if a.Report != nil && a.Mismatch == "" {
			if f := a.Report.fault(); f != nil && a.Connected {
				c.Trouble = cmp.Or(c.Trouble, cause(f.Message))
			}
			c.LimitCall, c.LicenceType = c.LimitCall || a.Report.LimitCall, max(c.LicenceType, a.Report.LicenseType)
		}
	}
	if d := rec.Status.LimitDropped; d != nil {
		c.LimitDropped = d.Why
	}
	return c
}

// nodesReported counts the nodes that the agents of a cluster know of.
func nodesReported(agents []AgentObservation) int {
	names := map[string]bool{}
	for _, a := range byReport(agents) {
		for _, n := range a.Report.Description.Nodes {
			names[n.Name] = true
		}
	}
	return len(names)
}
