package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// rehearseEvery is the pause between two tries while a node's successor would
// be refused.
const rehearseEvery = 10 * time.Second

// rehearsal is the last refusal of a node's successor.
type rehearsal struct {
	of  string // which node, of which generation
	at  time.Time
	why string // "" = it would be taken
}

// rehearse says why the successor of a healthy node would not be taken now, so
// that the node must stay; "" = it may go.
func (m *Manager) rehearse(ctx context.Context, p ecp.Provisioner, v derive.View, n ecp.NodeObservation, mem *memory) string {
	r, ok := p.(ecp.Rehearser)
	if !ok {
		return ""
	}
	of := fmt.Sprint(n.PodUID, " ", v.Rec.Generation)
	if last := mem.rehearsal; last.of == of && last.why != "" && v.Look.At.Sub(last.at) < rehearseEvery {
		return last.why
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
	mem.rehearsal = rehearsal{of: of, at: v.Look.At, why: why}
	return why
}
