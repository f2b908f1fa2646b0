package emqxv5

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Health queries /status and, if EMQX is running, whether the node accepts clients. Both
// need no credentials. Any answer of a node is a result.
func (b *broker) Health(ctx context.Context) (ecp.Health, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	a, err := b.client.Do(ctx, statusRequest(true))
	if err != nil {
		return ecp.Health{}, err
	}
	s, ok := healthOf(a)
	h := ecp.Health{
		Node: s.Node, Version: s.Version, Edition: s.Edition, Running: ok && a.OK() && s.Running,
		Available: ecp.Unknown,
	}
	switch {
	case starting(a):
		h.Available, h.Why = ecp.False, "EMQX is still starting"
	case !ok:
		h.Why = "what answers there does not answer like EMQX"
	case !h.Running:
		h.Available, h.Why = ecp.False, "EMQX is not running on the node"
	default:
		h.Available, h.Why = b.acceptsClients(ctx)
	}
	if err := b.client.CallerGone(ctx); err != nil {
		return ecp.Health{}, err
	}
	return h, nil
}

// healthOf reads the state of a node from JSON, or from text, which some versions send
// anyway.
func healthOf(a emqxhttp.Answer) (status, bool) {
	if s, err := decodeStatus(a.Body); err == nil {
		return s, true
	}
	node, running, ok := emqxhttp.StatusPage(string(a.Body))
	return status{Node: node, Running: running}, ok
}

// acceptsClients makes the query of load balancers.
func (b *broker) acceptsClients(ctx context.Context) (ecp.ConditionStatus, string) {
	r := statusRequest(false)
	r.Path = takesPath
	a, err := b.client.Do(ctx, r)
	switch {
	case err != nil:
		return ecp.Unknown, "it does not say in time whether it accepts clients"
	case a.OK():
		return ecp.True, ""
	case a.Status == http.StatusServiceUnavailable:
		if code := parseRefusal(a.Body).Code; code != "" && code != "NODE_EVACUATING" {
			return ecp.False, "it accepts no clients: " + b.client.Sanitize(code)
		}
		return ecp.False, "its clients are being moved to other nodes"
	}
	return ecp.Unknown, "it does not say whether it accepts clients"
}
