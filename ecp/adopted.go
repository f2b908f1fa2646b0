package ecp

import (
	"context"
	"errors"
	"slices"
	"time"
)

// errNotReleased says that what a cluster has booked could not be given back, and
// not that the store failed.
var errNotReleased = errors.New("what the cluster has booked was not given back")

// agentMemory is what the engine keeps of the reports of a cluster's agents. Its
// maps are never changed: a new one takes its place.
type agentMemory struct {
	bad     map[AgentID]streak
	apart   streak
	limit   streak
	away    map[AgentID]time.Time
	failure error // of the last try to give back what is booked
}

// after takes up what the agents show now.
func (k agentMemory) after(tick time.Time, agents []AgentRecord, v adoptedView) agentMemory {
	out := agentMemory{bad: map[AgentID]streak{}, away: map[AgentID]time.Time{}, failure: k.failure}
	words, at := apartReports(v.fresh)
	out.apart = k.apart.next(words != "", at)
	differs, at := v.otherLimit()
	out.limit = k.limit.next(differs, at)
	told := slices.ContainsFunc(v.fresh, AgentReport.Complete)
	for _, a := range agents {
		seen, _ := v.look.Obs.of(a.ID)
		if v.reportsOf(seen) {
			out.bad[a.ID] = k.bad[a.ID].next(reportTroubled(*seen.Report), seen.Report.At)
		} else if s, ok := k.bad[a.ID]; ok {
			out.bad[a.ID] = s
		}
		since, was := k.away[a.ID]
		member := slices.ContainsFunc(v.fresh, func(r AgentReport) bool { return reportHasNode(r, a.Node) })
		left := v.replaced(a) || a.Node != "" && told && !member
		switch {
		case seen.Connected, !left && (told || !was):
		case was:
			out.away[a.ID] = since
		default:
			out.away[a.ID] = tick
		}
	}
	return out
}

// adoptedLook is what is known of an adopted cluster now. It asks nobody.
func (m *Manager) adoptedLook(id ID) adoptedLook {
	look := adoptedLook{At: m.now(), Tick: m.tick(), Obs: m.observe(id), NoAddress: m.agentAddress == ""}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		look.take(mem.agents)
	}
	return look
}

func (l *adoptedLook) take(k agentMemory) {
	l.Bad, l.Apart, l.Limit, l.Away, l.Failure = k.bad, k.apart, k.limit, k.away, k.failure
}

// passAdopted takes up what the agents of a cluster show, and carries its deletion
// out.
func (m *Manager) passAdopted(ctx context.Context, rec ClusterRecord) time.Duration {
	if rec.Deleting {
		return m.removeAdopted(ctx, rec)
	}
	agents, err := childrenOf[AgentRecord](ctx, m, rec.ID)
	if err != nil {
		m.complain(ctx, "read agents", rec.ID, err)
		return time.Second
	}
	mem, look := m.memoryOf(rec.ID), m.adoptedLook(rec.ID)
	m.mu.Lock()
	mem.agents = mem.agents.after(look.Tick, agents, newAdoptedView(m.timings, look.At, rec, agents, look))
	look.take(mem.agents)
	m.mu.Unlock()
	v := newAdoptedView(m.timings, look.At, rec, agents, look)
	if err := m.ageOut(ctx, rec.ID, v.departs); err != nil {
		m.complain(ctx, "forget agents", rec.ID, err)
	} else if len(v.departs) > 0 {
		return time.Millisecond
	}
	again := m.settleAdopted(ctx, rec, agents, look)
	if look.Limit.n == 1 { // the next report decides, and wakes nobody where it says the same
		again = soonest(again, m.timings.Retry)
	}
	return soonest(again, m.settleLimit(ctx, rec.ID))
}

