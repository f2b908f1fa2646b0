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

// opWatch is the operation in errors.
const opWatch = "watch changes"

// ErrExpired means that a token or session has expired.
var ErrExpired = ecp.NewError(ecp.CodeDenied, opWatch,
	"the token or session has expired; log in again, or use another token")

// ErrRightsChanged means that the rights of a user have changed. A watch that began with
// the former ones ends; the user may begin another.
var ErrRightsChanged = ecp.NewError(ecp.CodeUnavailable, opWatch,
	"your rights have changed; begin again from what you have seen last")

// goodUntil returns when the credential of an actor expires, or a zero time. The error is
// that it is not valid now, or that the rights have changed. An actor of an embedder,
// which has no credential, is always valid.
func goodUntil(a ecp.Actor, tx ecp.Tx, now time.Time) (end time.Time, _ error) {
	if user := a.User(); user != "" {
		return sessionUntil(a, tx, user, now)
	}
	id, isToken := strings.CutPrefix(a.Credential, ecp.TokenCredential)
	if !isToken {
		return end, nil
	}
	for t, err := range ecp.List[ecp.Token](tx, ecp.Query{Parent: id}) {
		if err == nil && !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) {
			err = ErrExpired
		}
		return t.ExpiresAt, err
	}
	return end, ecp.NewError(ecp.CodeDenied, opWatch, "the token was deleted")
}

func sessionUntil(a ecp.Actor, tx ecp.Tx, user string, now time.Time) (end time.Time, _ error) {
	all, err := sessionsOf(tx, user)
	if err != nil {
		return end, err
	}
	i := slices.IndexFunc(all, func(s StoredSession) bool { return a.Credential == ecp.SessionCredential+s.ID })
	if i < 0 {
		return end, ecp.NewError(ecp.CodeDenied, opWatch, "the session has ended; log in again")
	}
	if !all[i].ExpiresAt.After(now) {
		return end, ErrExpired
	}
	u, _, err := ecp.Get[ecp.User](tx, user)
	if err == nil {
		err = EndedBy(a, ecp.Change{Kind: ecp.KindUser, Payload: u})
	}
	if errors.Is(err, ecp.ErrNotFound) {
		err = ecp.NewError(ecp.CodeDenied, opWatch, "the session has ended; log in again")
	}
	return all[i].ExpiresAt, err
}

// Standing returns when the credential of the actor in ctx expires, and the sequence
// number of the last change. Changes that end the credential earlier come after it.
func (ac *Accounts) Standing(ctx context.Context) (end time.Time, seq int64, _ error) {
	actor, err := ecp.Authorize(ctx, opWatch, ecp.RightRead, "")
	if err != nil {
		return end, 0, err
	}
	err = ac.store.Read(ctx, func(tx ecp.Tx) error {
		end, err = goodUntil(actor, tx, ac.now())
		if err == nil {
			seq, err = tx.Seq()
		}
		return err
	})
	return end, seq, err
}

// WhileGood returns a context that ends, with [ErrExpired] as its cause, when the
// credential of the actor in ctx expires, and the number that [Accounts.Standing] returns.
func (ac *Accounts) WhileGood(ctx context.Context) (_ context.Context, cancel context.CancelFunc, seq int64, _ error) {
	end, seq, err := ac.Standing(ctx)
	if err != nil {
		return nil, nil, 0, fault.Wrap(opWatch, err)
	}
	if end.IsZero() {
		ctx, cancel = context.WithCancel(ctx)
		return ctx, cancel, seq, nil
	}
	ctx, cancel = context.WithTimeoutCause(ctx, end.Sub(ac.now()), ErrExpired)
	return ctx, cancel, seq, nil
}

// EndedBy returns an error if a change takes an actor's credential away, or changes its
// rights. Whoever follows changes for an actor asks it of each, and ends then.
func EndedBy(a ecp.Actor, c ecp.Change) error {
	switch p := c.Payload.(type) {
	case ecp.Token:
		if c.Deleted && a.Credential == ecp.TokenCredential+p.ID {
			return ecp.NewError(ecp.CodeDenied, opWatch, "the token was deleted")
		}
	case StoredSession:
		if c.Deleted && a.Credential == ecp.SessionCredential+p.ID {
			return ecp.NewError(ecp.CodeDenied, opWatch, "the session has ended; log in again")
		}
	case ecp.User:
		if a.User() == p.Name && !c.Deleted && !slices.Equal(p.Grants, a.Grants) {
			return ErrRightsChanged
		}
	}
	return nil
}
