package observed

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// NoCluster returns the error for a cluster that is not there, or that the actor may
// know of; cause tells the two apart for the audit.
func NoCluster(op string, id ecp.ID, cause error) error {
	return &ecp.Error{Code: ecp.CodeNotFound, Op: op, Message: fmt.Sprintf("there is no cluster %q", id), Cause: cause}
}

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

// Load reads a cluster and its running operation.
func (m *Clusters) Load(ctx context.Context, id ecp.ID) (rec ecp.ClusterRecord, op *ecp.Operation, err error) {
	err = m.Store.Read(ctx, func(tx ecp.Tx) error {
		rec, op, err = LoadTx(tx, id)
		return err
	})
	return rec, op, err
}

func LoadTx(tx ecp.Tx, id ecp.ID) (ecp.ClusterRecord, *ecp.Operation, error) {
	rec, _, err := ecp.Get[ecp.ClusterRecord](tx, string(id))
	if err != nil || rec.Status.Operation == "" {
		return rec, nil, err
	}
	op, _, err := ecp.Get[ecp.Operation](tx, string(rec.Status.Operation))
	if errors.Is(err, ecp.ErrNotFound) { // a cluster must not be lost with the record of its operation
		rec.Status.Operation = ""
		return rec, nil, nil
	}
	if err != nil {
		return rec, nil, fmt.Errorf("read operation %s: %w", rec.Status.Operation, err)
	}
	return rec, &op, nil
}

// LoadReadable loads a cluster over whose project the actor holds a right. Who may
// not even read it is told that there is none.
func (m *Clusters) LoadReadable(ctx context.Context, op string, right ecp.Right, id ecp.ID) (ecp.ClusterRecord, error) {
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return ecp.ClusterRecord{}, err
	}
	rec, _, err := m.Load(ctx, id)
	if err == nil {
		err = actor.Permit(op, right, rec.Project)
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.ClusterRecord{}, NoCluster(op, id, nil)
	}
	if err != nil {
		return ecp.ClusterRecord{}, fault.Wrap(op, err)
	}
	return rec, nil
}
