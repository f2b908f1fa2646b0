package ecp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
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

// toReplace returns the healthy node that a move would begin to replace; nil
// where it replaces none, or the node is to have no successor.
func (v view) toReplace(next nodeMove) *NodeObservation {
	if v.want < ordinalsOf(v.rec) {
		return nil
	}
	i := slices.IndexFunc(v.look.Found.Nodes, func(n NodeObservation) bool {
		return v.serves(n) && (n.Name == next.vacate || slices.Contains(next.roll, n.Ordinal))
	})
	if i < 0 {
		return nil
	}
	return &v.look.Found.Nodes[i]
}

// rehearse says why the successor of a healthy node would not be taken now, so
// that the node must stay; "" = it may go.
func (m *Manager) rehearse(ctx context.Context, p Provisioner, v view, n NodeObservation, mem *memory) string {
	r, ok := p.(Rehearser)
	if !ok {
		return ""
	}
	of := fmt.Sprint(n.PodUID, " ", v.rec.Generation)
	if last := mem.rehearsal; last.of == of && last.why != "" && v.look.At.Sub(last.at) < rehearseEvery {
		return last.why
	}
	why := ""
	err := r.Rehearse(ctx, v.rec.ID, n.Ordinal)
	switch {
	case err == nil, errors.Is(err, ErrUnsupported):
	case errors.Is(err, ErrConflict):
		why = n.Pod + " stays as it is: " + MessageOf(err)
	default:
		why = fmt.Sprintf("%s stays as it is: it cannot be told whether its successor would be taken: %s", n.Pod, MessageOf(err))
	}
	mem.rehearsal = rehearsal{of: of, at: v.look.At, why: why}
	return why
}
