package adopt

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// echoes is how many further reports wake the Manager after one with a new problem, at
// least echoGap apart: the Manager accepts a problem only after it was observed twice.
const (
	echoes  = 2
	echoGap = time.Second
)

// acceptReport accepts one report, or refuses its agent if the agent's node or broker is
// not one of the cluster's.
func (h *Hub) acceptReport(ctx context.Context, a *agent, r agentproto.Report) {
	h.stats.reports.Add(1)
	now := h.now()
	report := convert(r, now)
	rival := h.rival(ctx, a, report)
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	if !a.connected || a.home != nil || h.findLocked(a.id) != a {
		h.mu.Unlock()
		return
	}
	var refused map[ecp.AgentID]agentproto.Refusal
	var node string
	if rival != nil && rival.serves() && rival.node() == report.Node {
		refused = h.refuseNodeLocked(a, rival, report.Node)
	} else {
		refused, node = h.acceptLocked(a, report)
	}
	matters := h.changedLocked(a.cluster)
	if matters {
		a.cluster.expectEchoes(now)
	} else {
		matters = a.echoes(now)
	}
	h.publishLocked(a)
	serves, job := a.serves(), historyJob{a.id, a.connection.Since, a.connection.ClockSkew, r.History}
	h.mu.Unlock()
	for id, why := range refused {
		h.disconnect(id, why)
	}
	if serves {
		h.history.offer(job, now)
	}
	if matters {
		h.wake(a.cluster.id)
	}
	if node != "" && h.note(ctx, a.id, ecp.AgentNote{Node: node}) {
		h.recorded(a, node)
	}
}

// expectEchoes lets the next reports of the cluster's agents wake the Manager if one of
// them has a problem. A report without a problem is accepted at once: most reports are such
// when a whole fleet reconnects.
func (c *cluster) expectEchoes(now time.Time) {
	n := 0
	if c.doubtful() {
		n = echoes
	}
	for _, a := range c.agents {
		a.echo, a.echoed = n, now
	}
}

// doubtful reports whether an agent reports a problem, or agents disagree on which nodes
// run.
func (c *cluster) doubtful() bool {
	var nodes, first []string // that run, by one report and by the first
	for _, a := range c.agents {
		if !a.connected || a.report == nil {
			continue
		}
		if !a.report.Complete() {
			return true
		}
		nodes = nodes[:0]
		for _, n := range a.report.Description.Nodes {
			if n.Status != ecp.NodeRunning {
				return true
			}
			nodes = append(nodes, n.Name) // in order: convert sorts them
		}
		if first == nil {
			first = slices.Clone(nodes)
		}
		if !slices.Equal(first, nodes) {
			return true
		}
	}
	return false
}

// echoes reports whether a report is to wake the Manager because of an earlier one.
func (a *agent) echoes(now time.Time) bool {
	switch {
	case a.echo == 0:
		return false
	case now.Sub(a.echoed) >= echoGap:
		a.echo, a.echoed = a.echo-1, now
	}
	return true
}

// rival returns another agent that serves the same node and still answers. If the other
// agent does not answer, rival closes its connection and returns nil.
func (h *Hub) rival(ctx context.Context, a *agent, report ecp.AgentReport) *agent {
	h.mu.Lock()
	a.lastSeen = report.At
	other := a.cluster.holder(report.Node, a.id)
	if other != nil && other.home != nil && a.serves() && a.serving.Before(other.serving) {
		other = nil // both serve since the daemons hear one another again: that one goes
	}
	h.mu.Unlock()
	if other == nil || h.answers(ctx, other.id) {
		return other
	}
	if ctx.Err() == nil {
		h.disconnect(other.id, agentproto.Refusal{Code: agentproto.RefusedIdentityConflict,
			Message: fmt.Sprintf(sayMovedOn, report.Node), RetryAfter: h.cfg.Timings.Retry})
		h.mu.Lock()
		other.serving = time.Time{}
		h.mu.Unlock()
	}
	return nil
}

// answers reports whether a connected agent answers a request in time.
func (h *Hub) answers(ctx context.Context, id ecp.AgentID) bool {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timings.Probe)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(agentproto.HostControl)+"/ping", nil)
	if err != nil {
		return false
	}
	res, err := h.transport(id, agentproto.HostControl).RoundTrip(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // any answer will do
	return true
}

// refuseNodeLocked refuses an agent that claims a node that another one serves.
func (h *Hub) refuseNodeLocked(a, rival *agent, node string) map[ecp.AgentID]agentproto.Refusal {
	where := whereFrom(rival.connection)
	a.conflict = objection{by: rival.id, until: h.now().Add(h.cfg.Timings.Refused), words: fmt.Sprintf(
		"agent %s on %s says it is beside the node %s, which agent %s on %s serves; two nodes have one name, or two "+
			"agents run beside one node",
		a.id, whereFrom(a.connection), node, rival.id, where)}
	a.serving, a.report, a.members = time.Time{}, nil, nil
	return map[ecp.AgentID]agentproto.Refusal{a.id: {
		Code: agentproto.RefusedIdentityConflict, Message: fmt.Sprintf(sayTakenNode, node,
			where), RetryAfter: h.cfg.Timings.Retry,
	}}
}

