package observed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

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

// noAgent are the states of adopted clusters in which nobody can be asked, and
// what to do.
var noAgent = map[ecp.State]string{
	ecp.Created:     "no agent has registered yet; follow the steps of its guide on its hosts",
	ecp.Registering: "its agent has not reported yet; ask again once it is running",
}

// QueryableAgents returns the names of the nodes to ask through their agents, the likeliest first;
// the error says why nobody can be.
func (m *Clusters) QueryableAgents(rec ecp.ClusterRecord, q Query) ([]string, error) {
	why := noAgent[rec.Status.State]
	if m.AgentAddress == "" && rec.Status.State == ecp.Created {
		why = ecp.NoAgentAddress
	}
	if rec.Deleting {
		why = "it is being deleted"
	}
	if why != "" {
		return nil, ecp.NewError(ecp.CodeConflict, q.Op, fmt.Sprintf("the cluster is %s: %s", rec.Status.State, why))
	}
	nodes := m.LikeliestAgents(rec.ID)
	if len(nodes) == 0 {
		return nil, ecp.NewError(ecp.CodeUnavailable, q.Op, NoAgentConnected)
	}
	return nodes, nil
}

// NoAgentConnected is the message where nobody is there to be asked.
const NoAgentConnected = "no agent of the cluster is connected"

// hesitation is for how long a node whose agent gave no answer is asked after the
// others: an agent whose host hangs is noticed only when its heartbeat is missed.
const hesitation = 30 * time.Second

// LikeliestAgents returns the nodes whose agents are connected: first those that run
// by their last report, of these last those that gave no answer to a question
// lately, and then the rest. An empty name stands for agents that have not said
// which node is beside them; none means no agent is connected.
func (m *Clusters) LikeliestAgents(id ecp.ID) []string {
	now := m.Now()
	var up, faltered, rest []string
	some := false
	for _, a := range m.Observe(id).Agents {
		if !a.Connected {
			continue
		}
		some = true
		switch {
		case a.Report == nil || a.Report.Node == "" || a.Mismatch != "" || a.Conflict != "":
		case !a.Report.Complete() || !now.Before(a.Report.At.Add(m.Timings.ReportStale)):
			rest = append(rest, a.Report.Node)
		case m.hasFaltered(id, a.Report.Node):
			faltered = append(faltered, a.Report.Node)
		default:
			up = append(up, a.Report.Node)
		}
	}
	if nodes := distinct(slices.Concat(up, faltered, rest)); len(nodes) > 0 {
		return nodes
	}
	if some {
		return []string{""}
	}
	return nil
}

// distinct returns texts without those that stood before.
func distinct(texts []string) (out []string) {
	for _, s := range texts {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// hasFaltered reports whether a node of an adopted cluster gave no answer lately.
func (m *Clusters) hasFaltered(id ecp.ID, node string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.memories[id]
	if mem == nil {
		return false
	}
	at, ok := mem.faltered[node]
	return ok && m.Tick().Sub(at) < hesitation
}

// noteAnswer notes whether a node of an adopted cluster answered a question.
func (m *Clusters) noteAnswer(rec ecp.ClusterRecord, node string, did bool) {
	if rec.Mode != ecp.Adopted {
		return
	}
	mem := m.MemoryOf(rec.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Tick()
	maps.DeleteFunc(mem.faltered, func(n string, at time.Time) bool { return n == node || now.Sub(at) >= hesitation })
	if !did {
		if mem.faltered == nil {
			mem.faltered = map[string]time.Time{}
		}
		mem.faltered[node] = now
	}
}

// membersReported returns the names of all members that the agents of a cluster know
// of, also those without an agent; none while nobody has reported.
func membersReported(agents []ecp.AgentObservation) []string {
	var names []string
	for _, a := range ByReport(agents) {
		for _, n := range a.Report.Description.Nodes {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// brokerEndpoint returns the way to a node for questions of the Manager's own, with the
// names of all members.
func (m *Clusters) brokerEndpoint(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	e, err := m.Endpoint(ctx, rec, node)
	if err != nil || rec.Mode != ecp.Adopted {
		return e, err
	}
	if len(e.Nodes) == 0 {
		e.Nodes = membersReported(m.Observe(rec.ID).Agents)
	}
	return e, nil
}

// throughLink returns the way to the API of a node of an adopted cluster. An empty
// node means the likeliest to answer.
func (m *Clusters) throughLink(ctx context.Context, rec ecp.ClusterRecord, node string) (ecp.Endpoint, error) {
	if m.Link == nil {
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnavailable, "", NoAgentConnected)
	}
	if nodes := m.LikeliestAgents(rec.ID); node == "" && len(nodes) > 0 {
		node = nodes[0]
	}
	return m.Link.Endpoint(ctx, rec.ID, node)
}
