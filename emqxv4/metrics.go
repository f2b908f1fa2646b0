package emqxv4

import (
	"context"
	"io"
	"net/url"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// metricsPatience is how many times the patience of other calls an exposition
// may take: it can be large.
const metricsPatience = 6

// WriteMetrics copies what the plugin emqx_prometheus tells everybody about the
// node that answers, whatever the scope.
func (b *broker) WriteMetrics(ctx context.Context, w io.Writer, _ ecp.MetricsScope) (int64, error) {
	ctx, cancel := b.client.BoundBy(ctx, metricsPatience)
	defer cancel()
	c := get(prometheusPath, exposition)
	c.Open, c.Query = true, url.Values{"type": {"prometheus"}}
	return b.client.WriteExposition(ctx, w, c.Request, func(ctx context.Context, a emqxhttp.Answer) error {
		_, err := b.payload(ctx, c, a)
		return err
	})
}
