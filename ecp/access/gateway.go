package access

import (
	"context"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Gateway returns the ways to brokers. A fleet.Manager makes one.
type Gateway struct{ Observed *observed.Clusters }

// Endpoint returns the way to the management API of one of a cluster's nodes, by
// its EMQX name; "" = any that is ready. Whoever holds it can do what the
// broker's administrator can. right is what the actor must hold over the
// cluster's project: [ecp.RightWrite], unless the caller passes on nothing but reads
// it has vetted. Unavailable where no node can be reached now; not found where
// there is no cluster, or none that the actor may know of.
func (g *Gateway) Endpoint(ctx context.Context, right ecp.Right, id ecp.ID, node string) (ecp.Endpoint, error) {
	return g.Observed.Reach(ctx, right, id, node, g.Observed.Endpoint)
}

// BrokerCall is one call to a broker's management API, as the audit keeps it.
type BrokerCall struct {
	Method string `json:"method"`
	// Path is as it was sent, escapes and all, without the query: what stands
	// there may be secret.
	Path string `json:"path"`
}

// EndpointForCall returns the way to a cluster's broker for one call that may
// change something there, and writes into the audit who makes it: the entry is
// stored before the way is given, and says that the call was let through, not
// what the broker made of it. It wants [ecp.RightWrite]; a refusal for want of it is
// in the audit, too.
func (g *Gateway) EndpointForCall(ctx context.Context, id ecp.ID, call BrokerCall) (ecp.Endpoint, error) {
	return g.Observed.ReachAudited(ctx, ecp.RightWrite, id, "call broker", call, g.Observed.Endpoint)
}
