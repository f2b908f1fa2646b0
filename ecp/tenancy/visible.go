package tenancy

import (
	"context"
	"errors"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// listVisible lists the records of a kind that the actor may see.
func listVisible[P ecp.Payload](
	ctx context.Context, s ecp.Store, op string, q ecp.Query, sees func(ecp.Actor, P) bool,
) ([]P, error) {
	a, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return nil, err
	}
	out := []P{}
	err = s.Read(ctx, func(tx ecp.Tx) error {
		out = out[:0]
		for p, err := range ecp.List[P](tx, q) {
			if err != nil {
				return err
			}
			if sees(a, p) {
				out = append(out, revised(p))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	return out, nil
}

// readVisible returns a record. One that the actor may not see is not found.
func readVisible[P ecp.Payload](
	ctx context.Context, s ecp.Store, op, what, key string, sees func(ecp.Actor, P) bool,
) (P, error) {
	var p P
	a, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return p, err
	}
	err = s.Read(ctx, func(tx ecp.Tx) (err error) {
		p, _, err = ecp.Get[P](tx, key)
		return err
	})
	var zero P
	switch {
	case errors.Is(err, ecp.ErrNotFound) || (err == nil && !sees(a, p)):
		return zero, fault.Wrap(op, fault.NotFound(what, key, err))
	case err != nil:
		return zero, fault.Wrap(op, err)
	}
	return revised(p), nil
}

// revised returns a project of an earlier build, which knew no revisions, with the first.
func revised[P ecp.Payload](record P) P {
	p, is := any(record).(ecp.Project)
	if !is {
		return record
	}
	p.Revision = max(p.Revision, 1)
	first, _ := any(p).(P)
	return first
}
