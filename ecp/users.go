package ecp

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// User is a person who logs in. What the person may do is the sum of the
// grants, of which there is at least one.
type User struct {
	Name        string    `json:"name"` // what one logs in with; never changes
	DisplayName string    `json:"displayName"`
	Grants      []Grant   `json:"grants"` // those the reader may know of
	Disabled    bool      `json:"disabled"`
	PasswordSet bool      `json:"passwordSet"` // without one nobody can log in
	CreatedAt   time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
	UpdatedAt   time.Time `json:"updatedAt"`
	Revision    int64     `json:"revision"` // grows with every change; the ETag
}

// Describe gives kind, key and index.
func (u User) Describe() (Kind, string, Index) { return KindUser, u.Name, Index{} }

// Copy gives a value that shares nothing with u.
func (u User) Copy() Payload {
	u.Grants = slices.Clone(u.Grants)
	return u
}

// userScope is the smallest thing that all grants of a user lie in.
func userScope(u User) string {
	scope := ""
	for i, g := range u.Grants {
		where := g.Where()
		switch {
		case where == "" || orgOfGrant(g) != orgOfGrant(u.Grants[0]):
			return ""
		case i == 0:
			scope = where
		case where != scope:
			scope = orgOfGrant(g)
		}
	}
	return scope
}

// UserRequest asks for a user.
type UserRequest struct {
	Name        string
	DisplayName string
	Password    string // "" = none yet: nobody can log in
	Grants      []Grant
}

// UserChange changes parts of a user; nil fields stay as they are.
type UserChange struct {
	DisplayName *string
	Grants      *[]Grant // instead of those the actor may know of; others stay
	Disabled    *bool    // true ends the user's sessions
	Password    *string  // ends the user's sessions
	IfRevision  int64    // 0 = whatever revision
}

var userForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$`)

// ValidateUserName says what is wrong with the form of a user's name; "" if nothing.
func ValidateUserName(name string) string {
	switch {
	case strings.HasPrefix(name, TokenPrefix):
		return fmt.Sprintf("begins with %q, which is for API tokens", TokenPrefix)
	case !userForm.MatchString(name):
		return `is not of 1 to 64 lower-case letters, digits, ".", "_", "@" and "-", with a letter or digit at both ends`
	case name == System.Name:
		return "is the name under which the program itself works"
	}
	return ""
}

// Bounds of a password.
const (
	MinPassword = 10  // characters
	MaxPassword = 256 // bytes
)

// ValidatePassword says why a password cannot be used; "" if it can.
func ValidatePassword(password string) string {
	switch {
	case len([]rune(password)) < MinPassword:
		return fmt.Sprintf("is too short; give at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Sprintf("is too long; at most %d bytes are allowed", MaxPassword)
	}
	return ""
}

func anyGrant(grants []Grant, which func(Grant) bool) bool { return slices.ContainsFunc(grants, which) }

func isSystem(g Grant) bool { return g.Role == RoleSystem && g.wellFormed() }

// user gives the name of the user who logged in; "" for a token and for an
// actor of an embedder's.
func (a Actor) user() string {
	if strings.HasPrefix(a.Credential, sessionCredential) {
		return a.Name
	}
	return ""
}

// shownTo gives a user as a may know it: without grants outside its reach.
// false = not at all.
func shownTo(a Actor, u User) (User, bool) {
	if a.user() == u.Name {
		return u, true
	}
	u.Grants = slices.DeleteFunc(slices.Clone(u.Grants), func(g Grant) bool { return !a.holds(g) })
	return u, len(u.Grants) > 0
}

// Users lists the users with a grant within the actor's reach.
func (d *Directory) Users(ctx context.Context) ([]User, error) {
	users, err := listVisible(ctx, d.store, "list users", Query{}, func(a Actor, u User) bool { _, ok := shownTo(a, u); return ok })
	a, _ := ActorFrom(ctx)
	for i, u := range users {
		users[i], _ = shownTo(a, u)
	}
	return users, err
}

// User gives a user by name; everybody may read themselves.
func (d *Directory) User(ctx context.Context, name string) (User, error) {
	u, err := readVisible(ctx, d.store, "read user "+name, "user", name, func(a Actor, u User) bool { _, ok := shownTo(a, u); return ok })
	if err != nil {
		return User{}, err
	}
	a, _ := ActorFrom(ctx)
	u, _ = shownTo(a, u)
	return u, nil
}

// CreateUser makes a user with grants that the actor holds itself.
func (d *Directory) CreateUser(ctx context.Context, r UserRequest) (User, error) {
	u := User{Name: r.Name, DisplayName: r.DisplayName, Grants: slices.Clone(r.Grants), PasswordSet: r.Password != "", Revision: 1}
	q := request{op: "create user", action: "create", kind: KindUser, scope: userScope(u), asked: u, secret: r.Password,
		taken: FieldError{"name", fmt.Sprintf("there is a user %q already", r.Name)}}
	var wrong problems
	if why := ValidateUserName(r.Name); why != "" {
		wrong.add("name", "%s", why)
	}
	validateDisplayName(&wrong, r.DisplayName)
	validateGrants(&wrong, r.Grants)
	hash, err := d.hashPassword(ctx, &wrong, q.op, r.Password)
	if err != nil {
		return User{}, err
	}
	return submit(ctx, d.changes, q, func(w *work) (User, error) {
		if err := w.permit(RightMembers, ""); err != nil {
			return User{}, err
		}
		if err := wrong.err(""); err != nil {
			return User{}, err
		}
		if err := mayGrant(w, u.Grants); err != nil {
			return User{}, err
		}
		u := u
		u.CreatedAt, u.UpdatedAt, u.CreatedBy = w.now, w.now, w.actor.Name
		if err := Put(w.Tx, u, 0); err != nil {
			return User{}, err
		}
		w.note(u.Name, userScope(u), nil, u)
		return u, setPassword(w, u.Name, hash)
	})
}

// UpdateUser changes a user. Password and disabling need that all of the
// user's grants lie within the actor's reach; grants are changed within it.
func (d *Directory) UpdateUser(ctx context.Context, name string, c UserChange) (User, error) {
	plain := c
	plain.Password = nil
	q := request{op: "change user " + name, action: "update", kind: KindUser, key: name, asked: plain}
	var wrong problems
	if c.DisplayName != nil {
		validateDisplayName(&wrong, *c.DisplayName)
	}
	if c.Grants != nil {
		validateGrants(&wrong, *c.Grants)
	}
	hash := ""
	if c.Password != nil {
		q.secret = *c.Password
		if *c.Password == "" {
			wrong.add("password", "is empty; a password can be replaced, not taken away: disable the user")
		}
		var err error
		if hash, err = d.hashPassword(ctx, &wrong, q.op, *c.Password); err != nil {
			return User{}, err
		}
	}
	return submit(ctx, d.changes, q, func(w *work) (User, error) {
		before, err := userForChange(w, name)
		if err != nil {
			return User{}, err
		}
		if err := errors.Join(wrong.err(""), checkRevision(c.IfRevision, before.Revision)); err != nil {
			return User{}, err
		}
		u, err := changedUser(w, before, c)
		if err != nil {
			return User{}, err
		}
		if err := systemAdminStays(w, before, u); err != nil {
			return User{}, err
		}
		if hash == "" && same(before, u) {
			shown, _ := shownTo(w.actor, before)
			return shown, nil
		}
		u.Revision++
		u.UpdatedAt = w.now
		if u.Disabled || hash != "" {
			if err := endSessions(w.Tx, name); err != nil {
				return User{}, err
			}
		}
		w.note(name, userScope(before), before, u)
		if err := setPassword(w, name, hash); err != nil {
			return User{}, err
		}
		shown, _ := shownTo(w.actor, u)
		return shown, Put(w.Tx, u, AnyVersion)
	})
}

// changedUser gives a user as an actor wants it, if the actor may want that.
func changedUser(w *work, u User, c UserChange) (User, error) {
	if c.DisplayName != nil {
		u.DisplayName = *c.DisplayName
	}
	if c.Disabled != nil || c.Password != nil || c.DisplayName != nil {
		if err := governs(w, u); err != nil {
			return u, err
		}
	}
	if c.Disabled != nil {
		u.Disabled = *c.Disabled
	}
	u.PasswordSet = u.PasswordSet || c.Password != nil
	if c.Grants == nil {
		return u, nil
	}
	kept := slices.DeleteFunc(slices.Clone(u.Grants), w.actor.holds)
	var added []Grant
	for _, g := range *c.Grants {
		if !slices.Contains(u.Grants, g) {
			added = append(added, g)
		}
	}
	u.Grants = slices.Clone(kept)
	for _, g := range *c.Grants {
		if !slices.Contains(kept, g) {
			u.Grants = append(u.Grants, g)
		}
	}
	return u, mayGrant(w, added)
}

// DeleteUser removes a user and ends the sessions. Tokens the user has made
// stay: they are the project's.
func (d *Directory) DeleteUser(ctx context.Context, name string, ifRevision int64) error {
	q := request{op: "delete user " + name, action: "delete", kind: KindUser, key: name, asked: ifRevision}
	return do(ctx, d.changes, q, func(w *work) error {
		u, err := userForChange(w, name)
		if err != nil {
			return err
		}
		if err := checkRevision(ifRevision, u.Revision); err != nil {
			return err
		}
		if err := governs(w, u); err != nil {
			return err
		}
		if err := systemAdminStays(w, u, User{}); err != nil {
			return err
		}
		if err := endSessions(w.Tx, name); err != nil {
			return err
		}
		if err := errors.Join(deleteIfThere(w.Tx, KindPassword, name), deleteIfThere(w.Tx, KindLoginOrigins, name)); err != nil {
			return err
		}
		w.note(name, userScope(u), u, nil)
		return w.Delete(KindUser, name)
	})
}

// userForChange gives a user for a change; who is outside the actor's reach is not there.
func userForChange(w *work, name string) (User, error) {
	u, _, err := Get[User](w.Tx, name)
	if errors.Is(err, ErrNotFound) {
		return u, noSuch("user", name, err)
	}
	if err != nil {
		return u, err
	}
	if _, ok := shownTo(w.actor, u); !ok {
		return u, noSuch("user", name, nil)
	}
	return u, w.permit(RightMembers, "")
}

// governs says why an actor may not decide over the whole of a user.
func governs(w *work, u User) error {
	if anyGrant(u.Grants, func(g Grant) bool { return !w.actor.holds(g) }) {
		return &Error{Code: CodeDenied, Message: "the user has rights outside your reach, too; ask an administrator of these, or change the rights within yours", Cause: errRefused}
	}
	return nil
}

// mayGrant refuses grants that the actor does not hold itself, and those to
// places that are not there.
func mayGrant(w *work, grants []Grant) error {
	var wrong problems
	for i, g := range grants {
		if !w.actor.holds(g) {
			return &Error{Code: CodeDenied, Message: "nobody gives more than they hold: " + describeGrant(g) + " is outside your reach", Cause: errRefused}
		}
		var err error
		field := fmt.Sprintf("grants[%d]", i)
		switch {
		case g.Org != "":
			if _, _, err = Get[Org](w.Tx, g.Org); errors.Is(err, ErrNotFound) {
				wrong.add(field+".org", "there is no organisation %q", g.Org)
			}
		case g.Project != "":
			if _, _, err = Get[Project](w.Tx, g.Project); errors.Is(err, ErrNotFound) {
				wrong.add(field+".project", "there is no project %q", g.Project)
			}
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return wrong.err("")
}

func describeGrant(g Grant) string {
	if g.Where() == "" {
		return string(g.Role)
	}
	return string(g.Role) + " of " + g.Where()
}

// systemAdminStays refuses a change that leaves nobody who can log in and may do
// everything.
func systemAdminStays(w *work, before, after User) error {
	admin := func(u User) bool { return u.PasswordSet && !u.Disabled && anyGrant(u.Grants, isSystem) }
	if !admin(before) || admin(after) {
		return nil
	}
	others, err := usesOf(w.Tx, "user", Query{}, func(u User) (string, bool) { return u.Name, u.Name != before.Name && admin(u) })
	if err != nil || others.count > 0 {
		return err
	}
	return fail(CodeConflict, "", "it is the last user with the role system who can log in; give that role to another user first")
}

func validateDisplayName(p *problems, name string) {
	if name == "" {
		return
	}
	if why := ValidateName(name); why != "" {
		p.add("displayName", "%s", why)
	}
}

// maxGrants is the number of grants one user may have.
const maxGrants = 100

func validateGrants(p *problems, grants []Grant) {
	if len(grants) == 0 || len(grants) > maxGrants {
		p.add("grants", "has %d entries; 1 to %d are allowed", len(grants), maxGrants)
	}
	for i, g := range grants[:min(len(grants), maxGrants)] {
		field := fmt.Sprintf("grants[%d]", i)
		validateGrant(p, field, g)
		if slices.Contains(grants[:i], g) {
			p.add(field, "stands twice")
		}
	}
}

func deleteIfThere(tx Tx, kind Kind, key string) error {
	if err := tx.Delete(kind, key); !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}
