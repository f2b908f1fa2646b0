package derive

import (
	"slices"

	"github.com/openecp/openecp/ecp"
)

// ToReplace returns the healthy node that a move would begin to replace; nil
// where it replaces none, or the node is to have no successor.
func (v View) ToReplace(next RolloutStep) *ecp.NodeObservation {
	if v.Want < OrdinalsOf(v.Rec) {
		return nil
	}
	i := slices.IndexFunc(v.Snapshot.Found.Nodes, func(n ecp.NodeObservation) bool {
		return v.serves(n) && (n.Name == next.Drain || slices.Contains(next.Replace, n.Ordinal))
	})
	if i < 0 {
		return nil
	}
	return &v.Snapshot.Found.Nodes[i]
}
