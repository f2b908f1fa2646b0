package ecptest

import (
	"errors"

	"github.com/openecp/openecp/ecp"
)

// olderCases: a database that was put back asks for less than there is.
var olderCases = []provisionerCase{
	{name: "what is older than what is there changes nothing", test: older},
}

// older: neither an earlier generation nor another change to the same one is
// applied; what was applied last says so of itself.
func older(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	d.Generation, d.ChangeID, d.Manifest, d.Spec.Connections = 3, "third", `{"of":"the Manager's"}`, 200
	b.apply(d)
	before := b.seen("of the third generation", func(o ecp.Observation) string {
		if o.Generation != 3 || o.ChangeID != d.ChangeID || o.Manifest != d.Manifest {
			return "generation, change id and manifest are not those that were applied"
		}
		return running(n)(o)
	})
	writes := b.writes()
	for _, c := range []struct {
		generation int64
		change     string
	}{{2, "second"}, {2, ""}, {3, "another"}} {
		other := d
		other.Generation, other.ChangeID = c.generation, c.change
		other.Replicas, other.Spec.Nodes, other.Spec.Network.Type = n-1, n-1, ecp.NodePort
		err := b.p.Apply(b.Context(), other)
		if cause := new(ecp.RecordOlder); !errors.Is(err, ecp.ErrConflict) || !errors.As(err, &cause) {
			b.Errorf("Apply of generation %d, change %q, over the third gave %v; want a conflict whose cause is a "+
				"RecordOlder", c.generation, c.change, err)
		}
	}
	if now := b.writes(); now != writes {
		b.Errorf("refused Applies wrote %d times", now-writes)
	}
	b.same(identity(before, true), identity(b.seen("running as before", running(n)), true))
	d.Generation, d.ChangeID = 4, "fourth"
	b.apply(d)
	b.seen("of the fourth generation", func(o ecp.Observation) string {
		if o.Generation != 4 || o.ChangeID != d.ChangeID {
			return "not taken up"
		}
		return running(n)(o)
	})
}
