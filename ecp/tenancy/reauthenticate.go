package tenancy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Reauthenticate returns an actor of [Accounts.Authenticate] with its present rights, for
// what lasts longer than one request. It is denied when the token was deleted or has
// expired, the session has ended, or the user was disabled. An actor without a
// credential is one of the embedder's, and returned unchanged.
func (ac *Accounts) Reauthenticate(ctx context.Context, a ecp.Actor) (ecp.Actor, error) {
	const op = "authenticate again"
	var find func(ecp.Tx, ecp.Actor, time.Time) (ecp.Actor, error)
	switch {
	case a.Credential == "":
		return a, nil
	case strings.HasPrefix(a.Credential, ecp.TokenCredential):
		find = byTokenID
	case strings.HasPrefix(a.Credential, ecp.SessionCredential):
		find = bySessionID
	default:
		return ecp.Actor{}, ecp.NewError(ecp.CodeDenied, op, "the credential is not one of this program's")
	}
	var out ecp.Actor
	now := ac.now().UTC()
	err := ac.store.Read(ctx, func(tx ecp.Tx) (err error) {
		out, err = find(tx, a, now)
		return err
	})
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.Actor{}, ecp.NewError(ecp.CodeDenied, op,
			"the token or session it began with has ended; log in again")
	}
	if err != nil {
		return ecp.Actor{}, fault.Wrap(op, err)
	}
	return out, nil
}

// byTokenID returns the actor of a token by the token's id.
func byTokenID(tx ecp.Tx, a ecp.Actor, now time.Time) (ecp.Actor, error) {
	id := strings.TrimPrefix(a.Credential, ecp.TokenCredential)
	for t, err := range ecp.List[ecp.Token](tx, ecp.Query{Parent: id}) {
		if err != nil {
			return ecp.Actor{}, err
		}
		return tokenActor(t, now)
	}
	return ecp.Actor{}, ecp.ErrNotFound
}

// bySessionID returns the actor of a session by the session's id.
func bySessionID(tx ecp.Tx, a ecp.Actor, now time.Time) (ecp.Actor, error) {
	all, err := sessionsOf(tx, a.Name)
	if err != nil {
		return ecp.Actor{}, err
	}
	id := strings.TrimPrefix(a.Credential, ecp.SessionCredential)
	i := slices.IndexFunc(all, func(s StoredSession) bool { return s.ID == id })
	if i < 0 {
		return ecp.Actor{}, ecp.ErrNotFound
	}
	return bySession(tx, all[i].Hash, now)
}
