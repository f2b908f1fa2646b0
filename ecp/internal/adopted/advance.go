package adopted

import (
	"errors"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// ErrNotReleased means that what a cluster has booked could not be given back, and
// not that the store failed.
var ErrNotReleased = errors.New("what the cluster has booked was not given back")

// AgentMemory is what the engine keeps of the reports of a cluster's agents. Its
// maps are never changed: a new one takes its place.
type AgentMemory struct {
	// Troubled counts, by agent, the reports in a row, at least a second apart, that
	// told of something wrong.
	Troubled map[ecp.AgentID]streak
	// Disagreeing counts in the same way the reports in which nodes disagreed on who is
	// a member.
	Disagreeing streak
	// OtherLimit counts those in which the broker keeps to another limit than the one that
	// was set from here.
	OtherLimit streak
	// Away is since when an agent has been away whose node is no member any more,
	// or is another agent's now, by the clock of [Snapshot.Tick].
	Away map[ecp.AgentID]time.Time
}

// After takes up what the agents show now.
func (k AgentMemory) After(tick time.Time, agents []ecp.AgentRecord, v View) AgentMemory {
	out := AgentMemory{Troubled: map[ecp.AgentID]streak{}, Away: map[ecp.AgentID]time.Time{}}
	words, at := apartReports(v.reports)
	out.Disagreeing = k.Disagreeing.next(words != "", at)
	differs, at := v.otherLimit()
	out.OtherLimit = k.OtherLimit.next(differs, at)
	complete := slices.ContainsFunc(v.reports, ecp.AgentReport.Complete)
	for _, a := range agents {
		seen, _ := v.Snapshot.Agents.Of(a.ID)
		if v.reportsOf(seen) {
			out.Troubled[a.ID] = k.Troubled[a.ID].next(reportTroubled(*seen.Report), seen.Report.At)
		} else if s, ok := k.Troubled[a.ID]; ok {
			out.Troubled[a.ID] = s
		}
		since, was := k.Away[a.ID]
		member := slices.ContainsFunc(v.reports, func(r ecp.AgentReport) bool { return reportHasNode(r, a.Node) })
		left := v.replaced(a) || a.Node != "" && complete && !member
		switch {
		case seen.Connected, !left && (complete || !was):
		case was:
			out.Away[a.ID] = since
		default:
			out.Away[a.ID] = tick
		}
	}
	return out
}

// Soonest is the first of two waits, of which 0 means that there is none.
func Soonest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// Advance is the pure core of a pass over an adopted cluster that is not
// being deleted.
func Advance(t ecp.Timings, now time.Time, rec ecp.ClusterRecord, op *ecp.Operation, agents []ecp.AgentRecord,
	snap Snapshot, outcome derive.Outcome) derive.Result {
	old := rec.Clone()
	rec = rec.Clone()
	v := NewView(t, now, rec, agents, snap)
	stale := v.Stale()
	if stale != "" && rec.Status.StaleFrom.IsZero() && !v.worthStoring() {
		return derive.Result{}
	}
	derive.AdjustDeadlines(t, now, &rec, op, derive.Snapshot{Unseen: stale}, outcome)
	if version := v.version(); version != "" {
		rec.Status.Version = version
	}
	if v.limitTaker(rec.Status.LimitDropped) {
		rec.Status.LimitDropped = nil
	}
	v.rec = rec
	var out derive.Result
	j := DeriveState(v)
	out.Enter(t, now, &rec, j)
	if j.State == rec.Status.State {
		rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	}
	v.rec = rec
	rec.Status.Conditions = Conditions(v)
	out.Finish(old.Status, rec)
	return out
}

// version is what EMQX was last reported to be; empty means nothing is.
func (v View) version() string {
	var newest ecp.AgentReport
	for _, r := range v.reports {
		if r.Description.Version != "" && r.At.After(newest.At) {
			newest = r
		}
	}
	return newest.Description.Version
}

// RequeueAfter says when something may show without anybody's doing; 0 means never.
func (v View) RequeueAfter() (d time.Duration) {
	soonest := func(from time.Time, patience time.Duration) {
		d = Soonest(d, max(0, from.Add(patience).Sub(v.now)))
	}
	if st := v.rec.Status; st.StaleFrom.IsZero() && !st.Deadline.IsZero() {
		soonest(st.Deadline, 0)
	}
	for _, a := range v.agents {
		seen, heard := v.Snapshot.Agents.Of(a.ID)
		switch {
		case !heard:
			soonest(a.RegisteredAt, v.t.Register)
			soonest(v.Snapshot.Agents.Since, v.t.AgentReturn)
			soonest(v.Snapshot.Agents.Since, unheardAfter(v.t))
		case !seen.Connected:
			soonest(seen.Since, v.t.AgentGrace)
		default:
			at, _ := lastSign(seen)
			soonest(at, v.t.ReportStale)
		}
		if since, ok := v.Snapshot.Away[a.ID]; ok {
			soonest(v.now, v.t.AgentAge-v.Snapshot.Tick.Sub(since))
		}
	}
	if d > 0 { // a time is past only after it
		d += time.Millisecond
	}
	return d
}
