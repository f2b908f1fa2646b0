package brokers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// aboutClients lets do speak to EMQX about the clients of a node: through others,
// and where none of them can tell, because a member hangs, to the node itself.
func (m *Brokers) aboutClients(ctx context.Context, p ecp.Provisioner, v derive.View, node string, do func(context.Context, ecp.Evacuator) error) error {
	err := m.withEvacuator(ctx, p, v, node, do)
	i := slices.IndexFunc(v.Snapshot.Found.Nodes, func(n ecp.NodeObservation) bool { return n.Name == node && !n.Terminating && !n.Broken })
	if i < 0 || !errors.Is(err, ecp.ErrUnavailable) {
		return err
	}
	v.Ready = v.Snapshot.Found.Nodes[i : i+1]
	if m.withEvacuator(ctx, p, v, "", do) != nil {
		return err
	}
	return nil
}

// MayStillWait says that an evacuation whose phase nobody tells may be waiting
// for load balancers still: an empty node takes clients then.
func MayStillWait(l ecp.Draining, at ecp.EvacuationProgress, now time.Time, notice time.Duration) bool {
	return at.Phase == ecp.EvacuationUntold && (l.Begun.IsZero() || now.Before(l.Begun.Add(notice+QueryTimeout)))
}
