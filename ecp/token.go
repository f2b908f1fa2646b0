package ecp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// MinTokenLength is the shortest secret that is taken for a token.
const MinTokenLength = 16

// TokenPrefix begins the name under which a token acts. No user's name can begin
// with it, so that a token is never taken for a person who is called alike.
const TokenPrefix = "token:"

// tokenCredential begins the credential of an actor who came with a token.
const tokenCredential = "token/"

// lastUseEvery is how often the last use of a token is written at most.
const lastUseEvery = time.Minute

// Token is an API token as it is stored; only the hash of its secret is kept.
// It is shown as a [TokenInfo].
type Token struct {
	ID   string `json:"id"`
	Hash string `json:"hash"` // hex SHA-256 of the secret
	Name string `json:"name"` // of the actor it stands for, without [TokenPrefix]
	Role Role   `json:"role"`
	Org  string `json:"org,omitempty"`
	// Project is set for roles on one project, "org/project".
	Project   string    `json:"project,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	CreatedBy string    `json:"createdBy,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero = never
	LastUsed  time.Time `json:"lastUsed,omitzero"`  // to the minute
}

func (t Token) grant() Grant { return Grant{Role: t.Role, Org: t.Org, Project: t.Project} }

// Describe gives kind, key and index: a token is looked up by its hash, and
// administered by its id.
func (t Token) Describe() (Kind, string, Index) { return KindToken, t.Hash, Index{Parent: t.ID} }

// Copy gives t itself: it holds no reference.
func (t Token) Copy() Payload { return t }

// TokenInfo is what is shown of a token.
type TokenInfo struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // with [TokenPrefix] before it, that of its actor
	Grant               // the one thing it may do
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero = never
	LastUsed  time.Time `json:"lastUsed,omitzero"`  // to the minute; zero = never
}

func tokenInfo(t Token) TokenInfo {
	return TokenInfo{ID: t.ID, Name: t.Name, Grant: t.grant(), CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, ExpiresAt: t.ExpiresAt, LastUsed: t.LastUsed}
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Name      string // 1 to 200 characters, as for clusters; without [TokenPrefix]
	Grant     Grant
	ExpiresAt time.Time // zero = never
}

// NewToken is a token that was just made.
type NewToken struct {
	TokenInfo
	// Secret is shown this once: only its hash is kept. It is "" in an answer
	// that is given again for an idempotency key, and is never part of JSON.
	Secret string `json:"-"`
}

func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
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

