package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// List lists the agents of a cluster with what their connections show. It asks
// no agent.
func (m *Registry) List(ctx context.Context, id ecp.ID) ([]ecp.AgentInfo, error) {
	op := "list agents of " + string(id)
	rec, err := m.readableAdopted(ctx, op, ecp.RightRead, id)
	if err != nil {
		return nil, err
	}
	agents, err := observed.ChildrenOf[ecp.AgentRecord](ctx, m.observed, id)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	v := adopted.NewView(m.observed.Timings, m.observed.Now(), rec, agents, m.observed.AdoptedSnapshot(id))
	out := make([]ecp.AgentInfo, 0, len(agents))
	for _, a := range agents {
		seen, _ := v.Snapshot.Agents.Of(a.ID)
		i := ecp.AgentInfo{AgentRecord: a, Seen: seen}
		if f := v.WorstOf(a.ID); f != nil {
			i.Reason, i.Message = f.Reason, f.Message
		}
		out = append(out, i)
	}
	sortAgents(out)
	return out, nil
}

// Remove takes an agent's key away and closes its connection: it cannot come
// back but with a registration token. Where it was the last one its cluster is
// created again. It wants [ecp.RightWrite].
func (m *Registry) Remove(ctx context.Context, id ecp.ID, agent ecp.AgentID) error {
	q := change.Request{Op: "remove agent " + derive.Clip(string(agent), observed.MaxAgentText), Action: "remove",
		Kind: ecp.KindAgent, Key: string(agent), Asked: id}
	err := change.Do(ctx, m.observed.Changes, q, func(w *change.Tx) error {
		if _, err := adoptedForChange(w, id, ecp.RightWrite); err != nil {
			return err
		}
		a, _, err := ecp.Get[ecp.AgentRecord](w.Tx, string(agent))
		if errors.Is(err, ecp.ErrNotFound) || err == nil && a.Cluster != id {
			return fault.NotFound("agent", string(agent), ecp.ErrNotFound)
		}
		if err != nil {
			return err
		}
		return m.leaveTx(w, a, q.Action)
	})
	if err != nil {
		return err
	}
	m.observed.DropAgents(id, agent)
	m.wake(id)
	return nil
}

// Note stores what has changed of an agent: to be called at transitions only,
// not for every report. A node that another agent had which is away is taken over
// from it, which is audited. Conflict where that one is connected, with words for
// people; unavailable where it may be about to come back: ask again later. No
// actor is needed.
func (m *Registry) Note(ctx context.Context, agent ecp.AgentID, n ecp.AgentNote) error {
	q := change.Request{Op: "note agent " + string(agent), Kind: ecp.KindAgent, Key: string(agent)}
	var changed bool
	var id ecp.ID
	err := m.observed.Changes.DoAs(ctx, ecp.Actor{Name: agentActor + string(agent)}, q, func(w *change.Tx) error {
		is, _, err := ecp.Get[ecp.AgentRecord](w.Tx, string(agent))
		if err != nil {
			return err
		}
		id, changed = is.Cluster, noteInto(n, &is)
		if node := derive.Clip(n.Node, observed.MaxAgentText); node != "" && (node != is.Node || is.Replaced != "") {
			rec, _, err := observed.LoadTx(w.Tx, id)
			if err != nil {
				return err
			}
			others, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, id)
			if err != nil {
				return err
			}
			if err := m.takeNode(w, rec.Project, &is, others, node); err != nil {
				return err
			}
			changed = true
		}
		if !changed {
			return nil
		}
		return ecp.Put(w.Tx, is, ecp.AnyVersion)
	})
	if err == nil && changed {
		m.wake(id)
	}
	return err
}

// RemoveExpired removes the agents whose nodes have left the cluster long ago.
func (m *Registry) RemoveExpired(ctx context.Context, id ecp.ID, old []ecp.AgentID) error {
	if len(old) == 0 {
		return nil
	}
	q := change.Request{Op: fmt.Sprintf("forget agents of %s whose nodes have left", id), Action: "forget",
		Kind: ecp.KindAgent}
	err := m.observed.Changes.DoAs(ctx, ecp.System, q, func(w *change.Tx) error {
		all, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, id)
		if err != nil {
			return err
		}
		for _, a := range all {
			if seen, _ := m.observed.Observe(id).Of(a.ID); slices.Contains(old, a.ID) && !seen.Connected {
				if err := m.leaveTx(w, a, q.Action); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		m.observed.DropAgents(id, old...)
	}
	return err
}
