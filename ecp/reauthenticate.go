package ecp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Reauthenticate gives an actor that [Directory.Authenticate] gave earlier as its
// credential makes it now, for what lasts longer than one request: the rights
// are today's. Denied where the token was deleted or has expired, the session
// has ended, or the user was disabled. An actor without a credential is the
// embedder's own to vouch for and is given back as it is.
func (d *Directory) Reauthenticate(ctx context.Context, a Actor) (Actor, error) {
	const op = "authenticate again"
	var find func(Tx, Actor, time.Time) (Actor, error)
	switch {
	case a.Credential == "":
		return a, nil
	case strings.HasPrefix(a.Credential, tokenCredential):
		find = byTokenID
	case strings.HasPrefix(a.Credential, sessionCredential):
		find = bySessionID
	default:
		return Actor{}, fail(CodeDenied, op, "the credential is not one of this program's")
	}
	var out Actor
	now := d.now().UTC()
	err := d.store.Read(ctx, func(tx Tx) (err error) {
		out, err = find(tx, a, now)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Actor{}, fail(CodeDenied, op, "the token or session it began with has ended; log in again")
	}
	if err != nil {
		return Actor{}, explain(op, err, "", "")
	}
	return out, nil
}

// byTokenID gives the actor of a token by the token's id.
func byTokenID(tx Tx, a Actor, now time.Time) (Actor, error) {
	id := strings.TrimPrefix(a.Credential, tokenCredential)
	for t, err := range List[Token](tx, Query{Parent: id}) {
		if err != nil {
			return Actor{}, err
		}
		return tokenActor(t, now)
	}
	return Actor{}, ErrNotFound
}

// bySessionID gives the actor of a session by the session's id.
func bySessionID(tx Tx, a Actor, now time.Time) (Actor, error) {
	all, err := sessionsOf(tx, a.Name)
	if err != nil {
		return Actor{}, err
	}
	id := strings.TrimPrefix(a.Credential, sessionCredential)
	i := slices.IndexFunc(all, func(s storedSession) bool { return s.ID == id })
	if i < 0 {
		return Actor{}, ErrNotFound
	}
	return bySession(tx, all[i].Hash, now)
}
