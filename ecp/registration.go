package ecp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How long a registration token is good for.
const (
	DefaultRegistrationLife = 24 * time.Hour
	MinRegistrationLife     = time.Minute
	MaxRegistrationLife     = 30 * 24 * time.Hour
)

// maxRegistrations is how many tokens of one cluster may be good at once.
const maxRegistrations = 100

// maxRegistrationsOver is how many tokens of one cluster that are over are
// remembered: who makes and revokes them in turn fills no store.
const maxRegistrationsOver = 100

// registrationKept is how long a token that is over is remembered, so that who
// comes with it is told that it is over rather than that it is unknown.
const registrationKept = 30 * 24 * time.Hour

// The causes of refused registrations, for errors.Is.
var (
	ErrTokenUnknown = errors.New("the registration token is not known")
	ErrTokenExpired = errors.New("the registration token has expired")
	ErrTokenRevoked = errors.New("the registration token was revoked")
)

// RegistrationToken lets agents register with one cluster, several if need be,
// until it expires. Only the hash of its secret is kept.
type RegistrationToken struct {
	ID        string    `json:"id"`
	Hash      string    `json:"hash"` // hex SHA-256 of the secret; not for showing
	Cluster   ID        `json:"cluster"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt"`
	RevokedAt time.Time `json:"revokedAt,omitzero"` // zero = it was not
	Uses      int       `json:"uses,omitempty"`     // registrations so far
}

// Describe gives kind, key and index: a token is looked up by its hash.
func (t RegistrationToken) Describe() (Kind, string, Index) {
	return KindRegistrationToken, t.Hash, Index{Parent: string(t.Cluster)}
}

// Copy gives t itself: it holds no reference.
func (t RegistrationToken) Copy() Payload { return t }

// refuseRegistration returns why nobody can register with the token any more; nil = they can.
func refuseRegistration(t RegistrationToken, now time.Time) error {
	const next = "; ask for a new one in the cluster's guide"
	switch {
	case !t.RevokedAt.IsZero():
		return &Error{Code: CodeDenied, Message: "the registration token was revoked" + next, Cause: ErrTokenRevoked}
	case !t.ExpiresAt.After(now):
		return &Error{Code: CodeDenied, Message: "the registration token expired at " + t.ExpiresAt.Format(time.RFC3339) + next, Cause: ErrTokenExpired}
	}
	return nil
}

// validRegistration reports whether agents can register with the token.
func validRegistration(t RegistrationToken, now time.Time) bool {
	return refuseRegistration(t, now) == nil
}

// shownRegistration is a token as the audit tells of it.
func shownRegistration(t RegistrationToken) any {
	return struct {
		ID        string    `json:"id"`
		ExpiresAt time.Time `json:"expiresAt"`
		RevokedAt time.Time `json:"revokedAt,omitzero"`
	}{t.ID, t.ExpiresAt, t.RevokedAt}
}

// newRegistration is a token that was just made.
type newRegistration struct {
	Token  RegistrationToken
	Secret Secret `json:"-"`
}

// CreateRegistration makes a token with which agents can register with an
// adopted cluster. life 0 = [DefaultRegistrationLife]. The secret, 32 hex
// digits, is shown this once: only its hash is kept, and it is "" in an answer
// that is given again for an idempotency key. It wants [RightWrite].
func (m *Manager) CreateRegistration(ctx context.Context, id ID, life time.Duration) (RegistrationToken, Secret, error) {
	if life == 0 {
		life = DefaultRegistrationLife
	}
	q := request{op: "make registration token of " + string(id), action: "create", kind: KindRegistrationToken, asked: []any{id, life}}
	out, err := submit(ctx, m.Writer, q, func(w *work) (newRegistration, error) {
		rec, err := adoptedForChange(w, id, RightWrite)
		if err != nil {
			return newRegistration{}, err
		}
		if rec.Deleting && !rec.owesRelease() { // else an agent is what the deletion waits for
			return newRegistration{}, fail(CodeConflict, "", "the cluster is being deleted; no agent can register with it")
		}
		var wrong problems
		if life < MinRegistrationLife || life > MaxRegistrationLife {
			wrong.add("life", "is %s; %s to %s are allowed", life, MinRegistrationLife, MaxRegistrationLife)
		}
		if err := errors.Join(wrong.err(""), roomForRegistration(w, id)); err != nil {
			return newRegistration{}, err
		}
		secret := randomHex(16) // 128 bits
		t := RegistrationToken{
			ID: "reg-" + randomHex(8), Hash: hashToken(secret), Cluster: id, CreatedAt: w.now, CreatedBy: w.actor.Name, ExpiresAt: w.now.Add(life),
		}
		w.note(t.ID, rec.Project, nil, shownRegistration(t))
		return newRegistration{t, Secret(secret)}, Put(w.Tx, t, 0)
	})
	return out.Token, out.Secret, err
}

