package adopted

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// Snapshot is what is known of an adopted cluster at one time: what its agents
// show now, and what the engine remembers of their last reports.
type Snapshot struct {
	At     time.Time
	Agents ecp.AgentsObservation
	AgentMemory
	Tick time.Time // the time of the observation by a clock that does not step
	// NoAddress: no address is configured that agents could dial.
	NoAddress bool
	// Failure is why what the cluster has booked could not be given back; nil means it
	// could, or nobody has tried.
	Failure error
}

// streak counts what was seen in a row.
type streak struct {
	N    int
	last time.Time // when the last that counted was received
}

// enough is how often something that may be a hiccup has to be seen.
const enough = 2

// next counts one more that was received at a time, and forgets all where it
// shows nothing.
func (s streak) next(shows bool, at time.Time) streak {
	switch {
	case !shows:
		return streak{}
	case s.N == 0 || at.Sub(s.last) >= time.Second:
		return streak{s.N + 1, at}
	}
	return s
}

// certainty is how much weighs what seems to be wrong.
type certainty int

// The certainties.
const (
	certain certainty = iota // it is so
	missed                   // of an agent that is not there, or does not report: in the beginning it gets time
	unsure                   // it was seen once, or is about to show
	unheard                  // the program has only just begun to hear agents
)

// finding is one thing that is wrong with an agent, its broker, or all of them.
type finding struct {
	agent     ecp.AgentID // empty means the cluster's
	Reason    ecp.Reason
	Message   string
	certainty certainty
}

// View is what the rules read: the record, the observation, and what follows from
// both.
type View struct {
	t        ecp.Timings
	now      time.Time
	rec      ecp.ClusterRecord
	agents   []ecp.AgentRecord
	Snapshot Snapshot

	findings []finding         // the most severe first; those that do not count, or not yet, too
	reports  []ecp.AgentReport // the last reports of connected agents that are not too old
	healthy  int               // agents whose last report is complete and shows nothing wrong
	heard    bool              // some agent was heard by this program
	Expired  []ecp.AgentID     // whose nodes have left the cluster long ago
}

func NewView(t ecp.Timings, now time.Time, rec ecp.ClusterRecord, agents []ecp.AgentRecord,
	snap Snapshot) View {
	v := View{t: t, now: now, rec: rec, agents: agents, Snapshot: snap}
	for _, a := range agents {
		if seen, heard := snap.Agents.Of(a.ID); heard {
			v.heard = v.heard || seen.Connected
			if v.reportsOf(seen) {
				v.reports = append(v.reports, *seen.Report)
			}
		}
	}
	for _, a := range agents {
		v.inspectAgent(a)
	}
	if words, _ := apartReports(v.reports); words != "" {
		v.add(finding{"", ecp.ReasonPartitioned, words, certaintyOf(snap.Disagreeing)})
	}
	slices.SortStableFunc(v.findings, func(a, b finding) int { return severity(a.Reason) - severity(b.Reason) })
	return v
}

func (v *View) add(f finding) { v.findings = append(v.findings, f) }

// certaintyOf returns how certain is what was seen so often in a row.
func certaintyOf(s streak) certainty {
	if s.N >= enough {
		return certain
	}
	return unsure
}

// reportsOf reports whether an agent's last report tells how things are now.
func (v *View) reportsOf(seen ecp.AgentObservation) bool {
	return seen.Connected && seen.Report != nil && seen.Mismatch == "" && seen.Conflict == "" &&
		!v.past(seen.Report.At, v.t.ReportStale)
}

// past reports whether a time is over. One that lies far ahead is no time that this
// clock has shown: it counts as over.
func (v *View) past(from time.Time, d time.Duration) bool {
	return !v.now.Before(from.Add(d)) || v.now.Before(from.Add(-d-derive.ClockSlack))
}

// inspectAgent finds out what is wrong with one agent and the broker beside it.
func (v *View) inspectAgent(a ecp.AgentRecord) {
	seen, heard := v.Snapshot.Agents.Of(a.ID)
	say := func(reason ecp.Reason, sure certainty, format string, args ...any) {
		v.add(finding{a.ID, reason, "the agent " + a.Name() + " " + fmt.Sprintf(format, args...), sure})
	}
	if seen.Conflict != "" {
		say(ecp.ReasonIdentityConflict, certain, "is used twice: %s", seen.Conflict)
	}
	if seen.Mismatch != "" {
		say(ecp.ReasonClusterMismatch, certain, "is beside a broker of another cluster: %s", seen.Mismatch)
	}
	at, reported := lastSign(seen)
	switch {
	case v.replaced(a) && !seen.Connected:
		v.noteExpiry(a)
	case seen.Cut:
		say(ecp.ReasonAgentDisconnected, unheard, "may be connected to a daemon that this one cannot reach")
	case !heard && !v.past(a.RegisteredAt, v.t.Register):
		say(ecp.ReasonAgentDisconnected, v.newcomer(),
			"has registered and not connected yet; look at `emqxee-agent status` on its host")
	case !heard && !v.past(v.Snapshot.Agents.Since, v.t.AgentReturn):
		say(ecp.ReasonAgentDisconnected, unheard, "has not connected since this program was started at %s",
			formatTime(v.Snapshot.Agents.Since))
	case !seen.Connected:
		v.inspectAway(a, seen, say)
	case v.past(at, v.t.ReportStale):
		say(ecp.ReasonReportStale, missed,
			"is connected and has reported nothing since %s; look at `emqxee-agent status` on its host", formatTime(at))
	case !reported:
		say(ecp.ReasonReportStale, unsure, "has just connected and not reported yet")
	case seen.Mismatch == "" && seen.Conflict == "":
		v.inspectBroker(a, *seen.Report, say)
	}
}

