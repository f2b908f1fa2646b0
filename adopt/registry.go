package adopt

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// errUnbound is why nobody can be asked yet; agents come again.
var errUnbound = &agentproto.Refusal{Code: agentproto.RefusedBusy, Message: sayNotReady}

// Register redeems a registration token. Which node the agent is beside is not
// taken from it here: that is stored once its broker has told it.
func (h *Hub) Register(ctx context.Context, r agentproto.Registration) (agentproto.Registered, error) {
	m := h.boundTo()
	if m == nil {
		return agentproto.Registered{}, h.refused(errUnbound)
	}
	rec, err := m.Register(ctx, ecp.AgentRegistration{
		Token: ecp.Secret(r.Token), PublicKey: r.PublicKey, Remote: text(r.Remote, maxName),
		Version: text(r.Hello.Version, maxWord), OS: text(r.Hello.OS, maxWord), Arch: text(r.Hello.Arch,
			maxWord), Hostname: text(r.Hello.Hostname, maxName),
	})
	if err != nil {
		return agentproto.Registered{}, h.refused(err)
	}
	h.stats.registrations.Add(1)
	h.remember(rec)
	out := agentproto.Registered{Agent: string(rec.ID), Cluster: string(rec.Cluster)}
	if info, err := m.Cluster(rec.Cluster).Get(ecp.WithActor(ctx, ecp.System)); err == nil {
		out.Cluster = info.Name
	}
	h.log.InfoContext(ctx, "agent registered", "agent", rec.ID, "cluster", rec.Cluster, "hostname", rec.Hostname,
		"remote",
		r.Remote)
	return out, nil
}

// PublicKey returns the key of an agent that may connect.
func (h *Hub) PublicKey(ctx context.Context, agent string) (ed25519.PublicKey, error) {
	m := h.boundTo()
	if m == nil {
		return nil, h.refused(errUnbound)
	}
	rec, err := m.Key(ctx, ecp.AgentID(agent))
	if err != nil {
		return nil, h.refused(err)
	}
	h.remember(rec)
	return ed25519.PublicKey(rec.PublicKey), nil
}

// Unregister forgets an agent at its own request.
func (h *Hub) Unregister(ctx context.Context, agent string) error {
	m := h.boundTo()
	if m == nil {
		return h.refused(errUnbound)
	}
	err := m.Unregister(ctx, ecp.AgentID(agent))
	if err == nil || errors.Is(err, ecp.ErrNotFound) {
		h.log.InfoContext(ctx, "agent unregistered", "agent", agent)
		return nil
	}
	return h.refused(err)
}

// refused counts a refusal and turns an error of the Manager into it. Anything
// else stays as it is: the server logs it, and the agent comes again.
func (h *Hub) refused(err error) error {
	if r, ok := errors.AsType[*agentproto.Refusal](err); ok {
		h.stats.refuse(r.Code)
		return r
	}
	if r := refuse(err); r != nil {
		h.stats.refuse(r.Code)
		return r
	}
	h.stats.refuse(agentproto.RefusedBusy)
	return err
}

// remember stores which cluster an agent belongs to, for when it connects.
func (h *Hub) remember(rec ecp.AgentRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known[rec.ID] = rec.Cluster
	if c := h.clusters[rec.Cluster]; c != nil {
		c.recorded[rec.ID] = rec.Node
	}
}
