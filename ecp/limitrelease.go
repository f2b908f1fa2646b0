package ecp

import (
	"context"
	"errors"
	"fmt"
)

// errLimitKept says that a broker has not got its own limit back; errNotHeard that it
// is too early to say so, because agents get time to come back to this program.
var (
	errLimitKept = errors.New("the broker has not got its own limit back")
	errNotHeard  = errors.New("no agent of the cluster was heard yet")
)

// releaseLimit puts the limit back that a broker had before the first change from
// here, where its cluster is being deleted and that was not done yet. What it has
// booked is given back with that, and its agents, which were needed for it, go.
func (m *Manager) releaseLimit(ctx context.Context, rec ClusterRecord) error {
	if !rec.owesRelease() {
		return nil
	}
	out := m.bringLimit(ctx, rec, false)
	obs := m.observe(rec.ID)
	switch {
	case out.done:
	case ctx.Err() != nil || errors.Is(out.err, errOvertaken):
		return out.err
	case len(m.likeliestAgents(rec.ID)) == 0 && (obs.Unheard != "" || m.now().Before(obs.Since.Add(m.timings.AgentReturn))):
		return errNotHeard
	default:
		n, _ := rec.limitTarget()
		says := fmt.Sprintf("EMQX has not got its own limit of %d back: %s", n, cause(MessageOf(out.err)))
		return fmt.Errorf("%w: %w", errNotReleased, &Error{Code: CodeUnavailable, Message: says, Cause: errors.Join(errLimitKept, out.err)})
	}
	err := m.store.Write(ctx, func(tx Tx) error {
		is, op, err := loadTx(tx, rec.ID)
		if err != nil {
			return err
		}
		if overtaken(rec, is) {
			return errOvertaken
		}
		next := is.Clone()
		next.Status.Limit, next.Spec.Adopted.Connections = nil, 0
		if op != nil && !op.Phase.Final() {
			o := op.Clone()
			o.Note = out.note
			stepsDone(&o, 1)
			if err := Put(tx, o, AnyVersion); err != nil {
				return err
			}
		}
		return errors.Join(removeAgents(tx, rec.ID), putLimit(tx, is, next))
	})
	if err == nil {
		m.drop(rec.ID)
	}
	return err
}
