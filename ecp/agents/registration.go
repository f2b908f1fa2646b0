package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/random"
)

// How long a registration token is good for.
const (
	DefaultRegistrationLife = 24 * time.Hour
	MinRegistrationLife     = time.Minute
	MaxRegistrationLife     = 30 * 24 * time.Hour
)

// MaxRegistrations is how many tokens of one cluster may be good at once.
const MaxRegistrations = 100

// MaxRegistrationsOver is how many tokens of one cluster that are over are
// remembered: who makes and revokes them in turn fills no store.
const MaxRegistrationsOver = 100

// RegistrationKept is how long a token that is over is remembered, so that who
// comes with it is told that it is over rather than that it is unknown.
const RegistrationKept = 30 * 24 * time.Hour

// The causes of refused registrations, for errors.Is.
var (
	ErrTokenUnknown = errors.New("the registration token is not known")
	ErrTokenExpired = errors.New("the registration token has expired")
	ErrTokenRevoked = errors.New("the registration token was revoked")
)

// refuseRegistration returns why nobody can register with the token any more; nil means they can.
func refuseRegistration(t ecp.RegistrationToken, now time.Time) error {
	const next = "; ask for a new one in the cluster's guide"
	switch {
	case !t.RevokedAt.IsZero():
		return &ecp.Error{Code: ecp.CodeDenied, Message: "the registration token was revoked" + next,
			Cause: ErrTokenRevoked}
	case !t.ExpiresAt.After(now):
		return &ecp.Error{Code: ecp.CodeDenied, Message: "the registration token expired at " +
			t.ExpiresAt.Format(time.RFC3339) + next, Cause: ErrTokenExpired}
	}
	return nil
}

// validRegistration reports whether agents can register with the token.
func validRegistration(t ecp.RegistrationToken, now time.Time) bool {
	return refuseRegistration(t, now) == nil
}

// shownRegistration is a token as the audit tells of it.
func shownRegistration(t ecp.RegistrationToken) any {
	return struct {
		ID        string    `json:"id"`
		ExpiresAt time.Time `json:"expiresAt"`
		RevokedAt time.Time `json:"revokedAt,omitzero"`
	}{t.ID, t.ExpiresAt, t.RevokedAt}
}

// NewRegistration is a token that was just made.
type NewRegistration struct {
	Token  ecp.RegistrationToken
	Secret ecp.Secret `json:"-"`
}

// CreateRegistration makes a token with which agents can register with an
// adopted cluster. life 0 = [DefaultRegistrationLife]. The secret, 32 hex
// digits, is shown this once: only its hash is kept, and it is "" in an answer
// that is given again for an idempotency key. It wants [ecp.RightWrite].
func (m *Registry) CreateRegistration(ctx context.Context, id ecp.ID,
	life time.Duration) (ecp.RegistrationToken, ecp.Secret, error) {
	if life == 0 {
		life = DefaultRegistrationLife
	}
	q := change.Request{Op: "make registration token of " + string(id), Action: "create",
		Kind: ecp.KindRegistrationToken, Asked: []any{id, life}}
	out, err := change.Submit(ctx, m.observed.Changes, q, func(w *change.Tx) (NewRegistration, error) {
		rec, err := adoptedForChange(w, id, ecp.RightWrite)
		if err != nil {
			return NewRegistration{}, err
		}
		if rec.Deleting && !rec.OwesRelease() { // else an agent is what the deletion waits for
			return NewRegistration{},
				ecp.NewError(ecp.CodeConflict, "", "the cluster is being deleted; no agent can register with it")
		}
		var wrong fault.Fields
		if life < MinRegistrationLife || life > MaxRegistrationLife {
			wrong.Add("life", "is %s; %s to %s are allowed", life, MinRegistrationLife, MaxRegistrationLife)
		}
		if err := errors.Join(wrong.Err(""), roomForRegistration(w, id)); err != nil {
			return NewRegistration{}, err
		}
		secret := random.Hex(16) // 128 bits
		t := ecp.RegistrationToken{
			ID: "reg-" + random.Hex(8), Hash: random.Hash(secret), Cluster: id, CreatedAt: w.Now,
			CreatedBy: w.Actor.Name, ExpiresAt: w.Now.Add(life),
		}
		w.Note(t.ID, rec.Project, nil, shownRegistration(t))
		return NewRegistration{t, ecp.Secret(secret)}, ecp.Put(w.Tx, t, 0)
	})
	return out.Token, out.Secret, err
}

