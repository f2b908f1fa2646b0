package brokers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// dryRunInterval is the pause between two tries while a node's successor would
// be refused.
const dryRunInterval = 10 * time.Second

// DryRun says why the successor of a healthy node would not be taken now, so
// that the node must stay; "" = it may go.
func (m *Brokers) DryRun(ctx context.Context, p ecp.Provisioner, v derive.View, n ecp.NodeObservation, mem *observed.Memory) string {
	r, ok := p.(ecp.Rehearser)
	if !ok {
		return ""
	}
	of := fmt.Sprint(n.PodUID, " ", v.Rec.Generation)
	if last := mem.DryRun; last.Of == of && last.Why != "" && v.Snapshot.At.Sub(last.At) < dryRunInterval {
		return last.Why
	}
	why := ""
	err := r.Rehearse(ctx, v.Rec.ID, n.Ordinal)
	switch {
	case err == nil, errors.Is(err, ecp.ErrUnsupported):
	case errors.Is(err, ecp.ErrConflict):
		why = n.Pod + " stays as it is: " + ecp.MessageOf(err)
	default:
		why = fmt.Sprintf("%s stays as it is: it cannot be told whether its successor would be taken: %s", n.Pod, ecp.MessageOf(err))
	}
	mem.DryRun = observed.DryRun{Of: of, At: v.Snapshot.At, Why: why}
	return why
}
