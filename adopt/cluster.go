package adopt

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// cluster is what the hub knows of the agents of one cluster. The hub's lock
// guards it, but for seen, whose value is never changed once it is there.
type cluster struct {
	id       ecp.ID
	agents   map[ecp.AgentID]*agent
	recorded map[ecp.AgentID]string // node names in the store, of agents that are not in agents too
	loaded   bool                   // recorded has every agent of the store
	seen     ecp.AgentsObservation
}

// agent is one that has connected in this process.
type agent struct {
	id      ecp.AgentID
	cluster *cluster

	connection agentproto.Connection // the last one
	connected  bool
	reading    *reading // of the present connection; nil means Run does not run, or it is not connected
	since      time.Time
	clean      bool
	lastSeen   time.Time
	noted      bool // that it is away has been stored, or need not be

	report  *ecp.AgentReport
	members []string  // of its last complete report of this connection
	echo    int       // how many of its next reports wake the Manager although they say nothing new
	echoed  time.Time // when the last did
	serving time.Time // since when it serves: nothing speaks against it or its broker; zero means not yet

	// Of an agent that is connected to another daemon, or was last, the fields above and below
	// are what that daemon tells.
	home      *fellow // nil means this daemon
	orphan    bool    // the daemon that it was connected to has ended
	contested bool    // another daemon is being asked whether its process with the same key answers

	copied   objection // another process has its key
	conflict objection // another agent serves its node
	mismatch objection // its broker belongs to another cluster
}

// objection is something that speaks against an agent. It is shown until a moment,
// unless it happens again; a zero value is nothing.
type objection struct {
	words string
	until time.Time
	by    ecp.AgentID // of a conflict: the agent that serves; it ends when that one goes
}

func newCluster(id ecp.ID) *cluster {
	return &cluster{id: id, agents: map[ecp.AgentID]*agent{}, recorded: map[ecp.AgentID]string{}}
}

// serves reports whether calls may go by the agent.
func (a *agent) serves() bool { return a.connected && !a.serving.IsZero() }

// node is the name of the node beside the agent as it says now.
func (a *agent) node() string {
	if a.report != nil && a.report.Node != "" {
		return a.report.Node
	}
	return ""
}

// holder returns another agent that is connected and serves a node; nil means none.
func (c *cluster) holder(node string, but ecp.AgentID) *agent {
	if node == "" {
		return nil
	}
	for _, a := range c.agents {
		if a.id != but && a.serves() && a.node() == node {
			return a
		}
	}
	return nil
}

// endConflicts ends the conflicts in which an agent that has gone served.
func (c *cluster) endConflicts(gone *agent) {
	for _, a := range c.agents {
		if a.conflict.by == gone.id {
			a.conflict = objection{}
		}
	}
}

// claims returns what agents say of which cluster their brokers belong to, in the
// order of their ids; the members told by one of them can be given anew.
func (c *cluster) claims(of ecp.AgentID, members []string) []claim {
	var out []claim
	for id, node := range c.recorded {
		k := claim{agent: id, recorded: node}
		if a := c.agents[id]; a != nil {
			k.serving = a.serving
			if a.connected {
				k.members = a.members
			}
		}
		if id == of {
			k.members = members
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b claim) int { return strings.Compare(string(a.agent), string(b.agent)) })
	return out
}

