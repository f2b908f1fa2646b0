package derive

import (
	"errors"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// PutTransitions writes what a cluster becomes, each hop a change of its own, and notes
// which of them nobody can tell from the one before.
func PutTransitions(tx ecp.Tx, hops []ecp.ClusterRecord) error {
	if len(hops) == 0 {
		return nil
	}
	before, _, err := ecp.Get[ecp.ClusterRecord](tx, string(hops[0].ID))
	if err != nil && !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	for _, rec := range hops {
		rec.Status.QuietAt = 0
		if sameShown(before, rec) {
			rec.Status.QuietAt = rec.Revision
		}
		if err := ecp.Put(tx, rec, ecp.AnyVersion); err != nil {
			return err
		}
		before = rec
	}
	return nil
}

// sameShown says that two records of a cluster read alike. What is asked for
// grows the revision.
func sameShown(a, b ecp.ClusterRecord) bool {
	x, y := a.Status, b.Status
	return a.Revision == b.Revision && x.State == y.State && x.Reason == y.Reason && x.Message == y.Message && x.Since.Equal(y.Since) &&
		x.StaleFrom.Equal(y.StaleFrom) && x.Operation == y.Operation && x.Version == y.Version &&
		slices.EqualFunc(x.Conditions, y.Conditions, func(c, d ecp.Condition) bool {
			return sameCondition(c, d) && c.Message == d.Message && c.Since.Equal(d.Since)
		})
}
