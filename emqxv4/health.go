package emqxv4

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Health asks for the page of the management port, 8081, which tells no
// version; and whether the node takes clients, which everybody is told from
// 4.4.24 on.
func (b *broker) Health(ctx context.Context) (ecp.Health, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	page, err := b.client.Do(ctx, open(statusPath))
	if err != nil {
		return ecp.Health{}, err
	}
	node, running, ok := emqxhttp.StatusPage(string(page.Body))
	h := ecp.Health{Node: node, Running: ok && running && page.OK(), Available: ecp.Unknown}
	switch {
	case !ok && page.Status == http.StatusNotFound:
		h.Why = "it has no page " + statusPath + "; ask at the port of the management API, 8081"
	case !ok:
		h.Why = "it does not answer " + statusPath + " as EMQX does; check the port"
	case !h.Running:
		h.Available, h.Why = ecp.False, "EMQX is not running on the node, or on its way up"
	default:
		h.Available, h.Why = b.available(ctx)
	}
	if err := b.client.Ended(ctx); err != nil {
		return ecp.Health{}, err
	}
	return h, nil
}

// available says whether the node takes clients, and why not.
func (b *broker) available(ctx context.Context) (is ecp.Truth, why string) {
	a, err := b.client.Do(ctx, open(availabilityPath))
	switch {
	case err != nil:
		return ecp.Unknown, ecp.MessageOf(err)
	case a.OK():
		return ecp.True, ""
	case a.Status == http.StatusServiceUnavailable:
		return ecp.False, "the node is being evacuated, or hands clients over to others"
	}
	return ecp.Unknown, "it does not tell everybody whether it takes clients; needed " + openAvailability.String()
}

// open is a call without credentials, of which 503 is an answer.
func open(path string) emqxhttp.Request {
	return emqxhttp.Request{Path: path, Open: true, Accept: "*/*", Answers: []int{http.StatusServiceUnavailable}}
}