// observe makes anew what Observe returns, and reports whether the Manager would
// want to look at the cluster for the difference. quiet is how long an agent may
// be silent before anybody takes notice.
func (c *cluster) observe(since time.Time, unheard string, quiet time.Duration, b blindness) (matters bool) {
	now := ecp.AgentsObservation{Since: since, Unheard: unheard}
	cut := ""
	for _, a := range c.agents {
		o := a.observation()
		if by := a.cut(b); by != "" {
			cut, o.Connected, o.Cut = by, false, true
		}
		now.Agents = append(now.Agents, o)
	}
	switch {
	case slices.ContainsFunc(now.Agents, func(a ecp.AgentObservation) bool { return a.Connected }):
		now.Unheard = ""
	case cut != "" && unheard == "":
		now.Unheard = "its agents may be connected to the daemon " + cut + ", which this one cannot reach"
	}
	slices.SortFunc(now.Agents, func(a, b ecp.AgentObservation) int {
		return strings.Compare(string(a.Agent), string(b.Agent))
	})
	matters = !slices.EqualFunc(c.seen.Agents, now.Agents, func(a, b ecp.AgentObservation) bool {
		return sameObservation(a, b, quiet)
	})
	c.seen = now
	return matters
}

// blindness is that another daemon which the Store lists is not heard. The zero value is none.
type blindness struct {
	daemon string
	since  time.Time
}

// cut returns the daemon because of which nothing is known of an agent: the one that it is
// connected to has not been heard for long, or it has lost its connection since another one
// is not heard, to which it may be connected by now. It is empty if there is none.
func (a *agent) cut(b blindness) string {
	switch {
	case a.home != nil && a.home.cut:
		return a.home.id
	case b.daemon != "" && !a.connected && !a.clean && !a.since.Before(b.since):
		return b.daemon
	}
	return ""
}

func (a *agent) observation() ecp.AgentObservation {
	return ecp.AgentObservation{
		Agent: a.id, Connected: a.connected, Since: a.since, Clean: a.clean, LastSeen: a.lastSeen,
		Instance: text(a.connection.Instance, maxWord), Remote: text(a.connection.Remote,
			maxName), Carrier: string(a.connection.Carrier),
		Version: text(a.connection.Hello.Version, maxWord), ClockSkew: a.connection.ClockSkew,
		Conflict: cmp.Or(a.conflict.words, a.copied.words), Mismatch: a.mismatch.words, Report: a.report,
	}
}

// nextDeadline is when something has to be done about one of the agents; zero =
// nothing, unless they change.
func (c *cluster) nextDeadline(t Timings) (first time.Time) {
	consider := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, a := range c.agents {
		consider(a.copied.until)
		consider(a.conflict.until)
		consider(a.mismatch.until)
		if !a.connected && !a.noted {
			consider(a.since.Add(t.Away))
		}
	}
	return first
}

// sameObservation compares what states are derived from: not figures that change
// with every report, nor when it was heard, unless it had been quiet for so long
// that its silence may have been noticed.
func sameObservation(a, b ecp.AgentObservation, quiet time.Duration) bool {
	ra, rb := a.Report, b.Report
	if b.LastSeen.Sub(a.LastSeen) > quiet || ra != nil && rb != nil && rb.At.Sub(ra.At) > quiet {
		return false
	}
	if reported(a) != reported(b) { // a report of an earlier connection says nothing of this one
		return false
	}
	a.LastSeen, b.LastSeen, a.ClockSkew, b.ClockSkew = time.Time{}, time.Time{}, 0, 0
	a.Report, b.Report = nil, nil
	return a == b && (ra == rb || ra != nil && rb != nil && sameReport(*ra, *rb))
}

// reported reports whether the report is of the connection that it stands beside.
func reported(o ecp.AgentObservation) bool { return o.Report != nil && !o.Report.At.Before(o.Since) }

func sameReport(a, b ecp.AgentReport) bool {
	da, db := a.Description, b.Description
	return a.Node == b.Node && a.LimitCall == b.LimitCall && a.LicenseType == b.LicenseType &&
		a.Dashboard == b.Dashboard && a.Logs == b.Logs &&
		slices.Equal(a.Errors, b.Errors) && da.Version == db.Version && da.Edition == db.Edition &&
		da.Limit == db.Limit &&
		slices.EqualFunc(da.Nodes, db.Nodes, func(a, b ecp.BrokerNode) bool {
			return a.Name == b.Name && a.Status == b.Status && a.Role == b.Role && a.Version == b.Version
		})
}
