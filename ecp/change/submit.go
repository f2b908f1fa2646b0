package change

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Writer is the one door for changes that actors ask for: it makes of each one
// transaction with its entry in the audit, and answers whoever repeats it.
type Writer struct {
	Store    ecp.Store
	Now      func() time.Time
	Log      *slog.Logger
	refusals Buckets[string] // bounds what is written of refusals
}

// New returns a Writer for a store. It holds nothing that has to be closed.
func New(store ecp.Store, log *slog.Logger, now func() time.Time) *Writer {
	return &Writer{Store: store, Now: now, Log: log, refusals: NewRefusals()}
}

// Request is a change that an actor asks for: what errors, the audit and
// idempotency need to know of it.
type Request struct {
	Op     string // for errors, e.g. "delete project a/b"; also names the route of an idempotency key
	Action string // for the audit, e.g. "delete"
	Kind   ecp.Kind
	Key    string // of what is changed; "" until it has one
	Scope  string // whose audit it belongs to, see [AuditEntry]; the work may know better
	Asked  any    // the arguments: part of what an idempotency key stands for, never stored
	Secret string // an argument that asked leaves out
	Taken  ecp.FieldError
}

// Tx is a change under way: its transaction, who asked, and what the audit
// will say.
type Tx struct {
	ecp.Tx
	Actor ecp.Actor
	Now   time.Time
	Asked *Request // the work may say whose it is
	Notes []AuditEntry
}

// Submit carries one change out: in one transaction what fn writes, the audit
// of it, and the answer for whoever repeats it. fn may run again.
func Submit[R any](ctx context.Context, c *Writer, q Request, fn func(*Tx) (R, error)) (R, error) {
	var zero, out R
	a, ok := ecp.ActorFrom(ctx)
	if !ok {
		_, err := ecp.Authorize(ctx, q.Op, ecp.RightRead, "")
		return zero, err
	}
	once, err := c.Once(ctx, a, q)
	if err != nil {
		return zero, err
	}
	err = c.Store.Write(ctx, func(tx ecp.Tx) error {
		out = zero
		if known, err := once.Answer(tx, &out); err != nil {
			return err
		} else if known {
			return q.mayHear(a)
		}
		w := &Tx{Tx: tx, Actor: a, Now: c.Now().UTC(), Asked: &q}
		var err error
		if out, err = fn(w); err != nil {
			return err
		}
		if err := w.WriteNotes(ctx, q); err != nil {
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

// mayHear says why an actor is not given the answer of its earlier call again:
// it may not see any more what that was about.
func (q Request) mayHear(a ecp.Actor) error {
	if q.Scope == "" {
		return nil
	}
	return a.Permit("", ecp.RightRead, q.Scope)
}

// Do is submit for changes that answer nothing.
func Do(ctx context.Context, c *Writer, q Request, fn func(*Tx) error) error {
	_, err := Submit(ctx, c, q, func(w *Tx) (struct{}, error) { return struct{}{}, fn(w) })
	return err
}

// Note adds an entry to the audit: what was changed, whose it is, and how it
// looked before and after (nil = it was not there).
func (w *Tx) Note(key, scope string, before, after any) {
	w.Notes = append(w.Notes, AuditEntry{Key: key, Scope: scope, Changes: Compare(before, after)})
}

// NoteAs is note for what is done along with the change that was asked for.
func (w *Tx) NoteAs(action, key, scope string, before, after any) {
	w.Notes = append(w.Notes, AuditEntry{Action: action, Key: key, Scope: scope, Changes: Compare(before, after)})
}

// Same reports whether a change leaves a thing as it was. Then nothing is written:
// a revision that grows would refuse others, who read the same, and the stream of
// changes and the audit would tell of nothing.
func Same(before, after any) bool { return len(Compare(before, after)) == 0 }

// NoteSecret says that a secret was set, without the secret.
func (w *Tx) NoteSecret(field string) {
	n := &w.Notes[len(w.Notes)-1]
	n.Changes = append(n.Changes, AuditChange{Path: "/" + field, After: "[set]"})
}

// WriteNotes writes the audit entries of what the change noted, in its transaction.
func (w *Tx) WriteNotes(ctx context.Context, q Request) error {
	for i, n := range w.Notes {
		e := NewAuditEntry(ctx, w.Actor, q, w.Now)
		e.ID = AuditID(w.Now, i)
		e.Key, e.Scope, e.Changes = n.Key, n.Scope, n.Changes
		e.Action, e.Kind = cmp.Or(n.Action, q.Action), cmp.Or(n.Kind, e.Kind)
		if err := ecp.Put(w.Tx, e, 0); err != nil {
			return err
		}
	}
	return nil
}

// Permit asks for a right in the middle of a change.
func (w *Tx) Permit(right ecp.Right, where string) error { return w.Actor.Permit("", right, where) }

// CheckRevision refuses a change of something that has changed since the
// caller read it; want 0 = whatever revision.
func CheckRevision(want, is int64) error {
	if want == 0 || want == is {
		return nil
	}
	return ecp.NewError(ecp.CodePrecondition, "", fmt.Sprintf("it is at revision %d, not %d: somebody has changed it meanwhile; read it again and decide anew", is, want))
}

// Kinds returns the codec of the records that changes leave behind.
func Kinds() ecp.Codec { return ecp.CodecOf(AuditEntry{}, Answered{}) }
