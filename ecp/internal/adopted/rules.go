package adopted

import (
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// reasonRow is one row of the table of what can be wrong with adopted clusters.
type reasonRow struct {
	Reason  ecp.Reason
	Meaning string
	// Counts tells what has to be seen before the state follows from it.
	Counts string
}

// reasonRows are the reasons of adopted clusters, the most severe first: of
// several the first counts, and all are told.
var reasonRows = []reasonRow{
	{ecp.ReasonIdentityConflict, "an agent's key, or its node's name, is used twice at the same time; the first goes " +
		"on", "at once"},
	{ecp.ReasonClusterMismatch, "an agent is beside a broker of another EMQX cluster", "at once"},
	{ecp.ReasonUnsupportedVersion, "the broker is none of " + supportedBrokers, "at once"},
	{ecp.ReasonAgentDisconnected, "an agent is not connected",
		"5 seconds after its connection ended; of one that has just registered after 60 seconds"},
	{ecp.ReasonEMQXAuthFailed, "EMQX refuses the credentials that the agent has", twoReports},
	{ecp.ReasonEMQXUnreachable, "the management API of EMQX does not answer its agent", twoReports},
	{ecp.ReasonPartitioned, "nodes disagree on who is a member", twoReports},
	{ecp.ReasonNodeDown, "a member of the cluster does not run", twoReports},
	{ecp.ReasonReportStale, "an agent is connected and reports nothing",
		"after 45 seconds: a connection that is dead is noticed before"},
	{ecp.ReasonQuotaReleaseFailed, "the cluster is being deleted, and its broker has not got its own connection " +
		"limit back, or what it has booked could not be given back; it is tried again",
		"at once; delete with force ends it"},
	{ecp.ReasonNoAgentAddress, "no address is configured that agents can dial",
		"never for the state: a condition and features of clusters without agents have it"},
}

// twoReports is what has to be seen of a fault that may be a hiccup.
const twoReports = "when two reports in a row tell of it, at least a second apart; one good report ends it"

// severity orders reasons: less is more severe.
func severity(r ecp.Reason) int {
	i := slices.IndexFunc(reasonRows, func(row reasonRow) bool { return row.Reason == r })
	if i < 0 {
		return len(reasonRows)
	}
	return i
}

// rule is one line of the ordered list; the first whose when holds decides.
type rule struct {
	name    string
	follows string // from it, for the documentation
	when    func(View) bool
	then    func(View) (ecp.State, ecp.Reason, string)
}

// stateRules are the rules for what agents show, in order.
var stateRules = []rule{
	// No report moves a cluster that is on its way out.
	{"not given back", "`abnormal` with QuotaReleaseFailed",
		func(v View) bool { return v.rec.Deleting && v.Snapshot.Failure != nil }, notGivenBack},
	{"deleting", "nothing: no report moves a cluster that is being deleted",
		func(v View) bool { return v.rec.Deleting }, keep},

	{"no agent is left", "`created`",
		func(v View) bool { return len(v.agents) == 0 && v.rec.Status.State != ecp.Created },
		is(ecp.Created, ecp.ReasonByRequest)},
	{"no agent yet", "nothing: it stays `created`", func(v View) bool { return len(v.agents) == 0 },
		keep},

	// Unseen is not broken.
	{"unheard keeps", "nothing: agents cannot be heard, or not yet, and the cluster is marked stale",
		func(v View) bool { return v.Stale() != "" }, keep},

	{"something is wrong", "`abnormal` with the most severe reason",
		func(v View) bool { return len(v.deciding()) > 0 }, wrong},
	{"the first report is awaited", "nothing: it stays `registering`",
		func(v View) bool { return v.waiting() && v.healthy == 0 }, keep},
	{"something may be wrong", "nothing: it was seen once, or an agent has just gone",
		func(v View) bool { return v.doubtful() }, keep},
	{"reported complete", "`running`", func(v View) bool { return v.healthy > 0 },
		is(ecp.Running, ecp.ReasonAsExpected)},
	{"nothing new", "nothing", func(View) bool { return true }, keep},
}

// DeriveState returns where an adopted cluster should stand. It is pure: the rules
// are tried in order and the first that matches decides.
func DeriveState(v View) derive.Derived {
	for _, r := range stateRules {
		if r.when(v) {
			s, reason, message := r.then(v)
			return derive.Derived{State: s, Reason: reason, Message: message, Rule: r.name}
		}
	}
	return derive.Derived{State: v.rec.Status.State, Reason: v.rec.Status.Reason, Message: v.rec.Status.Message}
}

func keep(v View) (ecp.State, ecp.Reason, string) {
	st := v.rec.Status
	return st.State, st.Reason, st.Message
}

func is(s ecp.State, r ecp.Reason) func(View) (ecp.State, ecp.Reason, string) {
	return func(View) (ecp.State, ecp.Reason, string) { return s, r, "" }
}

func wrong(v View) (ecp.State, ecp.Reason, string) {
	found := v.deciding()
	return ecp.Abnormal, found[0].Reason, describeFindings(found)
}

func notGivenBack(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Abnormal, ecp.ReasonQuotaReleaseFailed,
		"what the cluster has booked cannot be given back, it is tried again; delete with force removes the record " +
			"without: " + ecp.MessageOf(v.Snapshot.Failure)
}

// waiting reports whether the cluster's first complete report is awaited and has time.
func (v View) waiting() bool {
	return v.rec.Status.State == ecp.Registering && !v.overdue()
}

func (v View) overdue() bool {
	d := v.rec.Status.Deadline
	return !d.IsZero() && v.now.After(d)
}

// deciding are the findings that decide. While the first report is awaited nobody
// minds that an agent is not there yet; when the time for it is over, whatever is
// known to stand in the way counts.
func (v View) deciding() (out []finding) {
	limit := missed
	switch {
	case v.waiting():
		limit = certain
	case v.rec.Status.State == ecp.Registering && v.healthy == 0:
		limit = unsure
	}
	for _, f := range v.findings {
		if f.certainty <= limit {
			out = append(out, f)
		}
	}
	return out
}

// doubtful reports whether something may be wrong that does not count yet: what is known
// stays until that is certain. It holds up no cluster that would be better but for
// an agent that has only just registered.
func (v View) doubtful() bool {
	return slices.ContainsFunc(v.findings, func(f finding) bool {
		return f.certainty == unsure || f.certainty == unheard && !v.joining(f.agent)
	})
}

// joining reports whether an agent has registered a moment ago.
func (v View) joining(id ecp.AgentID) bool {
	i := slices.IndexFunc(v.agents, func(a ecp.AgentRecord) bool { return a.ID == id })
	return i >= 0 && !v.past(v.agents[i].RegisteredAt, v.t.Register)
}

// Stale returns why nothing at all can be told of the cluster; empty means something can.
func (v View) Stale() string {
	if len(v.agents) == 0 {
		return ""
	}
	if v.Snapshot.Agents.Unheard != "" {
		return v.Snapshot.Agents.Unheard
	}
	if v.heard || len(v.deciding()) > 0 || v.rec.Status.State == ecp.Created {
		return ""
	}
	for _, f := range v.findings {
		if f.certainty == unheard && !v.joining(f.agent) {
			return NoAgentHeard(v.Snapshot.Agents)
		}
	}
	return ""
}

func NoAgentHeard(obs ecp.AgentsObservation) string {
	return "no agent of the cluster has connected since this program was started at " + formatTime(obs.Since)
}

// worthStoring reports whether that is worth storing. Agents come back one after the
// other when the program was started anew, those of thousands of clusters within most
// of the time that they get: until then only [ecp.Info.Unseen] says so, from memory.
func (v View) worthStoring() bool {
	return v.Snapshot.Agents.Unheard != "" || v.rec.Status.State == ecp.Registering ||
		v.past(v.Snapshot.Agents.Since, unheardAfter(v.t))
}

// unheardAfter is how long after a start of the program a cluster of which nobody was heard
// is marked stale.
func unheardAfter(t ecp.Timings) time.Duration { return t.AgentReturn * 3 / 4 }
