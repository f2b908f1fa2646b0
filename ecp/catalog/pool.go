package catalog

import (
	"context"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// UpdatePool changes the limits and the expiry of what all clusters together may use, and
// returns the pool as it is stored. What is booked is not taken from p. No limit goes
// below what is booked. A revision of 0 in p means whatever the pool's is.
func (c *Catalog) UpdatePool(ctx context.Context, p ecp.Pool) (ecp.Pool, error) {
	q := change.Request{Op: "change pool", Action: "update", Kind: ecp.KindPool, Key: ecp.PoolKey, Asked: p}
	return change.Submit(ctx, c.changes, q, func(w *change.Tx) (ecp.Pool, error) {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return ecp.Pool{}, err
		}
		old, _, err := ecp.Get[ecp.Pool](w.Tx, ecp.PoolKey)
		if err != nil {
			return ecp.Pool{}, err
		}
		old = ShownPool(old)
		if err := change.CheckRevision(p.Revision, old.Revision); err != nil {
			return ecp.Pool{}, err
		}
		largest, err := largestCluster(w.Tx)
		if err != nil {
			return ecp.Pool{}, err
		}
		if err := checkPool(p, old, largest); err != nil {
			return ecp.Pool{}, err
		}
		next := old
		next.Connections, next.LargestCluster = p.Connections, p.LargestCluster
		next.Clusters, next.ExpiresAt = p.Clusters, p.ExpiresAt
		if same(old, next) {
			return old, nil
		}
		next.Revision++
		w.Note(ecp.PoolKey, "", old, next)
		return next, ecp.Put(w.Tx, next, ecp.AnyVersion)
	})
}

func largestCluster(tx ecp.Tx) (int, error) {
	largest := 0
	for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
		if err != nil {
			return 0, err
		}
		largest = max(largest, r.Booked())
	}
	return largest, nil
}

// checkPool returns what is wrong with new limits.
func checkPool(p ecp.Pool, used ecp.Pool, largest int) error {
	var wrong, below fault.Fields
	for _, limit := range []struct {
		field    string
		is, used int
		what     string
	}{
		{"connections", p.Connections, used.UsedConnections, "connections are booked"},
		{"largestCluster", p.LargestCluster, largest, "are booked by the largest cluster"},
		{"clusters", p.Clusters, used.UsedClusters, "clusters are there"},
	} {
		switch {
		case limit.is < 0:
			wrong.Add(limit.field, "is %d; 0 means without a limit, else a number above 0 is wanted", limit.is)
		case limit.is > 0 && limit.is < limit.used:
			below.Add(limit.field, "is %d; %d %s", limit.is, limit.used, limit.what)
		}
	}
	if err := wrong.Err(""); err != nil || len(below) == 0 {
		return err
	}
	return &ecp.Error{
		Code:    ecp.CodeConflict,
		Message: "a limit cannot go below what is used; make clusters smaller or delete some first",
		Fields:  below,
	}
}

// ShownPool returns a pool with its first revision where an earlier build stored it.
func ShownPool(p ecp.Pool) ecp.Pool {
	p.Revision = max(p.Revision, 1)
	return p
}
