package ecp

import (
	"context"
	"fmt"
)

// Bootstrap stores a system token in a store that has never let anybody in, and
// reports whether it did. Where there is a token or a user it stores nothing: a
// bootstrap token that was deleted must not come back with the next start. A
// secret of fewer than [MinTokenLength] characters is invalid.
func (d *Directory) Bootstrap(ctx context.Context, secret string) (bool, error) {
	const op = "store the bootstrap token"
	if len(secret) < MinTokenLength {
		return false, fail(CodeInvalid, op, fmt.Sprintf("it is too short; give at least %d characters", MinTokenLength))
	}
	stored := false
	err := d.store.Write(ctx, func(tx Tx) error {
		stored = false
		if used, err := letsSomebodyIn(tx); used || err != nil {
			return err
		}
		stored = true
		t := Token{ID: "bootstrap", Hash: hashToken(secret), Name: "admin", Role: RoleSystem, CreatedAt: d.now().UTC(), CreatedBy: System.Name}
		w := &work{Tx: tx, actor: System, now: t.CreatedAt}
		w.note(t.ID, "", nil, tokenInfo(t))
		if err := w.writeNotes(ctx, request{action: "create", kind: KindToken}); err != nil {
			return err
		}
		return Put(tx, t, 0)
	})
	if err != nil {
		return false, explain(op, err, "", "")
	}
	return stored, nil
}

// letsSomebodyIn reports whether there is a token or a user, valid or not. The
// last of them with the role system cannot be deleted.
func letsSomebodyIn(tx Tx) (bool, error) {
	for _, kind := range []Kind{KindToken, KindUser} {
		for _, err := range tx.List(Query{Kind: kind, Limit: 1}) {
			return err == nil, err
		}
	}
	return false, nil
}
