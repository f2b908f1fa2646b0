package ecp

import "time"

// How much of the time between two looks counts, and what no clock is blamed for.
const (
	lookSlack  = 10 * time.Second // a look may be that much later than was planned
	clockSlack = time.Second      // a smaller difference is left as it is
)

// mark is when a cluster was last looked at, by both clocks, and the times that
// its record had then. Stored times are those of the wall clock, which people
// can read and another process can go on with; it steps. Patience is counted by
// the monotonic one.
type mark struct {
	wall, tick        time.Time
	planned           time.Duration // until the next look at the latest
	deadline, leaving time.Time
}

// lostTime is what stored times have to be moved by: the wall clock has stepped,
// or nobody looked for longer than was planned, because the process or the
// machine stood still or no worker was free.
type lostTime struct{ deadline, leaving time.Duration }

// lost compares the clocks with those of the last look. A time that was stored
// since then, by a command, is right as it is.
func (k mark) lost(st Status, wall, tick time.Time) (out lostTime) {
	if k.tick.IsZero() {
		return out
	}
	d := wall.Round(0).Sub(k.wall) - min(tick.Sub(k.tick), k.planned+lookSlack)
	if d.Abs() < clockSlack {
		return out
	}
	if st.Deadline.Equal(k.deadline) {
		out.deadline = d
	}
	if st.Leaving != nil && st.Leaving.Since.Equal(k.leaving) {
		out.leaving = d
	}
	return out
}

// newMark notes a look that was stored.
func newMark(st Status, wall, tick time.Time) mark {
	k := mark{wall: wall.Round(0), tick: tick, deadline: st.Deadline}
	if st.Leaving != nil {
		k.leaving = st.Leaving.Since
	}
	return k
}

// shiftDeadlines moves the times of a task on.
func shiftDeadlines(st *Status, by lostTime) {
	if !st.Deadline.IsZero() {
		st.Deadline = st.Deadline.Add(by.deadline)
	}
	if st.Leaving != nil {
		st.Leaving.Since = st.Leaving.Since.Add(by.leaving)
		if !st.Leaving.Begun.IsZero() {
			st.Leaving.Begun = st.Leaving.Begun.Add(by.leaving)
		}
	}
}

// moveDeadlines lets time in which nothing could be seen, or done because
// another program holds the platform, or in which nobody looked, not count, and
// gives a cluster that was not looked at while the program was down a fair chance.
func moveDeadlines(t Timings, now time.Time, rec *ClusterRecord, op *Operation, look Look, did deed) {
	st := &rec.Status
	stale := look.Unseen != ""
	waiting := !stale && look.NotHeld != ""
	if st.StaleFrom.IsZero() && st.WaitingFrom.IsZero() {
		shiftDeadlines(st, did.lost)
	}
	pauseDeadlines(st, &st.StaleFrom, stale, now)
	pauseDeadlines(st, &st.WaitingFrom, waiting, now)
	if stale || waiting {
		return
	}
	if did.firstLook {
		fairTimes(t, now, rec)
	}
	if op != nil && !st.Deadline.IsZero() {
		op.Deadline = st.Deadline
	}
}

// pauseDeadlines notes in from since when deadlines stand still, and moves them on by
// that time when they do not any more: what was left then is left now, whatever
// the clock did.
func pauseDeadlines(st *Status, from *time.Time, paused bool, now time.Time) {
	switch {
	case paused && from.IsZero():
		*from = now
	case !paused && !from.IsZero():
		by := now.Sub(*from)
		shiftDeadlines(st, lostTime{by, by})
		*from = time.Time{}
	}
}

// fairTimes bounds what another process has stored: a task has some time left,
// and no more than it may have had, should the clock have been set back since.
func fairTimes(t Timings, now time.Time, rec *ClusterRecord) {
	st := &rec.Status
	least, most := now.Add(t.Dispatch), now.Add(longestPatience(t)+leftToMove(*rec))
	if !st.Deadline.IsZero() && st.Deadline.Before(least) {
		st.Deadline = least
	}
	if st.Deadline.After(most) {
		st.Deadline = most
	}
	if l := st.Leaving; l != nil {
		patience := drainDeadline(rec.Spec.Hosted.Evacuation)
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
}

// longestPatience is the most that a task gets beside the time for clients to leave.
func longestPatience(t Timings) time.Duration { return max(t.Create, t.Start, t.Stop, t.Delete) }

// sureNow is the time by which things are removed for good: that of the wall
// clock, or an earlier one where it has been set forward since the Manager was
// made. What goes too late does no harm; what a wrong clock removes is lost.
func (m *Manager) sureNow() time.Time {
	now, counted := m.now(), m.made.wall.Add(m.tick().Sub(m.made.tick))
	if counted.Before(now) {
		return counted
	}
	return now
}
