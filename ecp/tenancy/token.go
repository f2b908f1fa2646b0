package tenancy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/random"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// lastUseEvery is how often the last use of a token is written at most.
const lastUseEvery = time.Minute

// TokenInfo is a token without its secret.
type TokenInfo struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // [ecp.TokenPrefix] and this are the name of its actor
	ecp.Grant           // the one thing it may do
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero: never
	LastUsed  time.Time `json:"lastUsed,omitzero"`  // to the minute; zero: never
}

func tokenInfo(t ecp.Token) TokenInfo {
	return TokenInfo{
		ID:        t.ID,
		Name:      t.Name,
		Grant:     t.Grant(),
		CreatedAt: t.CreatedAt,
		CreatedBy: t.CreatedBy,
		ExpiresAt: t.ExpiresAt,
		LastUsed:  t.LastUsed,
	}
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Name      string // 1 to 200 characters, as for clusters; without [ecp.TokenPrefix]
	Grant     ecp.Grant
	ExpiresAt time.Time // zero: never
}

// NewToken is a token with its secret.
type NewToken struct {
	TokenInfo
	// Secret is the bearer token. Only its hash is stored. It is empty in the answer
	// to a repeated request with an idempotency key, and never part of JSON.
	Secret string `json:"-"`
}

// uses remembers when the last use of a token was written, so that many calls
// at once write it once.
type uses struct {
	mu sync.Mutex
	at map[string]time.Time // by hash; guarded by mu
}

func (u *uses) claim(hash string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[string]time.Time{}
	}
	if !now.After(u.at[hash]) {
		return false
	}
	u.at[hash] = now
	return true
}

// Authenticate returns the actor of a token, or of the secret of a session. Any other
// secret is denied.
func (ac *Accounts) Authenticate(ctx context.Context, secret string) (ecp.Actor, error) {
	const op = "authenticate"
	var t ecp.Token
	var a ecp.Actor
	hash, now := random.Hash(secret), ac.now().UTC()
	err := ac.store.Read(ctx, func(tx ecp.Tx) (err error) {
		t, _, err = ecp.Get[ecp.Token](tx, hash)
		if errors.Is(err, ecp.ErrNotFound) {
			a, err = bySession(tx, hash, now)
		}
		return err
	})
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.Actor{}, ecp.NewError(ecp.CodeDenied, op, "the token is not known here")
	}
	if err != nil {
		return ecp.Actor{}, fault.Wrap(op, err)
	}
	if t.Hash == "" {
		return a, nil
	}
	if a, err = tokenActor(t, now); err != nil {
		return ecp.Actor{}, fault.Wrap(op, err)
	}
	ac.noteUse(ctx, t, now)
	return a, nil
}

// tokenActor returns the actor of a token that has not expired.
func tokenActor(t ecp.Token, now time.Time) (ecp.Actor, error) {
	if !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) {
		return ecp.Actor{}, ecp.NewError(ecp.CodeDenied, "", "the token has expired")
	}
	return ecp.Actor{
		Name:       ecp.TokenPrefix + t.Name,
		Grants:     []ecp.Grant{{Role: t.Role, Org: t.Org, Project: t.Project}},
		Credential: ecp.TokenCredential + t.ID,
	}, nil
}

