package adopt

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// Observe returns the state of a cluster's agents from memory. The result is shared and
// must not be changed.
func (h *Hub) Observe(id ecp.ID) ecp.AgentsObservation {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if c := h.clusters[id]; c != nil {
		return c.seen
	}
	return ecp.AgentsObservation{Since: h.since, Unheard: h.cfg.Unheard}
}

// Watch calls wake for a cluster when a change of its agents may change its state, until
// ctx ends. It does not call wake for a report without anything new.
func (h *Hub) Watch(ctx context.Context, wake func(ecp.ID)) error {
	key := &wake
	h.mu.Lock()
	h.watchers[key] = struct{}{}
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	delete(h.watchers, key)
	h.mu.Unlock()
	return context.Cause(ctx)
}

// wake calls the functions that were passed to Watch.
func (h *Hub) wake(id ecp.ID) {
	h.mu.RLock()
	watchers := make([]func(ecp.ID), 0, len(h.watchers))
	for w := range h.watchers {
		watchers = append(watchers, *w)
	}
	h.mu.RUnlock()
	for _, wake := range watchers {
		wake(id)
	}
}

// brokerURL is the URL of brokers in requests through an agent. Its host is never
// resolved: the transport reaches only the broker beside the agent.
const brokerURL = "http://emqx"

// Endpoint returns an endpoint for the API of the broker beside an agent; the agent
// adds its own credentials to each request. An empty node means any agent whose last
// report was complete. If no agent fits, the error has the code unavailable and the
// reason.
func (h *Hub) Endpoint(_ context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	e, err := h.endpoint(id, node, agentproto.HostAPI, "reach the broker of "+string(id), func(a *agent) string {
		if a.report.Complete() {
			return ""
		}
		return "agent " + string(a.id) + " cannot ask its broker: " + firstError(a.report)
	})
	e.Authenticated = err == nil
	return e, err
}

// Dashboard returns an endpoint for the dashboard beside an agent, which forwards
// requests unchanged and never adds credentials. Errors are those of Endpoint.
func (h *Hub) Dashboard(_ context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	return h.endpoint(id, node, agentproto.HostDashboard, "reach the dashboard of "+string(id), func(a *agent) string {
		if a.report.Dashboard {
			return ""
		}
		return "the dashboard beside agent " + string(a.id) + " does not answer: " + firstError(a.report)
	})
}

// endpoint chooses the agent that has served longest of those for which hindered returns
// nothing.
func (h *Hub) endpoint(id ecp.ID, node string, host agentproto.Host, op string,
	hindered func(*agent) string) (ecp.Endpoint, error) {
	h.mu.RLock()
	agent, beside, why := h.pickLocked(id, node, hindered)
	h.mu.RUnlock()
	if why != "" {
		return ecp.Endpoint{}, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: why}
	}
	return ecp.Endpoint{BaseURL: brokerURL, Transport: brokerTransport{h.transport(agent, host), agent},
		Node: beside}, nil
}

// pickLocked returns an agent and, if it is known, the node beside it. If no agent can be
// used, it returns the reason.
func (h *Hub) pickLocked(id ecp.ID, node string, hindered func(*agent) string) (_ ecp.AgentID, beside, why string) {
	c := h.clusters[id]
	if c == nil {
		return "", "", cmp.Or(h.cfg.Unheard, "no agent of the cluster is connected")
	}
	var best *agent
	why = c.whyNone(node)
	for _, a := range c.agentsByID() {
		if !a.serves() || a.report == nil || node != "" && a.node() != node {
			continue
		}
		hindrance := hindered(a)
		if a.home != nil && !a.home.heard {
			hindrance = "agent " + string(a.id) + " is connected to the daemon " + a.home.id +
				", which this one does not reach"
		}
		if hindrance != "" {
			why = hindrance
			continue
		}
		if best == nil || a.serving.Before(best.serving) {
			best = a
		}
	}
	if best == nil {
		return "", "", why
	}
	return best.id, best.node(), ""
}

func (c *cluster) agentsByID() []*agent {
	out := make([]*agent, 0, len(c.agents))
	for _, a := range c.agents {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *agent) int { return cmp.Compare(a.id, b.id) })
	return out
}

// whyNone returns the reason for which no agent reaches a node, or any node.
func (c *cluster) whyNone(node string) string {
	connected := 0
	for _, a := range c.agents {
		if a.connected {
			connected++
		}
	}
	switch {
	case connected == 0:
		return "no agent of the cluster is connected; see emqxee-agent status on its hosts"
	case node != "":
		return fmt.Sprintf("no agent beside the node %s is connected; see emqxee-agent status on its host", node)
	}
	for _, a := range c.agentsByID() {
		if words := cmp.Or(a.mismatch.words, a.conflict.words); words != "" {
			return words
		}
	}
	return "the agent of the cluster has just connected; it has not reported yet"
}

func firstError(r *ecp.AgentReport) string {
	for _, e := range r.Errors {
		return cmp.Or(e.Message, e.Code)
	}
	return "it has not told why"
}

// Drop closes the connections of agents whose records are deleted, and forgets these
// agents. Without agents it does so for all agents of the cluster.
func (h *Hub) Drop(id ecp.ID, agents ...ecp.AgentID) {
	for _, agent := range h.forget(id, len(agents) == 0, agents) {
		h.disconnect(agent, agentproto.Refusal{Code: agentproto.RefusedRemoved, Message: sayRemoved})
	}
}

// forget forgets agents and closes their connections. If Run does not run, it closes none
// and returns the agents that are connected.
func (h *Hub) forget(id ecp.ID, all bool, agents []ecp.AgentID) (connected []ecp.AgentID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if all {
		for agent, of := range h.known {
			if of == id {
				agents = append(agents, agent)
			}
		}
	}
	c := h.clusters[id]
	for _, agent := range agents {
		if h.known[agent] != id {
			continue
		}
		delete(h.known, agent)
		h.history.forget(agent)
		if c == nil {
			continue
		}
		delete(c.recorded, agent)
		if a := c.agents[agent]; a != nil {
			delete(c.agents, agent)
			h.endConflictsLocked(a)
			h.publishLocked(a)
			a.end()
			if home := a.home; home != nil {
				delete(home.agents, agent)
				h.tellHomeLocked(home.id, agent, "drop", droppedThere{id})
				continue
			}
			if a.connected && h.goLocked(func(ctx context.Context) { h.dismiss(ctx, agent) }) == nil {
				connected = append(connected, agent)
			}
		}
	}
	switch {
	case c == nil:
	case len(c.agents) == 0:
		delete(h.clusters, id)
		h.due.set(id, time.Time{})
	default:
		h.changedLocked(c) // the caller of Drop knows the change already
	}
	return connected
}

// dismiss closes the connection of an agent that was dropped. An agent that has been
// registered with another cluster connects again.
func (h *Hub) dismiss(ctx context.Context, agent ecp.AgentID) {
	if _, err := h.boundTo().Key(ctx, agent); err == nil {
		h.disconnect(agent, agentproto.Refusal{Code: agentproto.RefusedGoingAway, Message: sayMoved})
		return
	}
	h.disconnect(agent, agentproto.Refusal{Code: agentproto.RefusedRemoved, Message: sayRemoved})
}
