package tenancy

import (
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/random"
)

// MinTokenLength is the length of the shortest secret that is taken for a token, in characters.
const MinTokenLength = 16

// Bootstrap stores a token with the role system in a new store, and reports whether it
// did. If there is any token or user it stores nothing: a bootstrap token that was
// deleted must not come back with the next start. A secret of fewer than
// [MinTokenLength] characters is invalid.
func (ac *Accounts) Bootstrap(ctx context.Context, secret string) (bool, error) {
	const op = "store the bootstrap token"
	if len(secret) < MinTokenLength {
		return false, ecp.NewError(ecp.CodeInvalid, op,
			fmt.Sprintf("it is too short; give at least %d characters", MinTokenLength))
	}
	stored := false
	q := change.Request{Op: op, Action: "create", Kind: ecp.KindToken}
	err := ac.changes.DoAs(ctx, ecp.System, q, func(w *change.Tx) error {
		stored = false
		if used, err := letsSomebodyIn(w); used || err != nil {
			return err
		}
		stored = true
		t := ecp.Token{
			ID:        "bootstrap",
			Hash:      random.Hash(secret),
			Name:      "admin",
			Role:      ecp.RoleSystem,
			CreatedAt: w.Now,
			CreatedBy: ecp.System.Name,
		}
		w.Note(t.ID, "", nil, tokenInfo(t))
		return ecp.Put(w.Tx, t, 0)
	})
	return stored && err == nil, err
}

// letsSomebodyIn reports whether there is a token or a user, valid or not. The
// last of them with the role system cannot be deleted.
func letsSomebodyIn(tx ecp.Tx) (bool, error) {
	for _, kind := range []ecp.Kind{ecp.KindToken, ecp.KindUser} {
		for _, err := range tx.List(ecp.Query{Kind: kind, Limit: 1}) {
			return err == nil, err
		}
	}
	return false, nil
}
