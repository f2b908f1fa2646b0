package derive

import (
	"time"

	"github.com/openecp/openecp/ecp"
)

// How much of the time between two observations counts, and what no clock is blamed for.
const (
	ObserveSlack = 10 * time.Second // an observation may be that much later than was planned
	ClockSlack   = time.Second      // a smaller difference is left as it is
)

// ClockMark is when a cluster was last observed, by both clocks, and the times that its record
// had then. Stored times are those of the wall clock, which people can read and another process
// can go on with; it steps. Patience is counted by the monotonic one.
type ClockMark struct {
	Wall, Tick         time.Time
	Planned            time.Duration // until the next observation at the latest
	deadline, draining time.Time
	revision           int64
}

// LostTime is what stored times have to be moved by: the wall clock has stepped,
// or nobody looked for longer than was planned, because the process or the
// machine stood still or no worker was free.
type LostTime struct{ deadline, draining time.Duration }

// Lost compares the clocks with those of the last observation. A time that was stored since
// then, by a command, is right as it is, unless another clock than this one has counted it.
func (k ClockMark) Lost(rec ecp.ClusterRecord, wall, tick time.Time) (out LostTime) {
	st, waits := rec.Status, wall.Sub(rec.UpdatedAt)
	if k.Tick.IsZero() {
		return out
	}
	if rec.Revision != k.revision && !st.Deadline.Equal(k.deadline) && waits.Abs() > ObserveSlack {
		out.deadline = waits
	}
	d := wall.Round(0).Sub(k.Wall) - min(tick.Sub(k.Tick), k.Planned+ObserveSlack)
	if d.Abs() < ClockSlack {
		return out
	}
	if st.Deadline.Equal(k.deadline) {
		out.deadline = d
	}
	if st.Draining != nil && st.Draining.Since.Equal(k.draining) {
		out.draining = d
	}
	return out
}

// NewClockMark notes an observation that was stored.
func NewClockMark(rec ecp.ClusterRecord, wall, tick time.Time) ClockMark {
	k := ClockMark{Wall: wall.Round(0), Tick: tick, deadline: rec.Status.Deadline, revision: rec.Revision}
	if rec.Status.Draining != nil {
		k.draining = rec.Status.Draining.Since
	}
	return k
}

// shiftDeadlines moves the times of a task on.
func shiftDeadlines(st *ecp.Status, by LostTime) {
	if !st.Deadline.IsZero() {
		st.Deadline = st.Deadline.Add(by.deadline)
	}
	if st.Draining != nil {
		st.Draining.Since = st.Draining.Since.Add(by.draining)
		if !st.Draining.Begun.IsZero() {
			st.Draining.Begun = st.Draining.Begun.Add(by.draining)
		}
	}
	for i := range st.Cordoned {
		c := &st.Cordoned[i]
		if c.Freed.IsZero() {
			c.Since = c.Since.Add(by.deadline)
		}
		if !c.Away.IsZero() {
			c.Away = c.Away.Add(by.deadline)
		}
	}
}

// AdjustDeadlines lets time in which nothing could be seen, or done because another
// program holds the platform or a maintenance window is waited for, or in which nobody
// looked, not count, and gives a cluster a fair chance that was not observed while the
// program was down.
func AdjustDeadlines(t ecp.Timings, now time.Time, rec *ecp.ClusterRecord, op *ecp.Operation, snap Snapshot,
	outcome Outcome) {
	st := &rec.Status
	stale := snap.Unseen != ""
	waiting := !stale && snap.NotHeld != ""
	window := !stale && !waiting && !NewView(now, *rec, snap).Opens().IsZero()
	if st.StaleFrom.IsZero() && st.WaitingFrom.IsZero() && st.WindowFrom.IsZero() {
		shiftDeadlines(st, outcome.Lost)
	}
	pauseDeadlines(st, &st.StaleFrom, stale, now)
	pauseDeadlines(st, &st.WaitingFrom, waiting, now)
	pauseDeadlines(st, &st.WindowFrom, window, now)
	if stale || waiting || window {
		return
	}
	if outcome.FirstObservation {
		boundTimes(t, now, rec)
	}
	if op != nil && !st.Deadline.IsZero() {
		op.Deadline = st.Deadline
	}
}

// pauseDeadlines notes in from since when deadlines stand still, and moves them on by
// that time when they do not any more: what was left then is left now, whatever
// the clock did.
func pauseDeadlines(st *ecp.Status, from *time.Time, paused bool, now time.Time) {
	switch {
	case paused && from.IsZero():
		*from = now
	case !paused && !from.IsZero():
		by := now.Sub(*from)
		shiftDeadlines(st, LostTime{by, by})
		*from = time.Time{}
	}
}

// boundTimes bounds what another process has stored: a task has some time left,
// and no more than it may have had, should the clock have been set back since.
func boundTimes(t ecp.Timings, now time.Time, rec *ecp.ClusterRecord) {
	st := &rec.Status
	least, most := now.Add(t.Dispatch), now.Add(longestPatience(t)+DrainTime(*rec))
	if !st.Deadline.IsZero() && st.Deadline.Before(least) {
		st.Deadline = least
	}
	if st.Deadline.After(most) {
		st.Deadline = most
	}
	if l := st.Draining; l != nil {
		patience := DrainDeadline(rec.Spec.Hosted.Evacuation)
		if end := l.Since.Add(patience); end.Before(least) {
			l.Since = least.Add(-patience)
		}
		if l.Since.After(now) {
			l.Since = now
		}
		if !l.Begun.IsZero() { // how long ago that is by the clock, nobody knows
			l.Begun = now
		}
	}
	for i := range st.Cordoned {
		c, patience := &st.Cordoned[i], DrainDeadline(rec.Spec.Hosted.Evacuation)
		if c.Since.Add(patience).Before(least) {
			c.Since = least.Add(-patience)
		}
		if c.Since.After(now) {
			c.Since = now
		}
	}
}

// longestPatience is the most that a task gets beside the time for clients to leave.
func longestPatience(t ecp.Timings) time.Duration { return max(t.Create, t.Start, t.Stop, t.Delete) }
