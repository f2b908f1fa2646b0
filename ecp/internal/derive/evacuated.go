package derive

import (
	"slices"

	"github.com/openecp/openecp/ecp"
)

// mostEvacuated bounds how many nodes an operation tells of.
const mostEvacuated = 64

// recordEvacuated adds what was last seen of a node to an operation.
func recordEvacuated(o *ecp.Operation, e *ecp.EvacuatedNode) {
	if e == nil {
		return
	}
	i := slices.IndexFunc(o.Evacuated, func(x ecp.EvacuatedNode) bool { return x.Node == e.Node && x.Since.Equal(e.Since) })
	switch {
	case i >= 0:
		o.Evacuated[i] = *e
	case len(o.Evacuated) < mostEvacuated:
		o.Evacuated = append(o.Evacuated, *e)
	}
}
