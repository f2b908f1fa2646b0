package emqxv5

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Health asks /status and, where EMQX is up, whether the node takes clients.
// Both need no credentials. Whatever a node answers is an answer.
func (b *broker) Health(ctx context.Context) (ecp.Health, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	a, err := b.client.Do(ctx, statusRequest(true))
	if err != nil {
		return ecp.Health{}, err
	}
	s, ok := healthOf(a)
	h := ecp.Health{Node: s.Node, Version: s.Version, Edition: s.Edition, Running: ok && a.OK() && s.Running, Available: ecp.Unknown}
	switch {
	case starting(a):
		h.Available, h.Why = ecp.False, "EMQX is still starting"
	case !ok:
		h.Why = "what answers there does not answer like EMQX"
	case !h.Running:
		h.Available, h.Why = ecp.False, "EMQX is not running on the node"
	default:
		h.Available, h.Why = b.takesClients(ctx)
	}
	if err := b.client.Ended(ctx); err != nil {
		return ecp.Health{}, err
	}
	return h, nil
}

// healthOf reads how a node is from JSON, or from the text that some answer
// with all the same.
func healthOf(a emqxhttp.Answer) (status, bool) {
	if s, err := decodeStatus(a.Body); err == nil {
		return s, true
	}
	node, running, ok := emqxhttp.StatusPage(string(a.Body))
	return status{Node: node, Running: running}, ok
}

// takesClients asks what load balancers ask.
func (b *broker) takesClients(ctx context.Context) (ecp.Truth, string) {
	r := statusRequest(false)
	r.Path = takesPath
	a, err := b.client.Do(ctx, r)
	switch {
	case err != nil:
		return ecp.Unknown, "it does not answer in time whether it takes clients"
	case a.OK():
		return ecp.True, ""
	case a.Status == http.StatusServiceUnavailable:
		if code := said(a.Body).Code; code != "" && code != "NODE_EVACUATING" {
			return ecp.False, "it takes no clients: " + b.client.Say(code)
		}
		return ecp.False, "its clients are being moved to other nodes"
	}
	return ecp.Unknown, "it does not say whether it takes clients"
}
