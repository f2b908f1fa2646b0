package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// PasswordHasher hashes passwords. Package argon2id has one. This package has none: the
// standard library has no function that needs enough time and memory.
type PasswordHasher interface {
	// Hash returns a text for Verify that does not reveal the password. It may wait
	// for its turn, no longer than ctx.
	Hash(ctx context.Context, password string) (string, error)
	// Verify reports whether the hash is the password's, in a time that does not
	// depend on the result, and whether the hash is weaker than those that Hash
	// returns now. An error means that it could not find out.
	Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error)
}

// passwordHash is what is stored of a user's password.
type passwordHash struct {
	User string    `json:"user"`
	Hash string    `json:"hash"`
	At   time.Time `json:"at"`
}

// Describe returns kind, key and index.
func (p passwordHash) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindPassword, p.User, ecp.Index{}
}

// Copy returns p itself: it holds no reference.
func (p passwordHash) Copy() ecp.Payload { return p }

// hashPassword returns the hash to store; an empty password has an empty one. It is
// called before the transaction begins: hashing takes long on purpose.
func (ac *Accounts) hashPassword(ctx context.Context, wrong *fault.Fields, op, password string) (string, error) {
	if password == "" {
		return "", nil
	}
	if why := ValidatePassword(password); why != "" {
		wrong.Add("password", "%s", why)
		return "", nil
	}
	a, _ := ecp.ActorFrom(ctx)
	if may := a.May(ecp.RightMembers, "") || a.User() != ""; !may || len(*wrong) > 0 {
		return "", nil // it will be refused: nobody gets our time for that
	}
	if ac.hasher == nil {
		return "", ecp.NewError(ecp.CodeUnsupported, op,
			"this program keeps no passwords: it was given no PasswordHasher")
	}
	hash, err := ac.hasher.Hash(ctx, password)
	if err != nil {
		return "", fault.Wrap(op, hasherBusy(err))
	}
	return hash, nil
}

func hasherBusy(err error) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the password could not be worked on; try again", Cause: err}
}

// setPassword stores the hash of a password, and adds to the audit that it was set. An
// empty hash changes nothing.
func setPassword(w *change.Tx, user, hash string) error {
	if hash == "" {
		return nil
	}
	w.NoteSecret("password")
	return ecp.Put(w.Tx, passwordHash{User: user, Hash: hash, At: w.Now}, ecp.AnyVersion)
}

// ChangePassword replaces the password of the user who is logged in, and ends all of the
// user's sessions. It needs the old password, since a session may be left open.
func (ac *Accounts) ChangePassword(ctx context.Context, old, password string) error {
	const op = "change password"
	a, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return err
	}
	name := a.User()
	if name == "" {
		return ecp.NewError(ecp.CodeUnsupported, op, "only a user who has logged in has a password to change")
	}
	q := change.Request{Op: op, Action: "update", Kind: ecp.KindUser, Key: name, Secret: password}
	if _, err := ac.checkPassword(ctx, op,
		guess{name: name, password: old, session: true}); errors.Is(err, ecp.ErrDenied) {
		err = &ecp.Error{
			Code:    ecp.CodeDenied,
			Op:      op,
			Message: "the present password is another one",
			Fields:  []ecp.FieldError{{Field: "currentPassword", Message: "is not the present password"}},
			Cause:   ecp.ErrNoRight,
		}
		ac.changes.AuditRefusal(ctx, a, q, err)
		return err
	} else if err != nil {
		return err
	}
	var wrong fault.Fields
	hash, err := ac.hashPassword(ctx, &wrong, op, password)
	if err != nil {
		return err
	}
	if password == "" {
		wrong.Add("password", "is missing")
	}
	return change.Do(ctx, ac.changes, q, func(w *change.Tx) error {
		u, _, err := ecp.Get[ecp.User](w.Tx, name)
		if err != nil {
			return err
		}
		if err := wrong.Err(""); err != nil {
			return err
		}
		before := u
		u.Revision++
		u.UpdatedAt = w.Now
		w.Note(name, userScope(u), before, u)
		if err := setPassword(w, name, hash); err != nil {
			return err
		}
		if err := endSessions(w.Tx, name); err != nil {
			return err
		}
		return ecp.Put(w.Tx, u, ecp.AnyVersion)
	})
}
