package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/limits"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// removeAdopted ends a cluster that is being deleted: the limit of its broker is put
// back where one was set, then its agents are turned away, and what it has booked is
// given back.
func (m *Manager) removeAdopted(ctx context.Context, rec ecp.ClusterRecord) time.Duration {
	if !rec.OwesRelease() {
		m.observed.DropAgents(rec.ID)
	}
	mem := m.observed.MemoryOf(rec.ID)
	if wait := mem.Backoff.Left(m.observed.Tick(), rec.Revision); wait > 0 {
		return wait
	}
	err := m.releaseLimit(ctx, rec)
	if err == nil {
		err = m.removeRecord(ctx, rec.ID)
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err == nil || errors.Is(err, ecp.ErrNotFound) && !errors.Is(err, adopted.ErrNotReleased),
		errors.Is(err, limits.ErrOvertaken):
		return time.Millisecond
	case errors.Is(err, errNotHeard):
		return min(m.observed.Timings.Retry, time.Second)
	}
	m.logFailure(ctx, "remove cluster", rec.ID, err)
	most := sched.LongestRetry
	if errors.Is(err, errLimitKept) {
		most = limits.Retry
	}
	again := mem.Backoff.Fail(m.observed.Tick(), rec.Revision, m.observed.Timings.Retry, most)
	if errors.Is(err, adopted.ErrNotReleased) {
		m.tellNotReleased(ctx, rec.ID, m.observed.Now().UTC(), err)
	}
	return again
}

// removeRecord removes the record of a cluster that needs no release any more, and leaves
// a tombstone.
func (m *Manager) removeRecord(ctx context.Context, id ecp.ID) error {
	now := m.observed.Now().UTC()
	return m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, op, err := observed.LoadTx(tx, id)
		if err != nil {
			return err
		}
		if rec.OwesRelease() {
			return limits.ErrOvertaken
		}
		if err := removeAgents(tx, id); err != nil {
			return err
		}
		return writeStep(tx, m.removal(now, rec, op, derive.Derived{State: ecp.Gone, Reason: ecp.ReasonDeleted}, nil),
			now)
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
		v := adopted.NewView(m.observed.Timings, now, rec, nil, adopted.Snapshot{At: now, Failure: why})
		j := adopted.DeriveState(v)
		if rec.Status.State == j.State && rec.Status.Message == j.Message {
			return nil
		}
		return writeStep(tx, m.removal(now, rec, op, j, agents), now)
	})
	if err != nil && !errors.Is(err, ecp.ErrNotFound) {
		m.logFailure(ctx, "store cluster", id, err)
	}
}

// removal takes a cluster that is being deleted, and its operation, to where it
// should stand. agents are those that it still has.
func (m *Manager) removal(
	now time.Time, rec ecp.ClusterRecord, op *ecp.Operation, j derive.Derived, agents []ecp.AgentRecord,
) (out derive.Result) {
	before := rec.Status
	rec = rec.Clone()
	rec.Status.StaleFrom = time.Time{}
	out.Enter(m.observed.Timings, now, &rec, j)
	rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	if op != nil && !op.Phase.Final() {
		o := op.Clone()
		o.Phase, o.Error = derive.PhaseIn(o.Kind, j.State), j.Message
		if o.Phase.Final() {
			o.EndedAt, rec.Status.Operation = now, ""
			derive.StepsDone(&o, len(o.Steps))
		}
		out.Operation = &o
	}
	snap := adopted.Snapshot{At: now}
	if len(agents) > 0 {
		snap = m.observed.AdoptedSnapshot(rec.ID)
	}
	rec.Status.Conditions = adopted.Conditions(adopted.NewView(m.observed.Timings, now, rec, agents, snap))
	out.Finish(before, rec)
	return out
}

// errLimitKept says that a broker has not got its own limit back; errNotHeard that it
// is too early to say so, because agents get time to come back to this program.
var (
	errLimitKept = errors.New("the broker has not got its own limit back")
	errNotHeard  = errors.New("no agent of the cluster was heard yet")
)

// releaseLimit puts the limit back that a broker had before the first change from
// here, where its cluster is being deleted and that was not done yet. What it has
// booked is given back with that, and its agents, which were needed for it, go.
func (m *Manager) releaseLimit(ctx context.Context, rec ecp.ClusterRecord) error {
	if !rec.OwesRelease() {
		return nil
	}
	out := m.limits.Bring(ctx, rec, false)
	obs := m.observed.Observe(rec.ID)
	switch {
	case out.Done:
	case ctx.Err() != nil || errors.Is(out.Err, limits.ErrOvertaken):
		return out.Err
	case len(m.observed.LikeliestAgents(rec.ID)) == 0 &&
		(obs.Unheard != "" || m.observed.Now().Before(obs.Since.Add(m.observed.Timings.AgentReturn))):
		return errNotHeard
	default:
		n, _ := rec.LimitTarget()
		says := fmt.Sprintf("EMQX has not got its own limit of %d back: %s", n, adopted.Cause(ecp.MessageOf(out.Err)))
		return fmt.Errorf("%w: %w", adopted.ErrNotReleased,
			&ecp.Error{Code: ecp.CodeUnavailable, Message: says, Cause: errors.Join(errLimitKept, out.Err)})
	}
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		is, op, err := observed.LoadTx(tx, rec.ID)
		if err != nil {
			return err
		}
		if limits.Overtaken(rec, is) {
			return limits.ErrOvertaken
		}
		next := is.Clone()
		next.Status.Limit, next.Spec.Adopted.Connections = nil, 0
		if op != nil && !op.Phase.Final() {
			o := op.Clone()
			o.Note = out.Note
			derive.StepsDone(&o, 1)
			if err := ecp.Put(tx, o, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return errors.Join(removeAgents(tx, rec.ID), limits.Put(tx, is, next))
	})
	if err == nil {
		m.observed.DropAgents(rec.ID)
	}
	return err
}

// removeAgents takes the keys and registration tokens of a cluster away, so that
// nobody connects or registers any more.
func removeAgents(tx ecp.Tx, id ecp.ID) error {
	all, err := observed.ChildrenIn[ecp.AgentRecord](tx, id)
	if err != nil {
		return err
	}
	tokens, err := observed.ChildrenIn[ecp.RegistrationToken](tx, id)
	if err != nil {
		return err
	}
	for _, a := range all {
		err = errors.Join(err, tx.Delete(ecp.KindAgent, string(a.ID)))
	}
	for _, t := range tokens {
		err = errors.Join(err, tx.Delete(ecp.KindRegistrationToken, t.Hash))
	}
	return err
}