// Authenticate gives the actor that a token, or the secret of a session,
// stands for. Any other is denied. Only hashes are stored and compared.
func (d *Directory) Authenticate(ctx context.Context, secret string) (Actor, error) {
	const op = "authenticate"
	var t Token
	var a Actor
	hash, now := hashToken(secret), d.now().UTC()
	err := d.store.Read(ctx, func(tx Tx) (err error) {
		t, _, err = Get[Token](tx, hash)
		if errors.Is(err, ErrNotFound) {
			a, err = bySession(tx, hash, now)
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Actor{}, fail(CodeDenied, op, "the token is not known here")
	}
	if err != nil {
		return Actor{}, explain(op, err, "", "")
	}
	if t.Hash == "" {
		return a, nil
	}
	if a, err = tokenActor(t, now); err != nil {
		return Actor{}, explain(op, err, "", "")
	}
	d.noteUse(ctx, t, now)
	return a, nil
}

// tokenActor gives who a token stands for while it is valid.
func tokenActor(t Token, now time.Time) (Actor, error) {
	if !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) {
		return Actor{}, fail(CodeDenied, "", "the token has expired")
	}
	return Actor{Name: TokenPrefix + t.Name, Grants: []Grant{{Role: t.Role, Org: t.Org, Project: t.Project}}, Credential: tokenCredential + t.ID}, nil
}

// noteUse writes in which minute a token was last used. Where that fails the
// token is still good.
func (d *Directory) noteUse(ctx context.Context, t Token, now time.Time) {
	now = now.Truncate(lastUseEvery)
	if !now.After(t.LastUsed) || !d.uses.claim(t.Hash, now) {
		return
	}
	err := d.store.Write(ctx, func(tx Tx) error {
		t, _, err := Get[Token](tx, t.Hash)
		if err != nil {
			return err
		}
		t.LastUsed = now
		return Put(tx, t, AnyVersion)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotFound) {
		d.log.WarnContext(ctx, "the last use of a token could not be written", "token", t.ID, "error", err)
	}
}

// Tokens lists the API tokens whose grant lies within the actor's reach, by name.
func (d *Directory) Tokens(ctx context.Context) ([]TokenInfo, error) {
	all, err := listVisible(ctx, d.store, "list tokens", Query{}, func(a Actor, t Token) bool { return a.holds(t.grant()) })
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

// Token gives an API token by its id.
func (d *Directory) Token(ctx context.Context, id string) (TokenInfo, error) {
	op := "read token " + id
	found, err := listVisible(ctx, d.store, op, Query{Parent: id}, func(a Actor, t Token) bool { return a.holds(t.grant()) })
	if err != nil {
		return TokenInfo{}, err
	}
	if len(found) == 0 || id == "" {
		return TokenInfo{}, explain(op, noSuch("token", id, nil), "", "")
	}
	return tokenInfo(found[0]), nil
}

// CreateToken makes an API token with a grant that the actor holds itself. It
// is valid until it expires or is deleted, whatever becomes of who made it.
func (d *Directory) CreateToken(ctx context.Context, r TokenRequest) (NewToken, error) {
	q := request{op: "create token", action: "create", kind: KindToken, scope: r.Grant.Where(), asked: r}
	return submit(ctx, d.changes, q, func(w *work) (NewToken, error) {
		if err := w.permit(RightMembers, ""); err != nil {
			return NewToken{}, err
		}
		var wrong problems
		if why := ValidateName(r.Name); why != "" {
			wrong.add("name", "%s", why)
		} else if r.Name == System.Name {
			wrong.add("name", "is the name under which the program itself works")
		}
		validateGrant(&wrong, "grant", r.Grant)
		if !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(w.now) {
			wrong.add("expiresAt", "lies in the past")
		}
		if err := wrong.err(""); err != nil {
			return NewToken{}, err
		}
		if err := mayGrant(w, []Grant{r.Grant}); err != nil {
			return NewToken{}, regrant(err)
		}
		secret := TokenSecretPrefix + randomHex(32)
		t := Token{
			ID: "tok-" + randomHex(8), Hash: hashToken(secret), Name: r.Name, Role: r.Grant.Role, Org: r.Grant.Org, Project: r.Grant.Project,
			CreatedAt: w.now, CreatedBy: w.actor.Name, ExpiresAt: r.ExpiresAt.UTC(),
		}
		if r.ExpiresAt.IsZero() {
			t.ExpiresAt = time.Time{}
		}
		w.note(t.ID, t.grant().Where(), nil, tokenInfo(t))
		return NewToken{tokenInfo(t), secret}, Put(w.Tx, t, 0)
	})
}

// regrant names the field of a token's one grant as its request does.
func regrant(err error) error {
	var e *Error
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

// DeleteToken makes a token invalid at once.
func (d *Directory) DeleteToken(ctx context.Context, id string) error {
	q := request{op: "delete token " + id, action: "delete", kind: KindToken, key: id}
	return do(ctx, d.changes, q, func(w *work) error {
		t, err := tokenForChange(w, id)
		if err != nil {
			return err
		}
		if err := wayInStays(w, t); err != nil {
			return err
		}
		w.note(id, t.grant().Where(), tokenInfo(t), nil)
		return w.Delete(KindToken, t.Hash)
	})
}

// tokenForChange gives a token for a change of it.
func tokenForChange(w *work, id string) (Token, error) {
	for t, err := range List[Token](w.Tx, Query{Parent: id}) {
		if err != nil {
			return t, err
		}
		if !w.actor.holds(t.grant()) {
			return t, noSuch("token", id, nil)
		}
		return t, nil
	}
	return Token{}, noSuch("token", id, ErrNotFound)
}

// wayInStays refuses to delete the last system token while no user can log in
// with that role.
func wayInStays(w *work, t Token) error {
	if t.Role != RoleSystem {
		return nil
	}
	tokens, err := usesOf(w.Tx, "token", Query{}, func(o Token) (string, bool) {
		return o.Name, o.Hash != t.Hash && o.Role == RoleSystem && o.ExpiresAt.IsZero()
	})
	if err != nil || tokens.count > 0 {
		return err
	}
	users, err := usesOf(w.Tx, "user", Query{}, func(u User) (string, bool) {
		return u.Name, !u.Disabled && u.PasswordSet && anyGrant(u.Grants, isSystem)
	})
	if err != nil || users.count > 0 {
		return err
	}
	return fail(CodeConflict, "", "it is the last way in with the role system; make another token of that role without expiry, or a user with a password, first")
}