// roomForRegistration refuses to make tokens without end, and forgets the oldest of
// those that are over where there are many.
func roomForRegistration(w *change.Tx, id ecp.ID) error {
	all, err := observed.ChildrenIn[ecp.RegistrationToken](w.Tx, id)
	if err != nil {
		return err
	}
	over := slices.DeleteFunc(slices.Clone(all),
		func(t ecp.RegistrationToken) bool { return validRegistration(t, w.Now) })
	if valid := len(all) - len(over); valid >= MaxRegistrations {
		return ecp.NewError(ecp.CodeConflict, "",
			fmt.Sprintf("the cluster has %d registration tokens that are good; use one of them, for several agents if "+
				"need be, or revoke some", valid))
	}
	sortRegistrations(over)
	for _, t := range over[min(len(over), MaxRegistrationsOver):] {
		if err := w.Delete(ecp.KindRegistrationToken, t.Hash); err != nil {
			return err
		}
	}
	return nil
}

// sortRegistrations orders tokens, the newest first.
func sortRegistrations(all []ecp.RegistrationToken) {
	slices.SortFunc(all, func(a, b ecp.RegistrationToken) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// Registrations lists the registration tokens of a cluster, the newest first,
// also those that are over. It wants [ecp.RightWrite].
func (m *Registry) Registrations(ctx context.Context, id ecp.ID) ([]ecp.RegistrationToken, error) {
	op := "list registration tokens of " + string(id)
	if _, err := m.readableAdopted(ctx, op, ecp.RightWrite, id); err != nil {
		return nil, err
	}
	out, err := observed.ChildrenOf[ecp.RegistrationToken](ctx, m.observed, id)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	sortRegistrations(out)
	return out, nil
}

// RevokeRegistration lets nobody register with a token any more; agents that
// have done so stay. A token that was revoked before stays so. It wants
// [ecp.RightWrite].
func (m *Registry) RevokeRegistration(ctx context.Context, id ecp.ID, token string) error {
	q := change.Request{Op: "revoke registration token " + token, Action: "revoke", Kind: ecp.KindRegistrationToken,
		Key: token, Asked: id}
	return change.Do(ctx, m.observed.Changes, q, func(w *change.Tx) error {
		rec, err := adoptedForChange(w, id, ecp.RightWrite)
		if err != nil {
			return err
		}
		all, err := observed.ChildrenIn[ecp.RegistrationToken](w.Tx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(t ecp.RegistrationToken) bool { return t.ID == token })
		if i < 0 {
			return fault.NotFound("registration token", token, ecp.ErrNotFound)
		}
		t := all[i]
		if !t.RevokedAt.IsZero() {
			return nil
		}
		t.RevokedAt = w.Now
		w.Note(t.ID, rec.Project, shownRegistration(all[i]), shownRegistration(t))
		return ecp.Put(w.Tx, t, ecp.AnyVersion)
	})
}

// RevokeRegistrations lets nobody register with the tokens of a cluster that leaves
// its project: those who have them need not be those of the other. Agents that have
// registered stay.
func RevokeRegistrations(w *change.Tx, rec ecp.ClusterRecord) error {
	all, err := observed.ChildrenIn[ecp.RegistrationToken](w.Tx, rec.ID)
	for _, t := range all {
		if !validRegistration(t, w.Now) {
			continue
		}
		was := t
		t.RevokedAt = w.Now
		w.NoteAs("revoke", ecp.KindRegistrationToken, t.ID, rec.Project, shownRegistration(was), shownRegistration(t))
		err = errors.Join(err, ecp.Put(w.Tx, t, ecp.AnyVersion))
	}
	return err
}

// adoptedForChange loads an adopted cluster over whose project the actor holds a right.
func adoptedForChange(w *change.Tx, id ecp.ID, right ecp.Right) (ecp.ClusterRecord, error) {
	rec, _, err := observed.LoadTx(w.Tx, id)
	if errors.Is(err, ecp.ErrNotFound) {
		return rec, observed.NoCluster("", id, nil)
	}
	if err != nil {
		return rec, err
	}
	w.Asked.Scope = rec.Project
	if err := w.Permit(right, rec.Project); errors.Is(err, ecp.ErrNotFound) {
		return rec, observed.NoCluster("", id, ecp.ErrNoRight)
	} else if err != nil {
		return rec, err
	}
	return rec, adoptedOnly(rec.Mode)
}

// readableAdopted is readable for what only adopted clusters have.
func (m *Registry) readableAdopted(ctx context.Context, op string, right ecp.Right,
	id ecp.ID) (ecp.ClusterRecord, error) {
	rec, err := m.observed.LoadReadable(ctx, op, right, id)
	if err == nil {
		err = adoptedOnly(rec.Mode)
	}
	if err != nil {
		return rec, fault.Wrap(op, err)
	}
	return rec, nil
}

// adoptedOnly refuses what has to do with agents of a cluster that has none.
func adoptedOnly(mode ecp.Mode) error {
	if mode == ecp.Adopted {
		return nil
	}
	return ecp.NewError(ecp.CodeUnsupported, "", "only for adopted clusters: a hosted one needs no agent")
}