// roomForRegistration refuses to make tokens without end, and forgets the oldest of
// those that are over where there are many.
func roomForRegistration(w *work, id ID) error {
	all, err := childrenIn[RegistrationToken](w.Tx, id)
	if err != nil {
		return err
	}
	over := slices.DeleteFunc(slices.Clone(all), func(t RegistrationToken) bool { return validRegistration(t, w.now) })
	if valid := len(all) - len(over); valid >= maxRegistrations {
		return fail(CodeConflict, "", fmt.Sprintf("the cluster has %d registration tokens that are good; use one of them, for several agents if need be, or revoke some", valid))
	}
	sortRegistrations(over)
	for _, t := range over[min(len(over), maxRegistrationsOver):] {
		if err := w.Delete(KindRegistrationToken, t.Hash); err != nil {
			return err
		}
	}
	return nil
}

// sortRegistrations orders tokens, the newest first.
func sortRegistrations(all []RegistrationToken) {
	slices.SortFunc(all, func(a, b RegistrationToken) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// Registrations lists the registration tokens of a cluster, the newest first,
// also those that are over. It wants [RightWrite].
func (m *Manager) Registrations(ctx context.Context, id ID) ([]RegistrationToken, error) {
	op := "list registration tokens of " + string(id)
	if _, err := m.readableAdopted(ctx, op, RightWrite, id); err != nil {
		return nil, err
	}
	out, err := childrenOf[RegistrationToken](ctx, m, id)
	if err != nil {
		return nil, explain(op, err, "", "")
	}
	sortRegistrations(out)
	return out, nil
}

// RevokeRegistration lets nobody register with a token any more; agents that
// have done so stay. A token that was revoked before stays so. It wants
// [RightWrite].
func (m *Manager) RevokeRegistration(ctx context.Context, id ID, token string) error {
	q := request{op: "revoke registration token " + token, action: "revoke", kind: KindRegistrationToken, key: token, asked: id}
	return do(ctx, m.Writer, q, func(w *work) error {
		rec, err := adoptedForChange(w, id, RightWrite)
		if err != nil {
			return err
		}
		all, err := childrenIn[RegistrationToken](w.Tx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(t RegistrationToken) bool { return t.ID == token })
		if i < 0 {
			return noSuch("registration token", token, ErrNotFound)
		}
		t := all[i]
		if !t.RevokedAt.IsZero() {
			return nil
		}
		t.RevokedAt = w.now
		w.note(t.ID, rec.Project, shownRegistration(all[i]), shownRegistration(t))
		return Put(w.Tx, t, AnyVersion)
	})
}

// revokeRegistrations lets nobody register with the tokens of a cluster that leaves
// its project: those who have them need not be those of the other. Agents that have
// registered stay.
func revokeRegistrations(w *work, rec ClusterRecord) error {
	all, err := childrenIn[RegistrationToken](w.Tx, rec.ID)
	for _, t := range all {
		if !validRegistration(t, w.now) {
			continue
		}
		was := t
		t.RevokedAt = w.now
		w.notes = append(w.notes, AuditEntry{Action: "revoke", Kind: KindRegistrationToken, Key: t.ID, Scope: rec.Project, Changes: compare(shownRegistration(was), shownRegistration(t))})
		err = errors.Join(err, Put(w.Tx, t, AnyVersion))
	}
	return err
}

// adoptedForChange loads an adopted cluster over whose project the actor holds a right.
func adoptedForChange(w *work, id ID, right Right) (ClusterRecord, error) {
	rec, _, err := loadTx(w.Tx, id)
	if errors.Is(err, ErrNotFound) {
		return rec, noCluster("", id, nil)
	}
	if err != nil {
		return rec, err
	}
	w.asked.scope = rec.Project
	if err := w.permit(right, rec.Project); errors.Is(err, ErrNotFound) {
		return rec, noCluster("", id, errRefused)
	} else if err != nil {
		return rec, err
	}
	return rec, adoptedOnly(rec.Mode)
}

// readableAdopted is readable for what only adopted clusters have.
func (m *Manager) readableAdopted(ctx context.Context, op string, right Right, id ID) (ClusterRecord, error) {
	rec, err := m.readable(ctx, op, right, id)
	if err == nil {
		err = adoptedOnly(rec.Mode)
	}
	if err != nil {
		return rec, explain(op, err, "", "")
	}
	return rec, nil
}

// adoptedOnly refuses what has to do with agents of a cluster that has none.
func adoptedOnly(mode Mode) error {
	if mode == Adopted {
		return nil
	}
	return fail(CodeUnsupported, "", "only for adopted clusters: a hosted one needs no agent")
}

// childrenOf reads the records of a kind that belong to a cluster.
func childrenOf[P Payload](ctx context.Context, m *Manager, id ID) (out []P, _ error) {
	err := m.store.Read(ctx, func(tx Tx) (err error) { out, err = childrenIn[P](tx, id); return err })
	return out, err
}

// childrenIn is childrenOf within a transaction.
func childrenIn[P Payload](tx Tx, id ID) ([]P, error) {
	out := []P{}
	for p, err := range List[P](tx, Query{Parent: string(id)}) {
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
