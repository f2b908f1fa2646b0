package ecp

import (
	"context"
	"errors"
	"fmt"
)

// noSuch says that there is no such thing, or none that the actor may know of;
// the two read alike. cause nil = it is there, and was refused.
func noSuch(what, name string, cause error) error {
	if cause == nil {
		cause = errRefused
	}
	return &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no %s %q", what, name), Cause: cause}
}

// listVisible lists the records of a kind that the actor may see.
func listVisible[P Payload](ctx context.Context, s Store, op string, q Query, sees func(Actor, P) bool) ([]P, error) {
	a, err := authorize(ctx, op, RightRead, "")
	if err != nil {
		return nil, err
	}
	out := []P{}
	err = s.Read(ctx, func(tx Tx) error {
		out = out[:0]
		for p, err := range List[P](tx, q) {
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
		return nil, explain(op, err, "", "")
	}
	return out, nil
}

// readVisible gives one record; what the actor may not see is not found.
func readVisible[P Payload](ctx context.Context, s Store, op, what, key string, sees func(Actor, P) bool) (P, error) {
	var p P
	a, err := authorize(ctx, op, RightRead, "")
	if err != nil {
		return p, err
	}
	err = s.Read(ctx, func(tx Tx) (err error) {
		p, _, err = Get[P](tx, key)
		return err
	})
	var zero P
	switch {
	case errors.Is(err, ErrNotFound) || (err == nil && !sees(a, p)):
		return zero, explain(op, noSuch(what, key, err), "", "")
	case err != nil:
		return zero, explain(op, err, "", "")
	}
	return revised(p), nil
}

// revised gives a project of an earlier build, which knew no revisions, its first.
func revised[P Payload](record P) P {
	p, is := any(record).(Project)
	if !is {
		return record
	}
	p.Revision = max(p.Revision, 1)
	first, _ := any(p).(P)
	return first
}
