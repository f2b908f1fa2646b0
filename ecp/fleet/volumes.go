package fleet

import (
	"cmp"
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// volumeNotes say in a plan what becomes of volumes when the size is another.
func volumeNotes(was ecp.ClusterRecord, d decision) []string {
	from, to := was.Resolved.Size.Storage.Size, d.rec.Resolved.Size.Storage.Size
	a, ok := ecp.ParseQuantity(from)
	b, known := ecp.ParseQuantity(to)
	switch {
	case d.nothing || !ok || !known || a == b:
		return nil
	case a < b:
		return []string{fmt.Sprintf("volumes grow from %s to %s, each while its node runs or when it starts, as the storage class has it; those of nodes that come later are made as the first ones were, and grown then", from, to)}
	}
	return []string{fmt.Sprintf("volumes stay as large as they are: none becomes smaller (%s would do)", to)}
}

// mayStore refuses a size that keeps its volumes in another storage class than
// the cluster's are in: no volume moves. Where one of both is the platform's
// default, only the platform knows.
func mayStore(wrong *ecp.FieldErrors, s ecp.HostedSpec, was, is ecp.Size) {
	from, to := cmp.Or(s.Storage, was.Storage.Class), cmp.Or(s.Storage, is.Storage.Class)
	if from != "" && to != "" && from != to {
		wrong.Add("spec.size", "is %q, whose volumes are of the storage class %q; those of this cluster are of %q, and no volume changes its class: take a size of that class, or make a new cluster", is.Name, to, from)
	}
}
