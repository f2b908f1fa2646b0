package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// AdoptedLook is what is known of an adopted cluster now. It asks nobody.
func (m *Manager) adoptedLook(id ecp.ID) derive.AdoptedLook {
	look := derive.AdoptedLook{At: m.now(), Tick: m.tick(), Obs: m.observe(id), NoAddress: m.agentAddress == ""}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		look.Take(mem.agents)
	}
	return look
}

// passAdopted takes up what the agents of a cluster show, and carries its deletion
// out.
func (m *Manager) passAdopted(ctx context.Context, rec ecp.ClusterRecord) time.Duration {
	if rec.Deleting {
		return m.removeAdopted(ctx, rec)
	}
	agents, err := childrenOf[ecp.AgentRecord](ctx, m, rec.ID)
	if err != nil {
		m.complain(ctx, "read agents", rec.ID, err)
		return time.Second
	}
	mem, look := m.memoryOf(rec.ID), m.adoptedLook(rec.ID)
	m.mu.Lock()
	mem.agents = mem.agents.After(look.Tick, agents, derive.NewAdoptedView(m.timings, look.At, rec, agents, look))
	look.Take(mem.agents)
	m.mu.Unlock()
	v := derive.NewAdoptedView(m.timings, look.At, rec, agents, look)
	if err := m.ageOut(ctx, rec.ID, v.Departs); err != nil {
		m.complain(ctx, "forget agents", rec.ID, err)
	} else if len(v.Departs) > 0 {
		return time.Millisecond
	}
	again := m.settleAdopted(ctx, rec, agents, look)
	if look.Limit.N == 1 { // the next report decides, and wakes nobody where it says the same
		again = derive.Soonest(again, m.timings.Retry)
	}
	return derive.Soonest(again, m.settleLimit(ctx, rec.ID))
}

// settleAdopted stores what follows from what the agents show, and says when to
// look again.
func (m *Manager) settleAdopted(ctx context.Context, seen ecp.ClusterRecord, agents []ecp.AgentRecord, look derive.AdoptedLook) time.Duration {
	now, mem := look.At.UTC(), m.memoryOf(seen.ID)
	did := derive.Deed{FirstLook: !mem.judged, Lost: mem.mark.Lost(seen.Status, now, look.Tick)}
	after := seen
	if s := derive.AdvanceAdopted(m.timings, now, seen, nil, agents, look, did); len(s.Hops) > 0 {
		err := m.store.Write(ctx, func(tx ecp.Tx) error {
			rec, op, err := loadTx(tx, seen.ID)
			if err != nil {
				return err
			}
			if agents, err = childrenIn[ecp.AgentRecord](tx, seen.ID); err != nil {
				return err
			}
			after = rec
			s := derive.AdvanceAdopted(m.timings, now, rec, op, agents, look, did)
			if n := len(s.Hops); n > 0 {
				after = s.Hops[n-1]
			}
			return writeStep(tx, s, now)
		})
		m.counters.writes.Add(1)
		if err != nil {
			if !errors.Is(err, ecp.ErrNotFound) {
				m.complain(ctx, "store cluster", seen.ID, err)
			}
			return time.Second
		}
	}
	v := derive.NewAdoptedView(m.timings, now, after, agents, look)
	again := v.Again()
	mem.judged, mem.mark = mem.judged || v.Stale() == "", derive.NewMark(after.Status, now, look.Tick)
	mem.mark.Planned = again
	if after.Status.State != seen.Status.State {
		m.log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State, "to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
	}
	return again
}

// removeAdopted ends a cluster that is being deleted: the limit of its broker is put
// back where one was set, then its agents are turned away, and what it has booked is
// given back.
func (m *Manager) removeAdopted(ctx context.Context, rec ecp.ClusterRecord) time.Duration {
	if !rec.OwesRelease() {
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
	case err == nil || errors.Is(err, ecp.ErrNotFound) && !errors.Is(err, derive.ErrNotReleased), errors.Is(err, errOvertaken):
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
	if errors.Is(err, derive.ErrNotReleased) {
		m.tellNotReleased(ctx, rec.ID, m.now().UTC(), err)
	}
	return again
}

// bury removes the record of a cluster that owes nobody anything any more.
func (m *Manager) bury(ctx context.Context, id ecp.ID) error {
	now := m.now().UTC()
	return m.store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := loadTx(tx, id)
		if err != nil {
			return err
		}
		if rec.OwesRelease() {
			return errOvertaken
		}
		if err := removeAgents(tx, id); err != nil {
			return err
		}
		return writeStep(tx, m.removal(now, rec, op, derive.Judgement{State: ecp.Gone, Reason: ecp.ReasonDeleted}, nil), now)
	})
}

// tellNotReleased shows that a cluster cannot go.
func (m *Manager) tellNotReleased(ctx context.Context, id ecp.ID, now time.Time, why error) {
	err := m.store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := loadTx(tx, id)
		if err != nil || rec.Force && errors.Is(why, errLimitKept) {
			return err
		}
		agents, err := childrenIn[ecp.AgentRecord](tx, id)
		if err != nil {
			return err
		}
		v := derive.NewAdoptedView(m.timings, now, rec, nil, derive.AdoptedLook{At: now, Failure: why})
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
		derive.Enter(m.timings, now, &rec, s, j)
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
		look = m.adoptedLook(rec.ID)
	}
	rec.Status.Conditions = derive.AdoptedConditions(derive.NewAdoptedView(m.timings, now, rec, agents, look))
	if n := len(out.Hops); n > 0 {
		out.Hops[n-1] = rec
	} else {
		out.Hops = append(out.Hops, rec)
	}
	return out
}
