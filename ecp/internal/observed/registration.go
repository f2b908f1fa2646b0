package observed

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// ChildrenOf reads the records of a kind that belong to a cluster.
func ChildrenOf[P ecp.Payload](ctx context.Context, m *Clusters, id ecp.ID) (out []P, _ error) {
	err := m.Store.Read(ctx, func(tx ecp.Tx) (err error) { out, err = ChildrenIn[P](tx, id); return err })
	return out, err
}

// ChildrenIn is ChildrenOf within a transaction.
func ChildrenIn[P ecp.Payload](tx ecp.Tx, id ecp.ID) ([]P, error) {
	out := []P{}
	for p, err := range ecp.List[P](tx, ecp.Query{Parent: string(id)}) {
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
