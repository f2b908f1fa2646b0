package pruning

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// OperationsOf lists a cluster's operations, newest first. There are not many:
// see fleet.Limits.
func OperationsOf(tx ecp.Tx, id ecp.ID) ([]ecp.Operation, error) {
	var all []ecp.Operation
	for o, err := range ecp.List[ecp.Operation](tx, ecp.Query{Parent: string(id)}) {
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b ecp.Operation) int { return strings.Compare(PlaceOf(b), PlaceOf(a)) })
	return all, nil
}

// PlaceOf is where an operation stands in a list: by time, and where that is the
// same by id.
func PlaceOf(o ecp.Operation) string { return observed.SortableTime(o.CreatedAt) + " " + string(o.ID) }

// TrimOperations removes the oldest of a cluster's operations that have ended,
// where there are more than are kept.
func (p *Pruner) TrimOperations(tx ecp.Tx, id ecp.ID) error {
	all, err := OperationsOf(tx, id)
	if err != nil {
		return err
	}
	kept, removed := 0, 0
	for _, o := range all {
		if !o.Phase.Final() {
			continue
		}
		if kept++; kept <= p.OperationsMost || removed == Batch {
			continue
		}
		removed++
		if err := tx.Delete(ecp.KindOperation, string(o.ID)); err != nil {
			return err
		}
	}
	return nil
}

// overOperations returns the ids of operations that have ended and are kept no longer: because
// of their age, or because too many of the same cluster are newer.
func (p *Pruner) overOperations(tx ecp.Tx, now time.Time) (over []string, _ error) {
	ended := map[ecp.ID][]ecp.Operation{}
	for o, err := range ecp.List[ecp.Operation](tx, ecp.Query{}) {
		if err != nil {
			return nil, err
		}
		if o.Phase.Final() && o.EndedAt.Before(now.Add(-p.OperationsKept)) {
			over = append(over, string(o.ID))
		} else if o.Phase.Final() {
			ended[o.Cluster] = append(ended[o.Cluster], ecp.Operation{ID: o.ID, CreatedAt: o.CreatedAt})
		}
	}
	for _, all := range ended {
		if len(all) <= p.OperationsMost {
			continue
		}
		slices.SortFunc(all, func(a, b ecp.Operation) int { return strings.Compare(PlaceOf(b), PlaceOf(a)) })
		for _, o := range all[p.OperationsMost:] {
			over = append(over, string(o.ID))
		}
	}
	return over, nil
}

// operations removes the operations that are kept no longer, a batch in each
// transaction. They can be found before the writing: an operation that has ended stays ended.
func (p *Pruner) operations(ctx context.Context, now time.Time) error {
	var over []string
	if err := p.Observed.Store.Read(ctx,
		func(tx ecp.Tx) (err error) { over, err = p.overOperations(tx, now); return err }); err != nil {
		return err
	}
	for some := range slices.Chunk(over, Batch) {
		err := p.Observed.Store.Write(ctx, func(tx ecp.Tx) error {
			for _, id := range some {
				if err := Remove(tx, ecp.KindOperation, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
