package adopt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// Connected takes an agent that has proved who it is. What it reports counts once
// its node and its broker are known to be those of its cluster.
func (h *Hub) Connected(conn agentproto.Connection) {
	h.mu.Lock()
	id, known := h.known[ecp.AgentID(conn.Agent)]
	if !known { // removed since its key was looked up
		h.mu.Unlock()
		h.disconnect(ecp.AgentID(conn.Agent), agentproto.Refusal{Code: agentproto.RefusedRemoved, Message: sayRemoved})
		return
	}
	a, before := h.agentLocked(id, ecp.AgentID(conn.Agent))
	a.end()
	a.connection, a.connected, a.since, a.clean, a.lastSeen, a.noted = conn, true, conn.Since, false, conn.Since, false
	a.members, a.serving, a.home, a.orphan = nil, time.Time{}, nil, false
	h.stats.connections.Add(1)
	if before {
		h.stats.reconnections.Add(1)
	}
	h.readLocked(a)
	h.changedLocked(a.cluster)
	h.publishLocked(a)
	h.mu.Unlock()
	h.wake(a.cluster.id)
}

// agentLocked finds an agent of a cluster, or adds it; before reports whether it
// was there.
func (h *Hub) agentLocked(id ecp.ID, agentID ecp.AgentID) (a *agent, before bool) {
	c := h.clusters[id]
	if c == nil {
		c = newCluster(id)
		h.clusters[id] = c
	}
	if a = c.agents[agentID]; a != nil {
		return a, true
	}
	a = &agent{id: agentID, cluster: c}
	c.agents[agentID] = a
	if _, there := c.recorded[agentID]; !there {
		c.recorded[agentID] = ""
	}
	return a, false
}

// Disconnected takes the end of a connection. Conflicts that it stood in end with
// it.
func (h *Hub) Disconnected(conn agentproto.Connection, e agentproto.Ending) {
	h.mu.Lock()
	a := h.findLocked(ecp.AgentID(conn.Agent))
	if a == nil || !a.connected || a.home != nil || a.connection.Instance != conn.Instance ||
		!a.connection.Since.Equal(conn.Since) {
		h.mu.Unlock() // dropped, or replaced by a newer one
		return
	}
	a.end()
	a.connected, a.since, a.clean, a.serving, a.members = false, e.At, e.Clean, time.Time{}, nil
	a.lastSeen = h.heardUntil(a, e)
	a.copied = objection{}
	h.endConflictsLocked(a)
	if h.shared != nil {
		h.settleLocked(a)
	}
	h.changedLocked(a.cluster)
	h.publishLocked(a)
	h.mu.Unlock()
	h.wake(a.cluster.id)
}

// heardUntil is when an agent was last heard whose connection has ended. One that
// broke was alive until then; one that fell silent was not.
func (h *Hub) heardUntil(a *agent, e agentproto.Ending) time.Time {
	silence := h.cfg.Timings.Server.Silence
	if silence == 0 {
		silence = 30 * time.Second
	}
	if e.Clean || e.At.Sub(a.lastSeen) < silence {
		return e.At
	}
	return e.At.Add(-silence)
}

// Conflicted takes note that another process came with the key of an agent that
// serves.
func (h *Hub) Conflicted(serving, refused agentproto.Connection) {
	h.stats.refuse(agentproto.RefusedIdentityConflict)
	h.mu.Lock()
	a := h.findLocked(ecp.AgentID(serving.Agent))
	if a == nil || a.home != nil {
		h.mu.Unlock()
		return
	}
	a.copied = objection{until: h.now().Add(h.cfg.Timings.Refused), words: fmt.Sprintf(
		"the key of agent %s is used by two processes: one on %s serves, one on %s was refused; register the second "+
			"host "+
			"with a key of its own",
		a.id, whereFrom(serving), whereFrom(refused))}
	h.changedLocked(a.cluster)
	h.publishLocked(a)
	h.mu.Unlock()
	h.wake(a.cluster.id)
}

// whereFrom names the host at the other end of a connection.
func whereFrom(c agentproto.Connection) string {
	host, remote := text(c.Hello.Hostname, maxName), text(c.Remote, maxName)
	if host == "" {
		return remote
	}
	return host + " (" + remote + ")"
}

func (h *Hub) findLocked(id ecp.AgentID) *agent {
	if c := h.clusters[h.known[id]]; c != nil {
		return c.agents[id]
	}
	return nil
}

// check reads the records that belong to a new connection. It returns false if the
// agent was removed meanwhile. While the store does not answer what is known has to
// do: the key was looked up a moment ago.
func (h *Hub) check(ctx context.Context, a *agent) bool {
	m := h.boundTo()
	rec, err := m.Key(ctx, a.id)
	switch {
	case errors.Is(err, ecp.ErrNotFound):
		h.Drop(a.cluster.id, a.id)
		return false
	case err != nil:
		h.log.WarnContext(ctx, "agent cannot be checked", "agent", a.id, ecp.ErrorAttr(err))
		return ctx.Err() == nil
	}
	h.loadCluster(ctx, m, a.cluster)
	h.mu.RLock()
	hello := a.connection.Hello
	h.mu.RUnlock()
	note := ecp.AgentNote{Version: text(hello.Version, maxWord), OS: text(hello.OS, maxWord),
		Arch: text(hello.Arch, maxWord), Hostname: text(hello.Hostname, maxName)}
	if news(rec.Version, note.Version) || news(rec.OS, note.OS) || news(rec.Arch, note.Arch) ||
		news(rec.Hostname, note.Hostname) {
		h.note(ctx, a.id, note)
	}
	return ctx.Err() == nil
}

// news reports whether an agent says something else of itself than is stored.
func news(stored, said string) bool { return said != "" && said != stored }

// loadCluster reads, once, which nodes the cluster's agents were beside.
func (h *Hub) loadCluster(ctx context.Context, m manager, c *cluster) {
	h.mu.RLock()
	loaded := c.loaded
	h.mu.RUnlock()
	if loaded {
		return
	}
	all, err := m.List(ecp.WithActor(ctx, ecp.System), c.id)
	if err != nil {
		h.log.WarnContext(ctx, "agents of cluster cannot be read", "cluster", c.id, ecp.ErrorAttr(err))
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.loaded = true
	for _, a := range all {
		c.recorded[a.ID] = a.Node
	}
}

// note stores something about an agent; what fails is noted when it is seen again.
func (h *Hub) note(ctx context.Context, id ecp.AgentID, n ecp.AgentNote) bool {
	m := h.boundTo()
	err := m.Note(ctx, id, n)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ecp.ErrNotFound) {
		h.log.WarnContext(ctx, "what changed of an agent was not stored", "agent", id, ecp.ErrorAttr(err))
	}
	return err == nil
}

// disconnect closes an agent's connection and says why.
func (h *Hub) disconnect(id ecp.AgentID, r agentproto.Refusal) {
	if home, mismatch := h.homeOf(id); home != nil {
		h.tellHome(home.id, id, "refuse", refusedThere{r, mismatch})
		return
	}
	h.stats.refuse(r.Code)
	h.log.Info("agent's connection is closed", "agent", id, "reason", r.Code)
	h.server.Disconnect(string(id), r)
}
