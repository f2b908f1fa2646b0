package tenancy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/random"
)

// loginCredential stands in the audit for somebody whose login was refused.
const loginCredential = "login"

// sessionsOfOne is how many sessions one user may have at a time; the oldest
// ends when there is one more.
const sessionsOfOne = 50

// Session is the result of a login.
type Session struct {
	Secret    string // the bearer token; only its hash is stored
	ID        string // of the session in the audit
	User      string
	ExpiresAt time.Time // unless a logout, a new password or the user's disabling ends it earlier
}

// StoredSession is the record of a session. The Manager deletes those that have expired.
type StoredSession struct {
	ID        string    `json:"id"`
	Hash      string    `json:"hash"` // hex SHA-256 of the secret
	User      string    `json:"user"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Describe returns kind, key and index: a session is looked up by its hash, and
// those of a user by the name.
func (s StoredSession) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindSession, s.Hash, ecp.Index{Parent: s.User}
}

// Copy returns s itself: it holds no reference.
func (s StoredSession) Copy() ecp.Payload { return s }

// wrongLogin is all that anybody learns who cannot log in: whether there is
// such a user is nobody's business.
func wrongLogin(op string) error {
	return &ecp.Error{
		Code:    ecp.CodeDenied,
		Op:      op,
		Message: "the user name or the password is wrong, or the user is disabled",
		Cause:   ecp.ErrNoRight,
	}
}

// Login creates a session for a user whose password matches. It needs no actor.
// Wrong guesses make the next ones wait, by name and by where they come from
// ([ecp.WithOrigin]); the answer for a user who does not exist is the same, and takes
// as long.
func (ac *Accounts) Login(ctx context.Context, user, password string) (Session, error) {
	const op = "log in"
	q := change.Request{Op: op, Action: "login", Kind: ecp.KindSession}
	g := guess{name: user, password: password, origin: originGroup(ecp.OriginFrom(ctx).RemoteAddress)}
	who, err := ac.checkPassword(ctx, op, g)
	if err != nil {
		ac.loginRefused(ctx, who, q, err)
		return Session{}, err
	}
	out := Session{Secret: ecp.SessionSecretPrefix + random.Hex(32), ID: random.Hex(8), User: user}
	by := ecp.Actor{Name: user, Credential: ecp.SessionCredential + out.ID}
	err = ac.changes.DoAs(ctx, by, q, func(w *change.Tx) error {
		u, err := checked(w.Tx, op, user, who.stored.At)
		if err != nil {
			return err
		}
		if err := roomForSession(w.Tx, user, w.Now); err != nil {
			return err
		}
		w.Note(out.ID, userScope(u), nil, nil)
		if err := rememberOrigin(w.Tx, user, g.origin, w.Now); err != nil {
			return err
		}
		out.ExpiresAt = w.Now.Add(ac.sessionLife)
		s := StoredSession{
			ID:        out.ID,
			Hash:      random.Hash(out.Secret),
			User:      user,
			CreatedAt: w.Now,
			ExpiresAt: out.ExpiresAt,
		}
		return ecp.Put(w.Tx, s, 0)
	})
	if err != nil {
		ac.loginRefused(ctx, who, q, err)
		return Session{}, err
	}
	return out, nil
}

// checked returns a user whose password was checked a moment ago. It refuses the login if
// the password was changed, or the user disabled or deleted, since then.
func checked(tx ecp.Tx, op, user string, set time.Time) (ecp.User, error) {
	u, _, err := ecp.Get[ecp.User](tx, user)
	if err == nil {
		var now passwordHash
		now, _, err = ecp.Get[passwordHash](tx, user)
		if err == nil && (u.Disabled || !now.At.Equal(set)) {
			return u, wrongLogin(op)
		}
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return u, wrongLogin(op)
	}
	return u, err
}

// guess is a name and a password that somebody brings.
type guess struct {
	name, password string
	origin         string // see [originGroup]
	session        bool   // who asks has logged in, and wants to do more
}

// account is what is known of the name in a guess.
type account struct {
	name    string
	exists  bool   // it is a user's, who may be unable to log in
	scope   string // whose audit the user belongs to
	able    bool   // to log in
	stored  passwordHash
	origins loginOrigins
}

// accountOf reads what is known of a name; that there is no such user is no error.
func accountOf(tx ecp.Tx, name string) (who account, err error) {
	u, _, err := ecp.Get[ecp.User](tx, name)
	if errors.Is(err, ecp.ErrNotFound) {
		return account{}, nil
	}
	if err != nil {
		return account{}, err
	}
	who = account{name: name, exists: true, scope: userScope(u)}
	if who.origins, err = originsOf(tx, name); err != nil {
		return who, err
	}
	who.stored, _, err = ecp.Get[passwordHash](tx, name)
	if errors.Is(err, ecp.ErrNotFound) {
		return who, nil
	}
	who.able = err == nil && !u.Disabled
	return who, err
}

// checkPassword reports whether a password is a user's; every wrong one is
// answered alike and after the same work. What is known of the name is returned in
// any case.
func (ac *Accounts) checkPassword(ctx context.Context, op string, g guess) (who account, _ error) {
	if ac.hasher == nil {
		return who, ecp.NewError(ecp.CodeUnsupported, op,
			"this program keeps no passwords: it was given no PasswordHasher; use an API token")
	}
	if ValidateUserName(g.name) != "" || len(g.password) > MaxPassword {
		g.name, g.password = "", ""
	}
	err := ac.store.Read(ctx, func(tx ecp.Tx) (err error) {
		who, err = accountOf(tx, g.name)
		return err
	})
	if err != nil {
		return who, fault.Wrap(op, err)
	}
	now := ac.now()
	by, known := guesser{g.name, g.origin}, who.origins.has(g.origin, now)
	if g.session {
		by.origin, known = ecp.SessionCredential, true // one count, wherever the session is used
	}
	if wait := ac.attempts.begin(by, known, now); wait > 0 {
		wait = (wait + time.Second - 1).Truncate(time.Second)
		return who, &ecp.Error{
			Code:       ecp.CodeThrottled,
			Op:         op,
			Message:    fmt.Sprintf("there were too many attempts with a wrong password; wait %s", wait),
			RetryAfter: wait,
		}
	}
	nobody, err := ac.nobody(ctx)
	if err != nil {
		return who, fault.Wrap(op, hasherBusy(err))
	}
	hash := nobody
	if who.able {
		hash = who.stored.Hash
	}
	ok, outdated, err := ac.hasher.Verify(ctx, hash, g.password)
	if err != nil {
		return who, fault.Wrap(op, hasherBusy(err))
	}
	if !ok || !who.able {
		return who, wrongLogin(op)
	}
	ac.attempts.succeeded(by, known)
	if outdated {
		ac.strengthen(ctx, who.stored, g.password)
	}
	return who, nil
}

// nobody returns the hash that guesses for unknown users are compared with. It
// is made before the first comparison, whoever that is for.
func (ac *Accounts) nobody(ctx context.Context) (string, error) {
	select {
	case ac.nobodyTurn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-ac.nobodyTurn }()
	if ac.nobodyHash == "" {
		hash, err := ac.hasher.Hash(ctx, random.Hex(16))
		if err != nil {
			return "", err
		}
		ac.nobodyHash = hash
	}
	return ac.nobodyHash, nil
}

// strengthen stores a password's hash anew, as they are made now. That it
// cannot is no reason to turn the user away.
func (ac *Accounts) strengthen(ctx context.Context, old passwordHash, password string) {
	hash, err := ac.hasher.Hash(ctx, password)
	if err == nil {
		err = ac.store.Write(ctx, func(tx ecp.Tx) error {
			now, _, err := ecp.Get[passwordHash](tx, old.User)
			if err != nil || now.Hash != old.Hash {
				return err
			}
			now.Hash = hash
			return ecp.Put(tx, now, ecp.AnyVersion)
		})
	}
	if err != nil && ctx.Err() == nil {
		ac.log.WarnContext(ctx, "a password's hash could not be made stronger; the next login tries again",
			"user", old.User, "error", err)
	}
}

// Logout ends the session the actor came with.
func (ac *Accounts) Logout(ctx context.Context) error {
	const op = "log out"
	a, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return err
	}
	if a.User() == "" {
		return ecp.NewError(ecp.CodeUnsupported, op, "only a session ends with a logout; an API token is deleted")
	}
	id := a.Credential[len(ecp.SessionCredential):]
	return change.Do(ctx, ac.changes, change.Request{Op: op, Action: "logout", Kind: ecp.KindSession, Key: id},
		func(w *change.Tx) error {
			all, err := sessionsOf(w.Tx, a.Name)
			if err != nil {
				return err
			}
			for _, s := range all {
				if s.ID == id {
					u, _, err := ecp.Get[ecp.User](w.Tx, a.Name)
					if err != nil && !errors.Is(err, ecp.ErrNotFound) {
						return err
					}
					w.Note(id, userScope(u), nil, nil)
					return w.Delete(ecp.KindSession, s.Hash)
				}
			}
			return nil
		})
}

// sessionsOf lists a user's sessions, oldest first.
func sessionsOf(tx ecp.Tx, user string) ([]StoredSession, error) {
	var all []StoredSession
	for s, err := range ecp.List[StoredSession](tx, ecp.Query{Parent: user}) {
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b StoredSession) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

func endSessions(tx ecp.Tx, user string) error {
	all, err := sessionsOf(tx, user)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := tx.Delete(ecp.KindSession, s.Hash); err != nil {
			return err
		}
	}
	return nil
}

// roomForSession ends sessions that are over, and the oldest of too many.
func roomForSession(tx ecp.Tx, user string, now time.Time) error {
	all, err := sessionsOf(tx, user)
	if err != nil {
		return err
	}
	for i, s := range all {
		if s.ExpiresAt.After(now) && len(all)-i < sessionsOfOne {
			continue
		}
		if err := tx.Delete(ecp.KindSession, s.Hash); err != nil {
			return err
		}
	}
	return nil
}

// bySession returns the actor of a session that has not ended.
func bySession(tx ecp.Tx, hash string, now time.Time) (ecp.Actor, error) {
	s, _, err := ecp.Get[StoredSession](tx, hash)
	if err != nil {
		return ecp.Actor{}, err
	}
	u, _, err := ecp.Get[ecp.User](tx, s.User)
	if err != nil {
		return ecp.Actor{}, err
	}
	if u.Disabled || !s.ExpiresAt.After(now) {
		return ecp.Actor{}, ecp.NewError(ecp.CodeDenied, "", "the session has ended; log in again")
	}
	return ecp.Actor{Name: u.Name, Grants: u.Grants, Credential: ecp.SessionCredential + s.ID}, nil
}
