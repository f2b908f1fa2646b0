package ecp

import (
	"errors"
	"slices"
)

// Quiet reports whether the write that made r of the record before it changed
// nothing that is shown of a cluster: notes of the Manager for itself only.
func (r ClusterRecord) Quiet() bool { return r.Status.QuietAt != 0 && r.Status.QuietAt == r.Revision }

// putHops writes what a cluster becomes, each hop a change of its own, and notes
// which of them nobody can tell from the one before.
func putHops(tx Tx, hops []ClusterRecord) error {
	if len(hops) == 0 {
		return nil
	}
	before, _, err := Get[ClusterRecord](tx, string(hops[0].ID))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for _, rec := range hops {
		rec.Status.QuietAt = 0
		if sameShown(before, rec) {
			rec.Status.QuietAt = rec.Revision
		}
		if err := Put(tx, rec, AnyVersion); err != nil {
			return err
		}
		before = rec
	}
	return nil
}

// sameShown says that two records of a cluster read alike. What is asked for
// grows the revision.
func sameShown(a, b ClusterRecord) bool {
	x, y := a.Status, b.Status
	return a.Revision == b.Revision && x.State == y.State && x.Reason == y.Reason && x.Message == y.Message && x.Since.Equal(y.Since) &&
		x.StaleFrom.Equal(y.StaleFrom) && x.Operation == y.Operation && x.Version == y.Version &&
		slices.EqualFunc(x.Conditions, y.Conditions, func(c, d Condition) bool {
			return sameCondition(c, d) && c.Message == d.Message && c.Since.Equal(d.Since)
		})
}
