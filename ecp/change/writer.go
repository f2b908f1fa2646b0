package change

import (
	"context"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Writer carries out changes: each in one transaction, with its entries in the audit
// and the answer for a repeated request. All methods may be called at once.
type Writer struct {
	Store ecp.Store
	Now   func() time.Time // the wall clock
	Log   *slog.Logger

	refusals *Refusals[string] // by actor and credential
}

// New returns a Writer for a store. It holds nothing that has to be closed.
func New(store ecp.Store, log *slog.Logger, now func() time.Time) *Writer {
	return &Writer{
		Store: store, Now: now, Log: log,
		refusals: NewRefusals(refusalsOfActor, Rate{}, func(string) string { return "" }),
	}
}

// Request is what an actor asks for: what errors, the audit and idempotency need to
// know about it.
type Request struct {
	// Op is the operation in errors, such as "delete project a/b". It is also a part of
	// what an idempotency key stands for.
	Op     string
	Action string   // in the audit, such as "delete"
	Kind   ecp.Kind // of the record that is changed
	Key    string   // of the record that is changed; empty while it has none
	// Scope is whose audit the change belongs to, as in [AuditEntry]. The work may
	// replace it when it knows better (Tx.Asked).
	Scope string
	// Asked are the arguments, to tell a repeated request from another one. They are
	// hashed, never stored. Secret is one that Asked leaves out.
	Asked  any
	Secret string
	// Taken is the error for a name that is in use, for a request that creates.
	Taken ecp.FieldError
}

// Submit carries out a change for the actor of ctx, and returns what fn returns: in
// one transaction what fn writes, the audit of it and, where ctx has an idempotency
// key, the answer. A repeated request gets the answer of the first; fn is not called.
//
// fn may be called again when the transaction has to be repeated. It must not do
// anything but read and write in it. An error of fn is returned with the operation,
// and nothing is stored; a refusal is written to the audit.
func Submit[R any](ctx context.Context, c *Writer, q Request, fn func(*Tx) (R, error)) (R, error) {
	var zero, out R
	a, ok := ecp.ActorFrom(ctx)
	if !ok {
		_, err := ecp.Authorize(ctx, q.Op, ecp.RightRead, "")
		return zero, err
	}
	once, err := c.once(ctx, a, q)
	if err != nil {
		return zero, err
	}
	err = c.Store.Write(ctx, func(tx ecp.Tx) error {
		out = zero
		if known, err := once.answer(tx, &out); err != nil {
			return err
		} else if known {
			return q.mayHear(a)
		}
		w := &Tx{Tx: tx, Actor: a, Now: c.Now().UTC(), Asked: &q}
		var err error
		if out, err = fn(w); err != nil {
			return err
		}
		if err := w.writeNotes(ctx); err != nil {
			return err
		}
		return once.keep(tx, out)
	})
	if err != nil {
		c.AuditRefusal(ctx, a, q, err)
		return zero, fault.WrapTaken(q.Op, err, q.Taken.Field, q.Taken.Message)
	}
	return out, nil
}

// Do is [Submit] for changes without a result.
func Do(ctx context.Context, c *Writer, q Request, fn func(*Tx) error) error {
	_, err := Submit(ctx, c, q, func(w *Tx) (struct{}, error) { return struct{}{}, fn(w) })
	return err
}

// DoAs carries out a change in the name of an actor who has asked for nothing, such as
// the program itself or a user who logs in, with its entries in the audit. fn may
// replace Tx.Actor, and may be called again. Idempotency keys do not count here, and
// refusals are not written to the audit.
func (c *Writer) DoAs(ctx context.Context, actor ecp.Actor, q Request, fn func(*Tx) error) error {
	err := c.Store.Write(ctx, func(tx ecp.Tx) error {
		q := q
		w := &Tx{Tx: tx, Actor: actor, Now: c.Now().UTC(), Asked: &q}
		if err := fn(w); err != nil {
			return err
		}
		return w.writeNotes(ctx)
	})
	if err != nil {
		return fault.Wrap(q.Op, err)
	}
	return nil
}

// mayHear returns why an actor does not get the answer of its earlier request again:
// it may not read any more what that was about.
func (q Request) mayHear(a ecp.Actor) error {
	if q.Scope == "" {
		return nil
	}
	return a.Permit("", ecp.RightRead, q.Scope)
}

// Kinds returns the codec of the records that this package stores.
func Kinds() ecp.Codec { return ecp.CodecOf(AuditEntry{}, Answered{}) }
