package adopt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// settleLocked decides whose word on an agent counts, and takes it over: that of this
// daemon, or of one of the others.
func (h *Hub) settleLocked(a *agent) {
	var best *fellow
	for _, f := range h.shared.fellows {
		t := f.agents[a.id]
		if t != nil && t.Cluster == a.cluster.id &&
			(best == nil || f.standing(t).before(best.standing(best.agents[a.id]))) {
			best = f
		}
	}
	switch {
	case best == nil && a.home != nil:
		h.orphanLocked(a)
	case best == nil:
	case a.home != nil || a.connection.Agent == "":
		h.moveLocked(a, best)
	default:
		h.compareLocked(a, best)
	}
}

// orphanLocked takes up that no daemon knows anything of an agent any more.
func (h *Hub) orphanLocked(a *agent) {
	if a.connected || a.clean { // one that has moved has ended its connection on purpose
		a.connected, a.since, a.clean = false, h.now(), false
	}
	a.home, a.orphan, a.noted, a.serving, a.members = nil, true, true, time.Time{}, nil
	a.copied, a.conflict, a.mismatch = objection{}, objection{}, objection{}
	h.endConflictsLocked(a)
}

// moveLocked takes up what a daemon tells of an agent.
func (h *Hub) moveLocked(a *agent, f *fellow) {
	served := a.serves()
	a.takeTold(f, f.agents[a.id])
	if served && !a.connected {
		h.endConflictsLocked(a)
	}
}

// compareLocked decides between the last connection to this daemon and what another one
// tells.
func (h *Hub) compareLocked(a *agent, f *fellow) {
	t := f.agents[a.id]
	if h.standing(a).before(f.standing(t)) {
		return
	}
	if a.connected && a.connection.Instance != t.Connection.Instance {
		h.contestLocked(a, f)
		return
	}
	stale := a.connected
	h.moveLocked(a, f)
	h.publishLocked(a)
	if stale { // a newer connection of the same process
		id := a.id
		h.goLocked(func(context.Context) {
			h.server.Disconnect(string(id),
				agentproto.Refusal{Code: agentproto.RefusedGoingAway, Message: sayElsewhere})
		})
	}
}

// contestLocked asks the daemon that serves another process with the key of an agent whether
// that one answers. If it does, the connection to this daemon is refused after all: both
// came while the daemons did not hear one another.
func (h *Hub) contestLocked(a *agent, f *fellow) {
	if a.contested {
		return
	}
	a.contested = true
	fresh := a.connection
	h.goLocked(func(ctx context.Context) {
		r := h.contest(ctx, f.id, fresh)
		h.mu.Lock()
		a.contested = false
		still := h.findLocked(a.id) == a && a.home == nil && a.connected && a.connection.Since.Equal(fresh.Since)
		h.mu.Unlock()
		if r != nil && still {
			h.disconnect(a.id, *r)
		}
	})
}

// endConflictsLocked ends the conflicts in which an agent that has gone served.
func (h *Hub) endConflictsLocked(gone *agent) {
	for _, a := range gone.cluster.agents {
		if a.home == nil && a.conflict.by == gone.id {
			h.publishLocked(a)
		}
	}
	gone.cluster.endConflicts(gone)
}

// maxToldAgents bounds how many agents a daemon may tell of: five times as many as may be
// connected to it.
const maxToldAgents = 100_000

// takeAgent takes up what a daemon tells of an agent.
func (h *Hub) takeAgent(f *fellow, t *toldAgent) error {
	h.mu.Lock()
	if h.shared.fellows[f.id] != f {
		h.mu.Unlock()
		return nil
	}
	if _, known := f.agents[t.ID]; !known && len(f.agents) >= maxToldAgents {
		h.mu.Unlock()
		return fmt.Errorf("there are more than %d agents", maxToldAgents)
	}
	f.agents[t.ID] = t
	delete(f.old, t.ID)
	if was := h.known[t.ID]; was != t.Cluster {
		if a := h.findLocked(t.ID); a != nil && a.connected && a.home == nil && h.standing(a).before(f.standing(t)) {
			h.mu.Unlock() // it was in that cluster before it came here
			return nil
		}
		h.removeLocked(was, t.ID)
	}
	h.known[t.ID] = t.Cluster
	a, _ := h.agentLocked(t.Cluster, t.ID)
	reported := a.report
	h.settleLocked(a)
	now := h.now()
	matters := h.changedLocked(a.cluster)
	if news := a.home == f && a.report != nil && (reported == nil || !reported.At.Equal(a.report.At)); news {
		if matters {
			a.cluster.expectEchoes(now)
		} else {
			matters = a.echoes(now)
		}
	}
	h.mu.Unlock()
	if matters {
		h.wake(t.Cluster)
	}
	return nil
}

// removeLocked forgets an agent of a cluster that it has left.
func (h *Hub) removeLocked(id ecp.ID, agent ecp.AgentID) {
	c := h.clusters[id]
	if c == nil {
		return
	}
	delete(c.recorded, agent)
	if a := c.agents[agent]; a != nil {
		delete(c.agents, agent)
		h.endConflictsLocked(a)
		a.end()
		h.changedLocked(c)
	}
}

// takeGone takes up that a daemon knows nothing of some agents any more.
func (h *Hub) takeGone(f *fellow, gone ...ecp.AgentID) {
	changed := map[ecp.ID]bool{}
	var orphans []ecp.AgentID
	h.mu.Lock()
	for _, id := range gone {
		delete(f.agents, id)
		delete(f.old, id)
		if a := h.findLocked(id); a != nil && a.home == f {
			h.settleLocked(a)
			changed[a.cluster.id] = h.changedLocked(a.cluster) || changed[a.cluster.id]
			if a.orphan {
				orphans = append(orphans, id)
			}
		}
	}
	if len(orphans) > 0 {
		h.goLocked(func(ctx context.Context) { h.dropRemoved(ctx, orphans) })
	}
	h.mu.Unlock()
	for id, matters := range changed {
		if matters {
			h.wake(id)
		}
	}
}

// dropRemoved forgets those of some agents that were removed: what a daemon told of one may
// have been on its way when that one was dropped here.
func (h *Hub) dropRemoved(ctx context.Context, agents []ecp.AgentID) {
	for _, id := range agents {
		if _, err := h.boundTo().Key(ctx, id); !errors.Is(err, ecp.ErrNotFound) {
			continue
		}
		h.mu.RLock()
		of, a := h.known[id], h.findLocked(id)
		orphan := a != nil && a.orphan
		h.mu.RUnlock()
		if orphan {
			h.Drop(of, id)
			h.wake(of)
		}
	}
}

// resettle decides anew on all agents that a daemon has told of: it is heard now, or no
// longer, or its clock was set.
func (h *Hub) resettle(f *fellow, change func()) {
	changed := map[ecp.ID]bool{}
	h.mu.Lock()
	change()
	for id := range f.agents {
		if a := h.findLocked(id); a != nil {
			h.settleLocked(a)
			changed[a.cluster.id] = h.changedLocked(a.cluster) || changed[a.cluster.id]
		}
	}
	h.mu.Unlock()
	for id, matters := range changed {
		if matters {
			h.wake(id)
		}
	}
}