// lastSign returns when an agent has reported since it connected, or else when it connected.
func lastSign(seen ecp.AgentObservation) (at time.Time, reported bool) {
	if seen.Report != nil && !seen.Report.At.Before(seen.Since) {
		return seen.Report.At, true
	}
	return seen.Since, false
}

// replaced reports whether another agent of the cluster has taken the node over.
func (v *View) replaced(a ecp.AgentRecord) bool {
	return a.Replaced != "" && slices.ContainsFunc(v.agents, func(b ecp.AgentRecord) bool { return b.ID == a.Replaced })
}

// noteExpiry notes an agent that has been of no use for long, and reports whether
// it is of none.
func (v *View) noteExpiry(a ecp.AgentRecord) bool {
	since, useless := v.Snapshot.Away[a.ID]
	if useless && v.Snapshot.Tick.Sub(since) >= v.t.AgentAge {
		v.Expired = append(v.Expired, a.ID)
	}
	return useless
}

// newcomer is how much it weighs that an agent which has just registered has not
// connected: nothing, where others are there.
func (v *View) newcomer() certainty {
	if v.rec.Status.State == ecp.Registering {
		return missed
	}
	return unheard
}

// agentSince is when an agent was last there, or else registered.
func agentSince(a ecp.AgentRecord, seen ecp.AgentObservation) time.Time {
	last := a.RegisteredAt
	for _, t := range []time.Time{a.LastSeen, seen.Since} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// inspectAway adds what is wrong with an agent that is not connected.
func (v *View) inspectAway(a ecp.AgentRecord, seen ecp.AgentObservation,
	say func(ecp.Reason, certainty, string, ...any)) {
	why := ""
	if v.noteExpiry(a) {
		why = fmt.Sprintf("; its node is no member of the cluster any more: remove the agent, or it is forgotten %s "+
			"after that", v.t.AgentAge)
	}
	since := agentSince(a, seen)
	if seen.Agent == "" && v.Snapshot.Agents.Since.After(since) {
		since = v.Snapshot.Agents.Since
	}
	switch since := formatTime(since); {
	case seen.Agent != "" && !v.past(seen.Since, v.t.AgentGrace):
		say(ecp.ReasonAgentDisconnected, unsure, "has just disconnected")
	case seen.Clean:
		say(ecp.ReasonAgentDisconnected, missed, "was stopped at %s; `emqxee-agent start` on its host starts it%s",
			since, why)
	default:
		say(ecp.ReasonAgentDisconnected, missed,
			"has not been heard since %s; look at `emqxee-agent status` and `emqxee-agent doctor` on its host%s", since,
			why)
	}
}

// inspectBroker adds what is wrong by the report of an agent.
func (v *View) inspectBroker(a ecp.AgentRecord, r ecp.AgentReport,
	say func(ecp.Reason, certainty, string, ...any)) {
	if why := unsupportedBroker(r); why != "" {
		say(ecp.ReasonUnsupportedVersion, certain, "found %s", why)
		return
	}
	sure := certaintyOf(v.Snapshot.Troubled[a.ID])
	switch f := r.Fault(); {
	case f != nil && f.Code == ecp.AgentFaultAuth:
		say(ecp.ReasonEMQXAuthFailed, sure, "was refused by EMQX: %s; %s", Cause(f.Message), HowToLogIn)
	case f != nil:
		say(ecp.ReasonEMQXUnreachable, sure, "cannot ask EMQX (%s): %s", f.Code, Cause(f.Message))
	case len(r.Description.Nodes) == 0:
		say(ecp.ReasonEMQXUnreachable, sure, "reports no members of its cluster")
	default:
		down := nodesDown(r)
		for _, words := range down {
			v.add(finding{"", ecp.ReasonNodeDown, words, sure})
		}
		if len(down) == 0 {
			v.healthy++
		}
	}
}

// HowToLogIn is the command that gives an agent what its broker takes.
const HowToLogIn = "on its host run `emqxee-agent register --emqx-dashboard-username NAME`, which asks for the " +
	"password, with an administrator of EMQX's dashboard"

// nodesDown returns the names of the members that do not run, as one report has it.
func nodesDown(r ecp.AgentReport) (out []string) {
	for _, n := range r.Description.Nodes {
		switch {
		case n.Status == ecp.NodeRunning:
		case n.Status == ecp.NodeStopped:
			out = append(out, n.Name+" is stopped")
		case n.Error != "":
			out = append(out, n.Name+" does not answer: "+Cause(n.Error))
		default:
			out = append(out, n.Name+" does not answer")
		}
	}
	slices.Sort(out)
	return out
}

// reportTroubled reports whether a report tells of something that has to be seen twice.
func reportTroubled(r ecp.AgentReport) bool { return !r.Complete() || len(nodesDown(r)) > 0 }

// apartReports returns in words which nodes disagree on who is a member, and when the
// oldest report was received that says so; empty means none do.
func apartReports(reports []ecp.AgentReport) (text string, at time.Time) {
	var words []string
	for _, a := range reports {
		for _, b := range reports {
			if !reportDisagrees(a, b) {
				continue
			}
			words = append(words, fmt.Sprintf("%s does not count %s as running, which runs", a.Node, b.Node))
			for _, r := range []ecp.AgentReport{a, b} {
				if at.IsZero() || r.At.Before(at) {
					at = r.At
				}
			}
		}
	}
	slices.Sort(words)
	return listed(slices.Compact(words)), at
}

// reportDisagrees reports whether a does not count b's node as running, which runs.
func reportDisagrees(r ecp.AgentReport, b ecp.AgentReport) bool {
	return r.Node != "" && b.Node != "" && r.Node != b.Node && r.Complete() && b.Complete() && !reportRuns(r, b.Node) &&
		reportRuns(b, b.Node)
}

// reportRuns reports whether the node that reported counts another as running.
func reportRuns(r ecp.AgentReport, node string) bool {
	return slices.ContainsFunc(r.Description.Nodes,
		func(n ecp.BrokerNode) bool { return n.Name == node && n.Status == ecp.NodeRunning })
}

// reportHasNode reports whether the node that reported knows of another at all.
func reportHasNode(r ecp.AgentReport, node string) bool {
	return slices.ContainsFunc(r.Description.Nodes, func(n ecp.BrokerNode) bool { return n.Name == node })
}

// supportedBrokers are the brokers that can be adopted.
const supportedBrokers = "EMQX Enterprise 4.4.6 or later of 4.4, or 5.6.0 or later"

// unsupportedBroker returns what was found instead of a broker that can be adopted;
// empty means it can be, as far as is known.
func unsupportedBroker(r ecp.AgentReport) string {
	d := r.Description
	const need = supportedBrokers + " is needed"
	if f := r.Fault(); f != nil && (f.Code == ecp.AgentFaultOpenSource || f.Code == ecp.AgentFaultVersion) {
		return Cause(f.Message) + "; " + need
	}
	if d.Edition == ecp.EditionOpenSource {
		return strings.TrimSpace("the open source edition of EMQX "+d.Version) + "; " + need
	}
	v, ok := ecp.ParseVersion(d.Version)
	if ok && (v.Before(ecp.Version{Major: 4, Minor: 4, Patch: 6}) || v.Major == 5 &&
		v.Before(ecp.Version{Major: 5, Minor: 6, Patch: 0})) {
		return "EMQX " + d.Version + "; " + need
	}
	return ""
}

// unverified says for people that a broker is newer than what this program was
// tried with; empty means it is not.
func unverified(version string) string {
	if v, ok := ecp.ParseVersion(version); ok && v.Unverified() {
		return "EMQX " + version + " is taken as 5.x is; this program was not verified with it"
	}
	return ""
}

// ephemeral are the parts of a network error that are others each time.
var ephemeral = regexp.MustCompile(`\S+:\d+->`)

// Cause makes the words of an agent fit for a message that does not change from
// report to report while the fault stays the same.
func Cause(s string) string { return derive.Clip(ephemeral.ReplaceAllString(s, ""), 300) }

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// WorstOf returns the most severe thing that is wrong with one agent; nil means nothing
// is known to be.
func (v *View) WorstOf(id ecp.AgentID) *finding {
	for _, f := range v.findings {
		if f.agent == id && f.certainty <= missed {
			return &f
		}
	}
	return nil
}

// maxListed is how many things that are wrong are told of at once.
const maxListed = 5

// describeFindings tells of what is wrong, the most severe first.
func describeFindings(found []finding) string {
	var out []string
	for i, f := range found {
		text := f.Message
		if i > 0 && f.Reason != found[0].Reason {
			text = string(f.Reason) + ": " + text
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return listed(out)
}

// listed joins sentences, of which it counts those that are too many.
func listed(words []string) string {
	if n := len(words) - maxListed; n > 0 {
		words = append(words[:maxListed], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, "; ")
}
