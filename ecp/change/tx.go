package change

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Tx is a change under way: the transaction of the store, who asked for it, and what
// will be written to the audit.
type Tx struct {
	ecp.Tx
	Actor ecp.Actor
	Now   time.Time // in UTC, the same during the whole change
	Asked *Request  // the work may replace its Kind, Key and Scope

	notes []AuditEntry
}

// Note adds an entry to the audit: the key of the record that is changed, the scope
// (see [AuditEntry]), and the record before and after. Before is nil for what is
// created, after for what is deleted.
func (w *Tx) Note(key, scope string, before, after any) {
	w.NoteAs("", "", key, scope, before, after)
}

// NoteAs is [Tx.Note] for a change that comes with the one that was asked for. An empty
// action or kind means that of the request.
func (w *Tx) NoteAs(action string, kind ecp.Kind, key, scope string, before, after any) {
	w.notes = append(w.notes,
		AuditEntry{Action: action, Kind: kind, Key: key, Scope: scope, Changes: compare(before, after)})
}

// NoteSecret adds to the last entry that a secret was set, without the secret.
func (w *Tx) NoteSecret(field string) {
	n := &w.notes[len(w.notes)-1]
	n.Changes = append(n.Changes, AuditChange{Path: "/" + field, After: "[set]"})
}

// writeNotes writes the audit entries in the transaction of the change.
func (w *Tx) writeNotes(ctx context.Context) error {
	for i, n := range w.notes {
		e := newAuditEntry(ctx, w.Actor, *w.Asked, w.Now)
		e.ID = auditID(w.Now, i)
		e.Key, e.Scope, e.Changes = n.Key, n.Scope, n.Changes
		e.Action, e.Kind = cmp.Or(n.Action, e.Action), cmp.Or(n.Kind, e.Kind)
		if err := ecp.Put(w.Tx, e, 0); err != nil {
			return err
		}
	}
	return nil
}

// Permit returns an error if the actor does not hold a right in a project or
// organisation. An empty where means the whole system.
func (w *Tx) Permit(right ecp.Right, where string) error { return w.Actor.Permit("", right, where) }

// Remove deletes a record if there is one.
func (w *Tx) Remove(kind ecp.Kind, key string) error {
	if err := w.Delete(kind, key); !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	return nil
}

// CheckRevision returns an error if a record has another revision than the one that
// the caller has read. A want of 0 means any revision.
func CheckRevision(want, is int64) error {
	if want == 0 || want == is {
		return nil
	}
	return ecp.NewError(ecp.CodePrecondition, "",
		fmt.Sprintf("it is at revision %d, not %d: somebody has changed it meanwhile; read it again and decide anew",
			is, want))
}
