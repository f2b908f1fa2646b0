package ecp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// opWatch names following changes in errors.
const opWatch = "watch changes"

// errOver is why a credential has ended by its own time.
var errOver = fail(CodeDenied, opWatch, "the token or session has expired; log in again, or use another token")

// errOtherRights ends what was begun with the rights of before.
var errOtherRights = fail(CodeUnavailable, opWatch, "your rights have changed; begin again from what you have seen last")

// goodUntil is the end of the credential that the actor came with; zero where it
// has none. The error says that it is no good now, or that its rights have
// changed since. What an embedder vouches for is good for ever.
func goodUntil(a Actor, tx Tx, now time.Time) (end time.Time, _ error) {
	if user := a.user(); user != "" {
		return sessionUntil(a, tx, user, now)
	}
	id, isToken := strings.CutPrefix(a.Credential, tokenCredential)
	if !isToken {
		return end, nil
	}
	for t, err := range List[Token](tx, Query{Parent: id}) {
		if err == nil && !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) {
			err = errOver
		}
		return t.ExpiresAt, err
	}
	return end, fail(CodeDenied, opWatch, "the token was deleted")
}

func sessionUntil(a Actor, tx Tx, user string, now time.Time) (end time.Time, _ error) {
	all, err := sessionsOf(tx, user)
	if err != nil {
		return end, err
	}
	i := slices.IndexFunc(all, func(s storedSession) bool { return a.Credential == sessionCredential+s.ID })
	if i < 0 {
		return end, fail(CodeDenied, opWatch, "the session has ended; log in again")
	}
	if !all[i].ExpiresAt.After(now) {
		return end, errOver
	}
	u, _, err := Get[User](tx, user)
	if err == nil {
		err = endedBy(a, Change{Kind: KindUser, Payload: u})
	}
	if errors.Is(err, ErrNotFound) {
		err = fail(CodeDenied, opWatch, "the session has ended; log in again")
	}
	return all[i].ExpiresAt, err
}

// standing gives the end of the credential that the actor of ctx came with, and
// the number of the last change: whatever ends the credential earlier comes
// after it.
func (d *Directory) standing(ctx context.Context) (end time.Time, seq int64, _ error) {
	actor, err := authorize(ctx, opWatch, RightRead, "")
	if err != nil {
		return end, 0, err
	}
	err = d.store.Read(ctx, func(tx Tx) error {
		end, err = goodUntil(actor, tx, d.now())
		if err == nil {
			seq, err = tx.Seq()
		}
		return err
	})
	return end, seq, err
}

// whileGood gives a context that ends, with errOver as its cause, when the
// credential of the actor of ctx does by its own time.
func (d *Directory) whileGood(ctx context.Context) (_ context.Context, cancel context.CancelFunc, seq int64, _ error) {
	end, seq, err := d.standing(ctx)
	if err != nil {
		return nil, nil, 0, explain(opWatch, err, "", "")
	}
	if end.IsZero() {
		ctx, cancel = context.WithCancel(ctx)
		return ctx, cancel, seq, nil
	}
	ctx, cancel = context.WithTimeoutCause(ctx, end.Sub(d.now()), errOver)
	return ctx, cancel, seq, nil
}

// endedBy says why a change leaves an actor with other rights than it came
// with, or with none; nil if it does not.
func endedBy(a Actor, c Change) error {
	switch p := c.Payload.(type) {
	case Token:
		if c.Deleted && a.Credential == tokenCredential+p.ID {
			return fail(CodeDenied, opWatch, "the token was deleted")
		}
	case storedSession:
		if c.Deleted && a.Credential == sessionCredential+p.ID {
			return fail(CodeDenied, opWatch, "the session has ended; log in again")
		}
	case User:
		if a.user() == p.Name && !c.Deleted && !slices.Equal(p.Grants, a.Grants) {
			return errOtherRights
		}
	}
	return nil
}
