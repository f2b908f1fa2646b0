package ecp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// errRefused is the cause of every refusal for want of a right, also where the
// actor is told that there is no such thing: the audit tells them apart.
var errRefused = errors.New("the actor does not hold the right")

// Writer is the one door for changes that actors ask for: it makes of each one
// transaction with its entry in the audit, and answers whoever repeats it.
type Writer struct {
	store    Store
	now      func() time.Time
	log      *slog.Logger
	refusals buckets[string] // bounds what is written of refusals
}

func newWriter(store Store, log *slog.Logger, now func() time.Time) *Writer {
	return &Writer{store: store, now: now, log: log, refusals: newRefusals()}
}

// request is a change that an actor asks for: what errors, the audit and
// idempotency need to know of it.
type request struct {
	op     string // for errors, e.g. "delete project a/b"; also names the route of an idempotency key
	action string // for the audit, e.g. "delete"
	kind   Kind
	key    string // of what is changed; "" until it has one
	scope  string // whose audit it belongs to, see [AuditEntry]; the work may know better
	asked  any    // the arguments: part of what an idempotency key stands for, never stored
	secret string // an argument that asked leaves out
	taken  FieldError
}

// work is a change under way: its transaction, who asked, and what the audit
// will say.
type work struct {
	Tx
	actor Actor
	now   time.Time
	asked *request // the work may say whose it is
	notes []AuditEntry
}

// submit carries one change out: in one transaction what fn writes, the audit
// of it, and the answer for whoever repeats it. fn may run again.
func submit[R any](ctx context.Context, c *Writer, q request, fn func(*work) (R, error)) (R, error) {
	var zero, out R
	a, ok := ActorFrom(ctx)
	if !ok {
		_, err := authorize(ctx, q.op, RightRead, "")
		return zero, err
	}
	once, err := c.once(ctx, a, q)
	if err != nil {
		return zero, err
	}
	err = c.store.Write(ctx, func(tx Tx) error {
		out = zero
		if known, err := once.answer(tx, &out); err != nil {
			return err
		} else if known {
			return q.mayHear(a)
		}
		w := &work{Tx: tx, actor: a, now: c.now().UTC(), asked: &q}
		var err error
		if out, err = fn(w); err != nil {
			return err
		}
		if err := w.writeNotes(ctx, q); err != nil {
			return err
		}
		return once.keep(tx, out)
	})
	if err != nil {
		c.auditRefusal(ctx, a, q, err)
		return zero, explain(q.op, err, q.taken.Field, q.taken.Message)
	}
	return out, nil
}

// mayHear says why an actor is not given the answer of its earlier call again:
// it may not see any more what that was about.
func (q request) mayHear(a Actor) error {
	if q.scope == "" {
		return nil
	}
	return a.permit("", RightRead, q.scope)
}

// do is submit for changes that answer nothing.
func do(ctx context.Context, c *Writer, q request, fn func(*work) error) error {
	_, err := submit(ctx, c, q, func(w *work) (struct{}, error) { return struct{}{}, fn(w) })
	return err
}

// note adds an entry to the audit: what was changed, whose it is, and how it
// looked before and after (nil = it was not there).
func (w *work) note(key, scope string, before, after any) {
	w.notes = append(w.notes, AuditEntry{Key: key, Scope: scope, Changes: compare(before, after)})
}

// noteAs is note for what is done along with the change that was asked for.
func (w *work) noteAs(action, key, scope string, before, after any) {
	w.notes = append(w.notes, AuditEntry{Action: action, Key: key, Scope: scope, Changes: compare(before, after)})
}

// same reports whether a change leaves a thing as it was. Then nothing is written:
// a revision that grows would refuse others, who read the same, and the stream of
// changes and the audit would tell of nothing.
func same(before, after any) bool { return len(compare(before, after)) == 0 }

// noteSecret says that a secret was set, without the secret.
func (w *work) noteSecret(field string) {
	n := &w.notes[len(w.notes)-1]
	n.Changes = append(n.Changes, AuditChange{Path: "/" + field, After: "[set]"})
}

func (w *work) writeNotes(ctx context.Context, q request) error {
	for i, n := range w.notes {
		e := newAuditEntry(ctx, w.actor, q, w.now)
		e.ID = auditID(w.now, i)
		e.Key, e.Scope, e.Changes = n.Key, n.Scope, n.Changes
		e.Action, e.Kind = cmp.Or(n.Action, q.action), cmp.Or(n.Kind, e.Kind)
		if err := Put(w.Tx, e, 0); err != nil {
			return err
		}
	}
	return nil
}

// permit asks for a right in the middle of a change.
func (w *work) permit(right Right, where string) error { return w.actor.permit("", right, where) }

// checkRevision refuses a change of something that has changed since the
// caller read it; want 0 = whatever revision.
func checkRevision(want, is int64) error {
	if want == 0 || want == is {
		return nil
	}
	return fail(CodePrecondition, "", fmt.Sprintf("it is at revision %d, not %d: somebody has changed it meanwhile; read it again and decide anew", is, want))
}

// changeKinds returns the codec of the records that changes leave behind.
func changeKinds() Codec { return CodecOf(AuditEntry{}, answered{}) }