// soonest is the first of two waits, of which 0 means that there is none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// settleAdopted stores what follows from what the agents show, and says when to
// look again.
func (m *Manager) settleAdopted(ctx context.Context, seen ClusterRecord, agents []AgentRecord, look adoptedLook) time.Duration {
	now, mem := look.At.UTC(), m.memoryOf(seen.ID)
	did := deed{firstLook: !mem.judged, lost: mem.mark.lost(seen.Status, now, look.Tick)}
	after := seen
	if s := advanceAdopted(m.timings, now, seen, nil, agents, look, did); len(s.hops) > 0 {
		err := m.store.Write(ctx, func(tx Tx) error {
			rec, op, err := loadTx(tx, seen.ID)
			if err != nil {
				return err
			}
			if agents, err = childrenIn[AgentRecord](tx, seen.ID); err != nil {
				return err
			}
			after = rec
			s := advanceAdopted(m.timings, now, rec, op, agents, look, did)
			if n := len(s.hops); n > 0 {
				after = s.hops[n-1]
			}
			return writeStep(tx, s, now)
		})
		m.counters.writes.Add(1)
		if err != nil {
			if !errors.Is(err, ErrNotFound) {
				m.complain(ctx, "store cluster", seen.ID, err)
			}
			return time.Second
		}
	}
	v := newAdoptedView(m.timings, now, after, agents, look)
	again := v.again()
	mem.judged, mem.mark = mem.judged || v.stale() == "", newMark(after.Status, now, look.Tick)
	mem.mark.planned = again
	if after.Status.State != seen.Status.State {
		m.log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State, "to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
	}
	return again
}

// advanceAdopted is the pure core of a pass over an adopted cluster that is not
// being deleted.
func advanceAdopted(t Timings, now time.Time, rec ClusterRecord, op *Operation, agents []AgentRecord, look adoptedLook, did deed) step {
	old := rec.Clone()
	rec = rec.Clone()
	v := newAdoptedView(t, now, rec, agents, look)
	stale := v.stale()
	if stale != "" && rec.Status.StaleFrom.IsZero() && !v.worthStoring() {
		return step{}
	}
	moveDeadlines(t, now, &rec, op, Look{Unseen: stale}, did)
	if version := v.version(); version != "" {
		rec.Status.Version = version
	}
	if v.limitTaker(rec.Status.LimitDropped) {
		rec.Status.LimitDropped = nil
	}
	v.rec = rec
	var out step
	j := deriveAdoptedState(v)
	for _, s := range rec.StateMachine().Route(rec.Status.State, j.State) {
		enter(t, now, &rec, s, j)
		out.hops = append(out.hops, rec.Clone())
	}
	if j.State == rec.Status.State {
		rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	}
	v.rec = rec
	rec.Status.Conditions = adoptedConditions(v)
	if n := len(out.hops); n > 0 {
		out.hops[n-1] = rec
	} else if !sameStatus(old.Status, rec.Status) {
		out.hops = append(out.hops, rec)
	}
	return out
}

// version is what EMQX was last reported to be; "" = nothing is.
func (v adoptedView) version() string {
	var newest AgentReport
	for _, r := range v.fresh {
		if r.Description.Version != "" && r.At.After(newest.At) {
			newest = r
		}
	}
	return newest.Description.Version
}

// again says when something may show without anybody's doing; 0 = never.
func (v adoptedView) again() (d time.Duration) {
	soonest := func(from time.Time, patience time.Duration) {
		if left := from.Add(patience).Sub(v.now); left > 0 && (d == 0 || left < d) {
			d = left
		}
	}
	if st := v.rec.Status; st.StaleFrom.IsZero() && !st.Deadline.IsZero() {
		soonest(st.Deadline, 0)
	}
	for _, a := range v.agents {
		seen, heard := v.look.Obs.of(a.ID)
		switch {
		case !heard:
			soonest(a.RegisteredAt, v.t.Register)
			soonest(v.look.Obs.Since, v.t.AgentReturn)
			soonest(v.look.Obs.Since, unheardAfter(v.t))
		case !seen.Connected:
			soonest(seen.Since, v.t.AgentGrace)
		case seen.Report != nil && !seen.Report.At.Before(seen.Since):
			soonest(seen.Report.At, v.t.ReportStale)
		default:
			soonest(seen.Since, v.t.ReportStale)
		}
		if since, ok := v.look.Away[a.ID]; ok {
			soonest(v.now, v.t.AgentAge-v.look.Tick.Sub(since))
		}
	}
	if d > 0 { // a time is past only after it
		d += time.Millisecond
	}
	return d
}

