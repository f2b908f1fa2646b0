package derive

import (
	"github.com/openecp/openecp/ecp"
)

// stranded returns the ordinals of nodes whose machines are known to run
// nothing any more, and whose pods are still shown: nobody else confirms their
// end.
func (v View) stranded() []int {
	var out []int
	for _, n := range v.Snapshot.Found.Nodes {
		if n.Machine == ecp.MachineGone && !n.Ready {
			out = append(out, n.Ordinal)
		}
	}
	return out
}
