package emqxv4

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// metricsPatience is how many times the usual time limit reading metrics may take, since
// there can be many.
const metricsPatience = 6

// WriteMetrics copies the metrics of the plugin emqx_prometheus. They are about the
// answering node, whatever the scope.
func (b *broker) WriteMetrics(ctx context.Context, w io.Writer, _ ecp.MetricsScope) (int64, error) {
	ctx, cancel := b.client.BoundBy(ctx, metricsPatience)
	defer cancel()
	c := get(prometheusPath, exposition)
	c.NoAuth, c.Query = true, url.Values{"type": {"prometheus"}}
	return b.client.WriteExposition(ctx, w, c.Request, func(ctx context.Context, a emqxhttp.Answer) error {
		_, err := b.payload(ctx, c, a)
		return err
	})
}

// LoadMetrics loads the plugin emqx_prometheus, which EMQX writes down in its data folder.
func (b *broker) LoadMetrics(ctx context.Context) error {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	node, err := b.self(ctx)
	if err != nil {
		return err
	}
	if node == "" {
		return b.client.Fail(ecp.CodeUnavailable, "does not tell the name of its node", nil)
	}
	return b.do(ctx, call{
		requires: exposition, node: node, alreadyDone: startedAlready,
		Request: emqxhttp.Request{
			Method: http.MethodPut, Path: ofNode(node, "/plugins/emqx_prometheus/load"), Idempotent: true,
		},
	})
}
