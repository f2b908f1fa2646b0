package emqxv4

import (
	"context"
	"net/http"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Health queries the page of the management port 8081, which does not state a version, and
// whether the node accepts clients, which needs no credentials from 4.4.24 on.
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
	if err := b.client.CallerGone(ctx); err != nil {
		return ecp.Health{}, err
	}
	return h, nil
}

// available returns whether the node accepts clients, and why not.
func (b *broker) available(ctx context.Context) (is ecp.ConditionStatus, why string) {
	a, err := b.client.Do(ctx, open(availabilityPath))
	switch {
	case err != nil:
		return ecp.Unknown, ecp.MessageOf(err)
	case a.OK():
		return ecp.True, ""
	case a.Status == http.StatusServiceUnavailable:
		return ecp.False, "the node is being evacuated, or hands clients over to others"
	}
	return ecp.Unknown, "it needs credentials to say whether it accepts clients; needed " + openAvailability.String()
}

// open returns a request without credentials to which 503 is a final answer.
func open(path string) emqxhttp.Request {
	return emqxhttp.Request{Path: path, NoAuth: true, Accept: "*/*", NoRetry: []int{http.StatusServiceUnavailable}}
}
