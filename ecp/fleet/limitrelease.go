package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
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
func (m *Manager) releaseLimit(ctx context.Context, rec ecp.ClusterRecord) error {
	if !rec.OwesRelease() {
		return nil
	}
	out := m.bringLimit(ctx, rec, false)
	obs := m.observed.Observe(rec.ID)
	switch {
	case out.Done:
	case ctx.Err() != nil || errors.Is(out.Err, errOvertaken):
		return out.Err
	case len(m.observed.LikeliestAgents(rec.ID)) == 0 && (obs.Unheard != "" || m.observed.Now().Before(obs.Since.Add(m.observed.Timings.AgentReturn))):
		return errNotHeard
	default:
		n, _ := rec.LimitTarget()
		says := fmt.Sprintf("EMQX has not got its own limit of %d back: %s", n, derive.Cause(ecp.MessageOf(out.Err)))
		return fmt.Errorf("%w: %w", derive.ErrNotReleased, &ecp.Error{Code: ecp.CodeUnavailable, Message: says, Cause: errors.Join(errLimitKept, out.Err)})
	}
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		is, op, err := observed.LoadTx(tx, rec.ID)
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
			o.Note = out.Note
			derive.StepsDone(&o, 1)
			if err := ecp.Put(tx, o, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return errors.Join(agents.RemoveAgents(tx, rec.ID), putLimit(tx, is, next))
	})
	if err == nil {
		m.Agents.Drop(rec.ID)
	}
	return err
}
