package ecp

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Agents lists the agents of a cluster with what their connections show. It asks
// no agent.
func (m *Manager) Agents(ctx context.Context, id ID) ([]AgentInfo, error) {
	op := "list agents of " + string(id)
	rec, err := m.readableAdopted(ctx, op, RightRead, id)
	if err != nil {
		return nil, err
	}
	agents, err := childrenOf[AgentRecord](ctx, m, id)
	if err != nil {
		return nil, explain(op, err, "", "")
	}
	v := newAdoptedView(m.timings, m.now(), rec, agents, m.adoptedLook(id))
	out := make([]AgentInfo, 0, len(agents))
	for _, a := range agents {
		seen, _ := v.look.Obs.of(a.ID)
		i := AgentInfo{AgentRecord: a, Seen: seen}
		if f := v.worstOf(a.ID); f != nil {
			i.Reason, i.Message = f.reason, f.message
		}
		out = append(out, i)
	}
	sortAgents(out)
	return out, nil
}

// RemoveAgent takes an agent's key away and closes its connection: it cannot come
// back but with a registration token. Where it was the last one its cluster is
// created again. It wants [RightWrite].
func (m *Manager) RemoveAgent(ctx context.Context, id ID, agent AgentID) error {
	q := request{op: "remove agent " + clip(string(agent), maxAgentText), action: "remove", kind: KindAgent, key: string(agent), asked: id}
	err := do(ctx, m.Writer, q, func(w *work) error {
		if _, err := adoptedForChange(w, id, RightWrite); err != nil {
			return err
		}
		a, _, err := Get[AgentRecord](w.Tx, string(agent))
		if errors.Is(err, ErrNotFound) || err == nil && a.Cluster != id {
			return noSuch("agent", string(agent), ErrNotFound)
		}
		if err != nil {
			return err
		}
		return m.leaveTx(w, a, q.action)
	})
	if err != nil {
		return err
	}
	m.drop(id, agent)
	m.queue.add(id)
	return nil
}

// NoteAgent stores what has changed of an agent: to be called at transitions only,
// not for every report. A node that another agent had which is away is taken over
// from it, which is audited. Conflict where that one is connected, with words for
// people; unavailable where it may be about to come back: ask again later. No
// actor is needed.
func (m *Manager) NoteAgent(ctx context.Context, agent AgentID, n AgentNote) error {
	q := request{op: "note agent " + string(agent), kind: KindAgent, key: string(agent)}
	var changed bool
	var id ID
	err := m.byItself(ctx, q, func(w *work) error {
		w.actor = Actor{Name: agentActor + string(agent)}
		is, _, err := Get[AgentRecord](w.Tx, string(agent))
		if err != nil {
			return err
		}
		id, changed = is.Cluster, noteInto(n, &is)
		if node := clip(n.Node, maxAgentText); node != "" && (node != is.Node || is.Replaced != "") {
			rec, _, err := loadTx(w.Tx, id)
			if err != nil {
				return err
			}
			others, err := childrenIn[AgentRecord](w.Tx, id)
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
		return Put(w.Tx, is, AnyVersion)
	})
	if err == nil && changed {
		m.queue.add(id)
	}
	return err
}

// ageOut removes the agents whose nodes have left the cluster long ago.
func (m *Manager) ageOut(ctx context.Context, id ID, old []AgentID) error {
	if len(old) == 0 {
		return nil
	}
	q := request{op: fmt.Sprintf("forget agents of %s whose nodes have left", id), action: "forget", kind: KindAgent}
	err := m.byItself(ctx, q, func(w *work) error {
		w.actor = System
		all, err := childrenIn[AgentRecord](w.Tx, id)
		if err != nil {
			return err
		}
		for _, a := range all {
			if seen, _ := m.observe(id).of(a.ID); slices.Contains(old, a.ID) && !seen.Connected {
				if err := m.leaveTx(w, a, q.action); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		m.drop(id, old...)
	}
	return err
}
