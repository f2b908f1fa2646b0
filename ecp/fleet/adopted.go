package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// passAdopted takes up what the agents of a cluster show, and carries its deletion
// out.
func (m *Manager) passAdopted(ctx context.Context, rec ecp.ClusterRecord) time.Duration {
	if rec.Deleting {
		return m.removeAdopted(ctx, rec)
	}
	agents, err := observed.ChildrenOf[ecp.AgentRecord](ctx, m.observed, rec.ID)
	if err != nil {
		m.complain(ctx, "read agents", rec.ID, err)
		return time.Second
	}
	mem, look := m.observed.MemoryOf(rec.ID), m.observed.AdoptedLook(rec.ID)
	m.observed.Mu.Lock()
	mem.Agents = mem.Agents.After(look.Tick, agents, derive.NewAdoptedView(m.observed.Timings, look.At, rec, agents, look))
	look.Take(mem.Agents)
	m.observed.Mu.Unlock()
	v := derive.NewAdoptedView(m.observed.Timings, look.At, rec, agents, look)
	if err := m.Agents.AgeOut(ctx, rec.ID, v.Departs); err != nil {
		m.complain(ctx, "forget agents", rec.ID, err)
	} else if len(v.Departs) > 0 {
		return time.Millisecond
	}
	again := m.settleAdopted(ctx, rec, agents, look)
	if look.Limit.N == 1 { // the next report decides, and wakes nobody where it says the same
		again = derive.Soonest(again, m.observed.Timings.Retry)
	}
	return derive.Soonest(again, m.settleLimit(ctx, rec.ID))
}

// settleAdopted stores what follows from what the agents show, and says when to
// look again.
func (m *Manager) settleAdopted(ctx context.Context, seen ecp.ClusterRecord, agents []ecp.AgentRecord, look derive.AdoptedLook) time.Duration {
	now, mem := look.At.UTC(), m.observed.MemoryOf(seen.ID)
	did := derive.Deed{FirstLook: !mem.Judged, Lost: mem.Mark.Lost(seen.Status, now, look.Tick)}
	after := seen
	if s := derive.AdvanceAdopted(m.observed.Timings, now, seen, nil, agents, look, did); len(s.Hops) > 0 {
		err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
			rec, op, err := observed.LoadTx(tx, seen.ID)
			if err != nil {
				return err
			}
			if agents, err = observed.ChildrenIn[ecp.AgentRecord](tx, seen.ID); err != nil {
				return err
			}
			after = rec
			s := derive.AdvanceAdopted(m.observed.Timings, now, rec, op, agents, look, did)
			if n := len(s.Hops); n > 0 {
				after = s.Hops[n-1]
			}
			return writeStep(tx, s, now)
		})
		m.observed.Counters.Writes.Add(1)
		if err != nil {
			if !errors.Is(err, ecp.ErrNotFound) {
				m.complain(ctx, "store cluster", seen.ID, err)
			}
			return time.Second
		}
	}
	v := derive.NewAdoptedView(m.observed.Timings, now, after, agents, look)
	again := v.Again()
	mem.Judged, mem.Mark = mem.Judged || v.Stale() == "", derive.NewMark(after.Status, now, look.Tick)
	mem.Mark.Planned = again
	if after.Status.State != seen.Status.State {
		m.observed.Log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State, "to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
	}
	return again
}

// removeAdopted ends a cluster that is being deleted: the limit of its broker is put
// back where one was set, then its agents are turned away, and what it has booked is
// given back.
func (m *Manager) removeAdopted(ctx context.Context, rec ecp.ClusterRecord) time.Duration {
	if !rec.OwesRelease() {
		m.Agents.Drop(rec.ID)
	}
	mem := m.observed.MemoryOf(rec.ID)
	if wait := mem.RetryAt.Sub(m.observed.Tick()); wait > 0 && mem.Tried == rec.Revision {
		return wait
	}
	err := m.releaseLimit(ctx, rec)
	if err == nil {
		err = m.bury(ctx, rec.ID)
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err == nil || errors.Is(err, ecp.ErrNotFound) && !errors.Is(err, derive.ErrNotReleased), errors.Is(err, errOvertaken):
		return time.Millisecond
	case errors.Is(err, errNotHeard):
		return min(m.observed.Timings.Retry, time.Second)
	}
	m.complain(ctx, "remove cluster", rec.ID, err)
	most := 30 * time.Second
	if errors.Is(err, errLimitKept) {
		most = limitRetry
	}
	again := m.backOff(mem, rec.Revision, most)
	if errors.Is(err, derive.ErrNotReleased) {
		m.tellNotReleased(ctx, rec.ID, m.observed.Now().UTC(), err)
	}
	return again
}

// bury removes the record of a cluster that owes nobody anything any more.
func (m *Manager) bury(ctx context.Context, id ecp.ID) error {
	now := m.observed.Now().UTC()
	return m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := observed.LoadTx(tx, id)
		if err != nil {
			return err
		}
		if rec.OwesRelease() {
			return errOvertaken
		}
		if err := agents.RemoveAgents(tx, id); err != nil {
			return err
		}
		return writeStep(tx, m.removal(now, rec, op, derive.Judgement{State: ecp.Gone, Reason: ecp.ReasonDeleted}, nil), now)
	})
}

// tellNotReleased shows that a cluster cannot go.
func (m *Manager) tellNotReleased(ctx context.Context, id ecp.ID, now time.Time, why error) {
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := observed.LoadTx(tx, id)
		if err != nil || rec.Force && errors.Is(why, errLimitKept) {
			return err
		}
		agents, err := observed.ChildrenIn[ecp.AgentRecord](tx, id)
		if err != nil {
			return err
		}
		v := derive.NewAdoptedView(m.observed.Timings, now, rec, nil, derive.AdoptedLook{At: now, Failure: why})
		j := derive.DeriveAdoptedState(v)
		if rec.Status.State == j.State && rec.Status.Message == j.Message {
			return nil
		}
		return writeStep(tx, m.removal(now, rec, op, j, agents), now)
	})
	if err != nil && !errors.Is(err, ecp.ErrNotFound) {
		m.complain(ctx, "store cluster", id, err)
	}
}

// removal takes a cluster that is being deleted, and its operation, to where it
// should stand. agents are those that it still has.
func (m *Manager) removal(now time.Time, rec ecp.ClusterRecord, op *ecp.Operation, j derive.Judgement, agents []ecp.AgentRecord) (out derive.Step) {
	rec = rec.Clone()
	rec.Status.StaleFrom = time.Time{}
	for _, s := range rec.StateMachine().Route(rec.Status.State, j.State) {
		derive.Enter(m.observed.Timings, now, &rec, s, j)
		out.Hops = append(out.Hops, rec.Clone())
	}
	rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	if op != nil && !op.Phase.Final() {
		o := op.Clone()
		o.Phase, o.Error = derive.PhaseIn(o.Kind, j.State), j.Message
		if o.Phase.Final() {
			o.EndedAt, rec.Status.Operation = now, ""
			derive.StepsDone(&o, len(o.Steps))
		}
		out.Op = &o
	}
	look := derive.AdoptedLook{At: now}
	if len(agents) > 0 {
		look = m.observed.AdoptedLook(rec.ID)
	}
	rec.Status.Conditions = derive.AdoptedConditions(derive.NewAdoptedView(m.observed.Timings, now, rec, agents, look))
	if n := len(out.Hops); n > 0 {
		out.Hops[n-1] = rec
	} else {
		out.Hops = append(out.Hops, rec)
	}
	return out
}
