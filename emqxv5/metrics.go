package emqxv5

import (
	"context"
	"io"
	"net/url"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// modes are EMQX's names of the scopes. In the second one each series has a label "node".
var modes = map[ecp.MetricsScope]string{ecp.MetricsOfNode: "node", ecp.MetricsOfNodes: "all_nodes_unaggregated"}

// WriteMetrics copies /prometheus/stats. It sends the credentials, which some
// configurations require. A large cluster takes a while to answer.
func (b *broker) WriteMetrics(ctx context.Context, w io.Writer, s ecp.MetricsScope) (int64, error) {
	mode, ok := modes[s]
	if !ok {
		return 0, emqxhttp.Invalid("write metrics", "scope", `must be "" or "nodes"`)
	}
	ctx, cancel := b.client.BoundBy(ctx, 3)
	defer cancel()
	write := func(ctx context.Context) (int64, error) {
		r := emqxhttp.Request{Path: expoPath, Query: url.Values{"mode": {mode}}}
		return b.client.WriteExposition(ctx, w, r, b.refused)
	}
	if s == ecp.MetricsOfNode {
		return write(ctx)
	}
	return ofAllMembers(ctx, b, write)
}