// noteUse writes in which minute a token was last used. Where that fails the
// token is still good.
func (ac *Accounts) noteUse(ctx context.Context, t ecp.Token, now time.Time) {
	now = now.Truncate(lastUseEvery)
	if !now.After(t.LastUsed) || !ac.uses.claim(t.Hash, now) {
		return
	}
	err := ac.store.Write(ctx, func(tx ecp.Tx) error {
		t, _, err := ecp.Get[ecp.Token](tx, t.Hash)
		if err != nil {
			return err
		}
		t.LastUsed = now
		return ecp.Put(tx, t, ecp.AnyVersion)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ecp.ErrNotFound) {
		ac.log.WarnContext(ctx, "the last use of a token could not be written", "token", t.ID, "error", err)
	}
}

// Tokens lists the API tokens whose grant lies within the actor's reach, by name.
func (ac *Accounts) Tokens(ctx context.Context) ([]TokenInfo, error) {
	all, err := listVisible(ctx, ac.store, "list tokens", ecp.Query{},
		func(a ecp.Actor, t ecp.Token) bool { return a.Holds(t.Grant()) })
	if err != nil {
		return nil, err
	}
	out := make([]TokenInfo, len(all))
	for i, t := range all {
		out[i] = tokenInfo(t)
	}
	slices.SortFunc(out, func(a, b TokenInfo) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	return out, nil
}

// Token returns an API token by its id.
func (ac *Accounts) Token(ctx context.Context, id string) (TokenInfo, error) {
	op := "read token " + id
	found, err := listVisible(ctx, ac.store, op, ecp.Query{Parent: id},
		func(a ecp.Actor, t ecp.Token) bool { return a.Holds(t.Grant()) })
	if err != nil {
		return TokenInfo{}, err
	}
	if len(found) == 0 || id == "" {
		return TokenInfo{}, fault.Wrap(op, fault.NotFound("token", id, nil))
	}
	return tokenInfo(found[0]), nil
}

// CreateToken creates an API token with a grant that the actor holds itself. It is valid
// until it expires or is deleted, also after its creator is gone.
func (ac *Accounts) CreateToken(ctx context.Context, r TokenRequest) (NewToken, error) {
	q := change.Request{Op: "create token", Action: "create", Kind: ecp.KindToken, Scope: r.Grant.Where(), Asked: r}
	return change.Submit(ctx, ac.changes, q, func(w *change.Tx) (NewToken, error) {
		if err := w.Permit(ecp.RightMembers, ""); err != nil {
			return NewToken{}, err
		}
		var wrong fault.Fields
		if why := ecp.ValidateName(r.Name); why != "" {
			wrong.Add("name", "%s", why)
		} else if r.Name == ecp.System.Name {
			wrong.Add("name", "is the name under which the program itself works")
		}
		validate.Grant(&wrong, "grant", r.Grant)
		if !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(w.Now) {
			wrong.Add("expiresAt", "lies in the past")
		}
		if err := wrong.Err(""); err != nil {
			return NewToken{}, err
		}
		if err := mayGrant(w, []ecp.Grant{r.Grant}); err != nil {
			return NewToken{}, regrant(err)
		}
		secret := ecp.TokenSecretPrefix + random.Hex(32)
		t := ecp.Token{
			ID:        "tok-" + random.Hex(8),
			Hash:      random.Hash(secret),
			Name:      r.Name,
			Role:      r.Grant.Role,
			Org:       r.Grant.Org,
			Project:   r.Grant.Project,
			CreatedAt: w.Now,
			CreatedBy: w.Actor.Name,
			ExpiresAt: r.ExpiresAt.UTC(),
		}
		if r.ExpiresAt.IsZero() {
			t.ExpiresAt = time.Time{}
		}
		w.Note(t.ID, t.Grant().Where(), nil, tokenInfo(t))
		return NewToken{tokenInfo(t), secret}, ecp.Put(w.Tx, t, 0)
	})
}

// regrant names the field of a token's one grant as its request does.
func regrant(err error) error {
	var e *ecp.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = slices.Clone(e.Fields)
	for i, f := range out.Fields {
		out.Fields[i].Field = strings.Replace(f.Field, "grants[0]", "grant", 1)
	}
	return &out
}

// DeleteToken deletes an API token, which is invalid at once. The last way in with the
// role system is kept: that is a conflict.
func (ac *Accounts) DeleteToken(ctx context.Context, id string) error {
	q := change.Request{Op: "delete token " + id, Action: "delete", Kind: ecp.KindToken, Key: id}
	return change.Do(ctx, ac.changes, q, func(w *change.Tx) error {
		t, err := tokenForChange(w, id)
		if err != nil {
			return err
		}
		if err := wayInStays(w, t); err != nil {
			return err
		}
		w.Note(id, t.Grant().Where(), tokenInfo(t), nil)
		return w.Delete(ecp.KindToken, t.Hash)
	})
}

// tokenForChange returns a token for a change of it.
func tokenForChange(w *change.Tx, id string) (ecp.Token, error) {
	for t, err := range ecp.List[ecp.Token](w.Tx, ecp.Query{Parent: id}) {
		if err != nil {
			return t, err
		}
		if !w.Actor.Holds(t.Grant()) {
			return t, fault.NotFound("token", id, nil)
		}
		return t, nil
	}
	return ecp.Token{}, fault.NotFound("token", id, ecp.ErrNotFound)
}

// wayInStays refuses to delete the last system token while no user can log in
// with that role.
func wayInStays(w *change.Tx, t ecp.Token) error {
	if t.Role != ecp.RoleSystem {
		return nil
	}
	tokens, err := change.UsesOf(w.Tx, "token", ecp.Query{}, func(o ecp.Token) (string, bool) {
		return o.Name, o.Hash != t.Hash && o.Role == ecp.RoleSystem && o.ExpiresAt.IsZero()
	})
	if err != nil || tokens.Count > 0 {
		return err
	}
	users, err := change.UsesOf(w.Tx, "user", ecp.Query{}, func(u ecp.User) (string, bool) {
		return u.Name, !u.Disabled && u.PasswordSet && anyGrant(u.Grants, ecp.Grant.IsSystem)
	})
	if err != nil || users.Count > 0 {
		return err
	}
	return ecp.NewError(ecp.CodeConflict, "", "it is the last way in with the role system; make another token of "+
		"that role without expiry, or a user with a password, first")
}
