package emqxv4

import (
	"context"
	"io"
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
