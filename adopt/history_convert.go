package adopt

import (
	"slices"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// How far the times that agents tell are believed.
const (
	mostClockAhead = time.Minute        // beyond now: nothing has happened yet
	oldestHistory  = agents.HistoryKept // before now: it would not be kept
	skewNoticed    = 2 * time.Second    // a handshake's own time is within
	mostNodesNamed = 64
)

// entriesOf makes entries of what an agent has kept: times by our clock, texts
// bounded, in an order that the agent's clock cannot change.
func entriesOf(records []agentproto.HistoryRecord, j historyJob, now time.Time) []ecp.HistoryEntry {
	out := make([]ecp.HistoryEntry, 0, len(records))
	var ahead time.Duration // how far the agent's clock was ahead, going back in time
	if j.skew.Abs() > skewNoticed {
		ahead = j.skew
	}
	latest := now
	for _, r := range slices.Backward(records) {
		e, ok := entryOf(r, ahead)
		if s := r.State; s != nil && s.About == agentproto.AboutClock {
			ahead -= bounded(s.MovedMS)
		}
		if !ok {
			continue
		}
		told := e.At
		if e.At.After(latest) { // what came later was not later: the clock was set
			e.At = latest
		}
		if oldest := now.Add(-oldestHistory); e.At.Before(oldest) {
			e.At = oldest
		}
		e.Uncertain = told.Sub(e.At).Abs() > mostClockAhead
		latest = e.At
		e.Since, e.Until = plausible(e.Since, now), plausible(e.Until, now)
		e.Replayed = e.At.Before(j.connected)
		e.Place = ecp.HistoryPosition(r.Position())
		out = append(out, e)
	}
	slices.Reverse(out)
	return out
}

// bounded is a step of a clock that may be taken into account: of decades.
func bounded(ms int64) time.Duration {
	const most = int64(100 * 365 * 24 * time.Hour / time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}

// plausible returns a time that can have been, and zero for any other.
func plausible(t, now time.Time) time.Time {
	if t.Before(now.Add(-10*oldestHistory)) || t.After(now.Add(mostClockAhead)) {
		return time.Time{}
	}
	return t.UTC()
}

// entryOf is a record in the Manager's words, with times by our clock; false means it is of
// no kind that is kept.
func entryOf(r agentproto.HistoryRecord, ahead time.Duration) (e ecp.HistoryEntry, ok bool) {
	ours := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.Add(-ahead).UTC()
	}
	e.At = r.At.Add(-ahead).UTC()
	switch {
	case r.Alarm != nil:
		e.Kind, e.Name, e.Message, e.Since = ecp.HistoryAlarm, text(r.Alarm.Name, maxName), text(r.Alarm.Message,
			maxMessage), ours(r.Alarm.Since)
		if e.From, e.To = "active", "over"; r.Alarm.Active {
			e.From, e.To = "", "active"
		}
		for _, n := range r.Alarm.Nodes[:min(len(r.Alarm.Nodes), mostNodesNamed)] {
			e.Nodes = append(e.Nodes, text(n, maxName))
		}
	case r.Gap != nil:
		e.Kind, e.To, e.Since, e.Until = ecp.HistoryGap, text(string(r.Gap.Why),
			maxWord), ours(r.Gap.From), ours(r.Gap.Until)
		e.Message = gapWords[r.Gap.Why]
	case r.State != nil:
		if e.Kind, ok = changeKinds[r.State.About]; !ok {
			return e, false
		}
		e.Name, e.From, e.To = text(r.State.Name, maxName), text(r.State.From, maxWord), text(r.State.To, maxWord)
		e.Message, e.Since = text(r.State.Message, maxMessage), ours(r.State.Since)
		if e.Kind == ecp.HistoryClock {
			e.Message = "the clock of the agent's host was set by " + bounded(r.State.MovedMS).String()
		}
	default:
		return e, false
	}
	return e, true
}

var changeKinds = map[agentproto.ChangeAbout]ecp.HistoryKind{
	agentproto.AboutBroker: ecp.HistoryBroker, agentproto.AboutMember: ecp.HistoryMember,
	agentproto.AboutServer: ecp.HistoryServer, agentproto.AboutClock: ecp.HistoryClock,
}

// gapWords say why nothing is known of a time.
var gapWords = map[agentproto.GapReason]string{
	agentproto.GapNotRunning: "the agent did not run",
	agentproto.GapDropped:    "the agent's records of this time were older, or more, than it keeps",
	agentproto.GapDamaged:    "the agent's records of this time could not be written, or not be read",
}
