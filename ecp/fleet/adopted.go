package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// reconcileAdopted takes up what the agents of a cluster show, and carries its deletion
// out.
func (m *Manager) reconcileAdopted(ctx context.Context, rec ecp.ClusterRecord) time.Duration {
	if rec.Deleting {
		return m.removeAdopted(ctx, rec)
	}
	agents, err := observed.ChildrenOf[ecp.AgentRecord](ctx, m.observed, rec.ID)
	if err != nil {
		m.logFailure(ctx, "read agents", rec.ID, err)
		return time.Second
	}
	m.takeOver(ctx, m.observed.MemoryOf(rec.ID))
	snap := m.observed.ObserveAgents(rec, agents)
	v := adopted.NewView(m.observed.Timings, snap.At, rec, agents, snap)
	if err := m.Agents.RemoveExpired(ctx, rec.ID, v.Expired); err != nil {
		m.logFailure(ctx, "forget agents", rec.ID, err)
	} else if len(v.Expired) > 0 {
		return time.Millisecond
	}
	again := m.persistAdopted(ctx, rec, agents, snap)
	if snap.OtherLimit.N == 1 { // the next report decides, and wakes nobody where it says the same
		again = adopted.Soonest(again, m.observed.Timings.Retry)
	}
	return adopted.Soonest(again, m.limits.Reconcile(ctx, rec.ID))
}

// persistAdopted stores what follows from what the agents show, and returns after what
// time the cluster is reconciled again.
func (m *Manager) persistAdopted(
	ctx context.Context, seen ecp.ClusterRecord, agents []ecp.AgentRecord, snap adopted.Snapshot,
) time.Duration {
	now, mem := snap.At.UTC(), m.observed.MemoryOf(seen.ID)
	outcome := derive.Outcome{FirstObservation: !mem.Derived, Lost: mem.Mark.Lost(seen, now, snap.Tick)}
	after := seen
	if s := adopted.Advance(m.observed.Timings, now, seen, nil, agents, snap, outcome); len(s.Transitions) > 0 {
		err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
			rec, op, err := observed.LoadTx(tx, seen.ID)
			if err != nil {
				return err
			}
			if agents, err = observed.ChildrenIn[ecp.AgentRecord](tx, seen.ID); err != nil {
				return err
			}
			after = rec
			s := adopted.Advance(m.observed.Timings, now, rec, op, agents, snap, outcome)
			if n := len(s.Transitions); n > 0 {
				after = s.Transitions[n-1]
			}
			return writeStep(tx, s, now)
		})
		m.observed.Counters.Writes.Add(1)
		if err != nil {
			if !errors.Is(err, ecp.ErrNotFound) {
				m.logFailure(ctx, "store cluster", seen.ID, err)
			}
			return time.Second
		}
	}
	v := adopted.NewView(m.observed.Timings, now, after, agents, snap)
	again := v.RequeueAfter()
	mem.Derived, mem.Mark = mem.Derived || v.Stale() == "", derive.NewClockMark(after, now, snap.Tick)
	mem.Mark.Planned = again
	if after.Status.State != seen.Status.State {
		m.observed.Log.InfoContext(ctx, "cluster moved", "cluster", seen.ID, "from", seen.Status.State,
			"to", after.Status.State, "reason", after.Status.Reason, "message", after.Status.Message)
	}
	return again
}

// validateAdopted checks a spec. An address that was stored before, by whatever
// rules, stands until it is changed.
func (m *Manager) validateAdopted(p *fault.Fields, s, was ecp.AdoptedSpec) {
	if s.Connections < 0 || s.Connections > ecp.MaxConnections {
		p.Add("spec.connections", "is %d; 0 to %d connections are allowed", s.Connections, ecp.MaxConnections)
	}
	if s.ServiceAddress == "" || s.ServiceAddress == was.ServiceAddress {
		return
	}
	if why := validate.ServiceAddress(s.ServiceAddress, m.localServiceAddresses); why != "" {
		p.Add("spec.serviceAddress", "%s", why)
	}
}