// acceptLocked accepts a report if the broker belongs to the cluster. It returns the agents
// to be refused, which may be others, and the name of the agent's node if that is to be
// stored.
func (h *Hub) acceptLocked(a *agent, report ecp.AgentReport) (refused map[ecp.AgentID]agentproto.Refusal, node string) {
	now := report.At
	complete := report.Complete()
	if complete {
		names := make([]string, 0, len(report.Description.Nodes))
		for _, n := range report.Description.Nodes {
			names = append(names, n.Name)
		}
		if a.serving.IsZero() || !slices.Equal(a.members, names) {
			refused = h.refuseForeignLocked(a.cluster, foreignAgents(a.cluster.claims(a.id, names)))
			if _, foreign := refused[a.id]; foreign {
				return refused, ""
			}
		}
		a.members, a.mismatch = names, objection{}
	}
	if a.mismatch.words != "" { // no later report has cleared it
		return nil, ""
	}
	if report.Node != "" {
		a.conflict = objection{}
	}
	a.report = &report
	if a.serving.IsZero() {
		a.serving = now
	}
	if complete && a.cluster.mayRecord(a, report.Node, now.Sub(a.connection.Since) >= h.cfg.Timings.Settled) {
		node = report.Node
	}
	return refused, node
}

// refuseForeignLocked refuses the agents whose brokers belong to another cluster.
func (h *Hub) refuseForeignLocked(c *cluster, foreign map[ecp.AgentID]string) map[ecp.AgentID]agentproto.Refusal {
	out := map[ecp.AgentID]agentproto.Refusal{}
	for id, why := range foreign {
		a := c.agents[id]
		if a == nil {
			continue
		}
		a.mismatch = objection{until: h.now().Add(h.cfg.Timings.Refused),
			words: fmt.Sprintf("agent %s on %s: %s", id, whereFrom(a.connection), why)}
		a.serving, a.report, a.members = time.Time{}, nil, nil
		h.publishLocked(a)
		out[id] = agentproto.Refusal{Code: agentproto.RefusedClusterMismatch, Message: fmt.Sprintf(sayForeign, why),
			RetryAfter: h.cfg.Timings.Retry}
	}
	return out
}

// mayRecord reports whether a new name of a node is to be stored. A name that replaces
// another one, while the cluster has no member with a recorded name, is stored only when the
// agent has served for a while: after a restart of this program, the first agent to
// reconnect may be one whose broker was replaced.
func (c *cluster) mayRecord(a *agent, node string, settled bool) bool {
	was := c.recorded[a.id]
	if node == "" || node == was {
		return false
	}
	if was == "" || settled {
		return true
	}
	others := false
	for id, known := range c.recorded {
		if known != "" && slices.Contains(a.members, known) {
			return true
		}
		others = others || id != a.id && known != ""
	}
	return !others
}

// recorded records that the name of a node was stored for an agent, and removes the name
// from other agents.
func (h *Hub) recorded(a *agent, node string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.cluster.record(a.id, node)
	h.publishLocked(a)
}

// changedLocked updates the cluster's observation and its deadline. It reports whether the
// caller has to wake the Manager, after releasing the lock.
func (h *Hub) changedLocked(c *cluster) (matters bool) {
	first := h.due.next()
	h.due.set(c.id, c.nextDeadline(h.cfg.Timings))
	if h.due.next() != first {
		h.reschedule()
	}
	return c.observe(h.since, h.cfg.Unheard, h.cfg.Timings.Quiet, h.blindLocked())
}

// expire removes objections whose time is over, and stores that agents are away.
func (h *Hub) expire() {
	var changed []ecp.ID
	h.mu.Lock()
	now := h.now()
	for _, id := range h.due.passed(now) {
		c := h.clusters[id]
		if c == nil {
			continue
		}
		for _, a := range c.agents {
			for _, s := range []*objection{&a.copied, &a.conflict, &a.mismatch} {
				if !s.until.IsZero() && !s.until.After(now) {
					*s = objection{}
					h.publishLocked(a)
				}
			}
			if !a.connected && !a.noted && !a.since.Add(h.cfg.Timings.Away).After(now) {
				a.noted = true
				h.away = append(h.away, awayNote{a.id, a.lastSeen})
			}
		}
		if h.changedLocked(c) {
			changed = append(changed, id)
		}
	}
	if len(h.away) > 0 && !h.noting {
		h.noting = true
		h.goLocked(h.noteAway)
	}
	h.mu.Unlock()
	for _, id := range changed {
		h.wake(id)
	}
}

// awayNote is the time at which an agent was last seen.
type awayNote struct {
	agent ecp.AgentID
	seen  time.Time
}

// noteAway stores, one after the other, which agents are away.
func (h *Hub) noteAway(ctx context.Context) {
	for {
		h.mu.Lock()
		if len(h.away) == 0 || ctx.Err() != nil {
			h.away, h.noting = nil, false
			h.mu.Unlock()
			return
		}
		n := h.away[0]
		h.away = h.away[1:]
		h.mu.Unlock()
		h.note(ctx, n.agent, ecp.AgentNote{Seen: n.seen})
	}
}
