package tenancy

import (
	"context"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// UnlockUser forgets the wrong passwords that were tried for a user, so that the next
// login is not delayed. If an address is given, it counts as one that the user has logged
// in from: for 30 days, what others try does not delay logins from there. UnlockUser
// needs what changing the user's password needs. Counts are kept in memory: programs that
// share the Store forget theirs with [Accounts.TakeUp].
func (ac *Accounts) UnlockUser(ctx context.Context, name, address string) error {
	q := change.Request{Op: "unlock user " + name, Action: "unlock", Kind: ecp.KindUser, Key: name, Asked: address}
	err := change.Do(ctx, ac.changes, q, func(w *change.Tx) error {
		u, err := userForChange(w, name)
		if err != nil {
			return err
		}
		if err := governs(w, u); err != nil {
			return err
		}
		group := originGroup(address)
		if address != "" && group == "" {
			var wrong fault.Fields
			wrong.Add("address", "is not an IP address such as 192.0.2.7")
			return wrong.Err("")
		}
		var after any
		if group != "" {
			after = map[string]string{"origin": group}
		}
		w.Note(name, userScope(u), nil, after)
		return rememberOrigin(w.Tx, name, group, w.Now)
	})
	if err == nil {
		ac.attempts.forgive(name)
	}
	return err
}

// TakeUp takes up what the audit says that a program has done which shares the Store: it
// forgets the wrong passwords of a user who was unlocked there.
func (ac *Accounts) TakeUp(e change.AuditEntry) {
	if e.Action == "unlock" && e.Kind == ecp.KindUser && e.Outcome == change.OutcomeDone {
		ac.attempts.forgive(e.Key)
	}
}
