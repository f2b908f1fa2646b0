package brokers

import (
	"context"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// LeaveMachine does the next thing that is due about the clients of nodes whose machines take no new pods. It reports
// whether no node may be replaced meanwhile.
func (m *Brokers) LeaveMachine(ctx context.Context, p ecp.Provisioner, v derive.View, snap *derive.Snapshot,
	outcome *derive.Outcome) bool {
	next := derive.NextCordonStep(v)
	switch {
	case next.Drain != "":
		if m.Drain(ctx, p, v, next.Drain, snap, outcome) {
			outcome.Freed = next.Drain
		}
	case next.Undrain != "":
		snap.Waits = m.Undrain(ctx, p, v, next.Undrain, outcome)
	case next.Forget:
		outcome.Drained = true
	case next.Waits != "":
		snap.Waits = next.Waits
	default:
		return false
	}
	return true
}