// removeAdopted ends a cluster that is being deleted: the limit of its broker is put
// back where one was set, then its agents are turned away, and what it has booked is
// given back.
func (m *Manager) removeAdopted(ctx context.Context, rec ClusterRecord) time.Duration {
	if !rec.owesRelease() {
		m.drop(rec.ID)
	}
	mem := m.memoryOf(rec.ID)
	if wait := mem.retryAt.Sub(m.tick()); wait > 0 && mem.tried == rec.Revision {
		return wait
	}
	err := m.releaseLimit(ctx, rec)
	if err == nil {
		err = m.bury(ctx, rec.ID)
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err == nil || errors.Is(err, ErrNotFound) && !errors.Is(err, errNotReleased), errors.Is(err, errOvertaken):
		return time.Millisecond
	case errors.Is(err, errNotHeard):
		return min(m.timings.Retry, time.Second)
	}
	m.complain(ctx, "remove cluster", rec.ID, err)
	most := 30 * time.Second
	if errors.Is(err, errLimitKept) {
		most = limitRetry
	}
	again := m.backOff(mem, rec.Revision, most)
	if errors.Is(err, errNotReleased) {
		m.tellNotReleased(ctx, rec.ID, m.now().UTC(), err)
	}
	return again
}

// bury removes the record of a cluster that owes nobody anything any more.
func (m *Manager) bury(ctx context.Context, id ID) error {
	now := m.now().UTC()
	return m.store.Write(ctx, func(tx Tx) error {
		rec, op, err := loadTx(tx, id)
		if err != nil {
			return err
		}
		if rec.owesRelease() {
			return errOvertaken
		}
		if err := removeAgents(tx, id); err != nil {
			return err
		}
		return writeStep(tx, m.removal(now, rec, op, Judgement{State: Gone, Reason: ReasonDeleted}, nil), now)
	})
}

// tellNotReleased shows that a cluster cannot go.
func (m *Manager) tellNotReleased(ctx context.Context, id ID, now time.Time, why error) {
	err := m.store.Write(ctx, func(tx Tx) error {
		rec, op, err := loadTx(tx, id)
		if err != nil || rec.Force && errors.Is(why, errLimitKept) {
			return err
		}
		agents, err := childrenIn[AgentRecord](tx, id)
		if err != nil {
			return err
		}
		v := newAdoptedView(m.timings, now, rec, nil, adoptedLook{At: now, Failure: why})
		j := deriveAdoptedState(v)
		if rec.Status.State == j.State && rec.Status.Message == j.Message {
			return nil
		}
		return writeStep(tx, m.removal(now, rec, op, j, agents), now)
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		m.complain(ctx, "store cluster", id, err)
	}
}

// removal takes a cluster that is being deleted, and its operation, to where it
// should stand. agents are those that it still has.
func (m *Manager) removal(now time.Time, rec ClusterRecord, op *Operation, j Judgement, agents []AgentRecord) (out step) {
	rec = rec.Clone()
	rec.Status.StaleFrom = time.Time{}
	for _, s := range rec.StateMachine().Route(rec.Status.State, j.State) {
		enter(m.timings, now, &rec, s, j)
		out.hops = append(out.hops, rec.Clone())
	}
	rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	if op != nil && !op.Phase.Final() {
		o := op.Clone()
		o.Phase, o.Error = phaseIn(o.Kind, j.State), j.Message
		if o.Phase.Final() {
			o.EndedAt, rec.Status.Operation = now, ""
			stepsDone(&o, len(o.Steps))
		}
		out.op = &o
	}
	look := adoptedLook{At: now}
	if len(agents) > 0 {
		look = m.adoptedLook(rec.ID)
	}
	rec.Status.Conditions = adoptedConditions(newAdoptedView(m.timings, now, rec, agents, look))
	if n := len(out.hops); n > 0 {
		out.hops[n-1] = rec
	} else {
		out.hops = append(out.hops, rec)
	}
	return out
}
