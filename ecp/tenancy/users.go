package tenancy

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// userScope is the smallest thing that all grants of a user lie in.
func userScope(u ecp.User) string {
	scope := ""
	for i, g := range u.Grants {
		where := g.Where()
		switch {
		case where == "" || orgOf(g) != orgOf(u.Grants[0]):
			return ""
		case i == 0:
			scope = where
		case where != scope:
			scope = orgOf(g)
		}
	}
	return scope
}

// UserRequest is what CreateUser needs. The actor must hold every one of Grants.
type UserRequest struct {
	Name        string
	DisplayName string
	Password    string // empty: the user cannot log in yet
	Grants      []ecp.Grant
}

// UserChange changes parts of a user; nil fields stay as they are.
type UserChange struct {
	DisplayName *string
	Grants      *[]ecp.Grant // replace those that the actor may see; others stay
	Disabled    *bool        // true ends the user's sessions
	Password    *string      // ends the user's sessions
	IfRevision  int64        // 0: any revision
}

var userForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$`)

// ValidateUserName returns what is wrong with the name of a user; empty if nothing is.
func ValidateUserName(name string) string {
	switch {
	case strings.HasPrefix(name, ecp.TokenPrefix):
		return fmt.Sprintf("begins with %q, which is for API tokens", ecp.TokenPrefix)
	case !userForm.MatchString(name):
		return `is not of 1 to 64 lower-case letters, digits, ".", "_", "@" and "-", with a letter or digit at both ends`
	case name == ecp.System.Name:
		return "is the name under which the program itself works"
	}
	return ""
}

// Bounds of a password.
const (
	MinPassword = 10  // characters
	MaxPassword = 256 // bytes
)

// ValidatePassword returns what is wrong with a password; empty if nothing is.
func ValidatePassword(password string) string {
	switch {
	case len([]rune(password)) < MinPassword:
		return fmt.Sprintf("is too short; give at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Sprintf("is too long; at most %d bytes are allowed", MaxPassword)
	}
	return ""
}

func anyGrant(grants []ecp.Grant, which func(ecp.Grant) bool) bool {
	return slices.ContainsFunc(grants, which)
}

// shownTo returns a user without the grants that an actor may not see, and reports
// whether the actor may see the user at all.
func shownTo(a ecp.Actor, u ecp.User) (ecp.User, bool) {
	if a.User() == u.Name {
		return u, true
	}
	u.Grants = slices.DeleteFunc(slices.Clone(u.Grants), func(g ecp.Grant) bool { return !a.Holds(g) })
	return u, len(u.Grants) > 0
}

// Users lists the users with a grant within the actor's reach.
func (ac *Accounts) Users(ctx context.Context) ([]ecp.User, error) {
	users, err := listVisible(ctx, ac.store, "list users", ecp.Query{},
		func(a ecp.Actor, u ecp.User) bool { _, ok := shownTo(a, u); return ok })
	a, _ := ecp.ActorFrom(ctx)
	for i, u := range users {
		users[i], _ = shownTo(a, u)
	}
	return users, err
}

// User returns a user by name. Users may read themselves.
func (ac *Accounts) User(ctx context.Context, name string) (ecp.User, error) {
	u, err := readVisible(ctx, ac.store, "read user "+name, "user", name,
		func(a ecp.Actor, u ecp.User) bool { _, ok := shownTo(a, u); return ok })
	if err != nil {
		return ecp.User{}, err
	}
	a, _ := ecp.ActorFrom(ctx)
	u, _ = shownTo(a, u)
	return u, nil
}

// CreateUser creates a user with grants that the actor holds itself.
func (ac *Accounts) CreateUser(ctx context.Context, r UserRequest) (ecp.User, error) {
	u := ecp.User{
		Name:        r.Name,
		DisplayName: r.DisplayName,
		Grants:      slices.Clone(r.Grants),
		PasswordSet: r.Password != "",
		Revision:    1,
	}
	q := change.Request{
		Op:     "create user",
		Action: "create",
		Kind:   ecp.KindUser,
		Scope:  userScope(u),
		Asked:  u,
		Secret: r.Password,
		Taken:  ecp.FieldError{Field: "name", Message: fmt.Sprintf("there is a user %q already", r.Name)},
	}
	var wrong fault.Fields
	if why := ValidateUserName(r.Name); why != "" {
		wrong.Add("name", "%s", why)
	}
	validateDisplayName(&wrong, r.DisplayName)
	validateGrants(&wrong, r.Grants)
	hash, err := ac.hashPassword(ctx, &wrong, q.Op, r.Password)
	if err != nil {
		return ecp.User{}, err
	}
	return change.Submit(ctx, ac.changes, q, func(w *change.Tx) (ecp.User, error) {
		if err := w.Permit(ecp.RightMembers, ""); err != nil {
			return ecp.User{}, err
		}
		if err := wrong.Err(""); err != nil {
			return ecp.User{}, err
		}
		if err := mayGrant(w, u.Grants); err != nil {
			return ecp.User{}, err
		}
		u := u
		u.CreatedAt, u.UpdatedAt, u.CreatedBy = w.Now, w.Now, w.Actor.Name
		if err := ecp.Put(w.Tx, u, 0); err != nil {
			return ecp.User{}, err
		}
		w.Note(u.Name, userScope(u), nil, u)
		return u, setPassword(w, u.Name, hash)
	})
}

// UpdateUser changes a user. The password, the display name and Disabled can be changed
// only by an actor who holds all grants of the user.
func (ac *Accounts) UpdateUser(ctx context.Context, name string, c UserChange) (ecp.User, error) {
	plain := c
	plain.Password = nil
	q := change.Request{Op: "change user " + name, Action: "update", Kind: ecp.KindUser, Key: name, Asked: plain}
	var wrong fault.Fields
	if c.DisplayName != nil {
		validateDisplayName(&wrong, *c.DisplayName)
	}
	if c.Grants != nil {
		validateGrants(&wrong, *c.Grants)
	}
	hash := ""
	if c.Password != nil {
		q.Secret = *c.Password
		if *c.Password == "" {
			wrong.Add("password", "is empty; a password can be replaced, not taken away: disable the user")
		}
		var err error
		if hash, err = ac.hashPassword(ctx, &wrong, q.Op, *c.Password); err != nil {
			return ecp.User{}, err
		}
	}
	return change.Submit(ctx, ac.changes, q, func(w *change.Tx) (ecp.User, error) {
		before, err := userForChange(w, name)
		if err != nil {
			return ecp.User{}, err
		}
		if err := errors.Join(wrong.Err(""), change.CheckRevision(c.IfRevision, before.Revision)); err != nil {
			return ecp.User{}, err
		}
		u, err := changedUser(w, before, c)
		if err != nil {
			return ecp.User{}, err
		}
		if err := systemAdminStays(w, before, u); err != nil {
			return ecp.User{}, err
		}
		if hash == "" && reflect.DeepEqual(before, u) {
			shown, _ := shownTo(w.Actor, before)
			return shown, nil
		}
		u.Revision++
		u.UpdatedAt = w.Now
		if u.Disabled || hash != "" {
			if err := endSessions(w.Tx, name); err != nil {
				return ecp.User{}, err
			}
		}
		w.Note(name, userScope(before), before, u)
		if err := setPassword(w, name, hash); err != nil {
			return ecp.User{}, err
		}
		shown, _ := shownTo(w.Actor, u)
		return shown, ecp.Put(w.Tx, u, ecp.AnyVersion)
	})
}

// changedUser returns a user with the changes of an actor, if the actor may make them.
func changedUser(w *change.Tx, u ecp.User, c UserChange) (ecp.User, error) {
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
	kept := slices.DeleteFunc(slices.Clone(u.Grants), w.Actor.Holds)
	var added []ecp.Grant
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

// DeleteUser deletes a user and ends the sessions. Tokens that the user has created stay:
// they belong to the project.
func (ac *Accounts) DeleteUser(ctx context.Context, name string, ifRevision int64) error {
	q := change.Request{Op: "delete user " + name, Action: "delete", Kind: ecp.KindUser, Key: name, Asked: ifRevision}
	return change.Do(ctx, ac.changes, q, func(w *change.Tx) error {
		u, err := userForChange(w, name)
		if err != nil {
			return err
		}
		if err := change.CheckRevision(ifRevision, u.Revision); err != nil {
			return err
		}
		if err := governs(w, u); err != nil {
			return err
		}
		if err := systemAdminStays(w, u, ecp.User{}); err != nil {
			return err
		}
		if err := endSessions(w.Tx, name); err != nil {
			return err
		}
		if err := errors.Join(w.Remove(ecp.KindPassword, name), w.Remove(ecp.KindLoginOrigins, name)); err != nil {
			return err
		}
		w.Note(name, userScope(u), u, nil)
		return w.Delete(ecp.KindUser, name)
	})
}

// userForChange returns a user for a change. One that the actor may not see is not found.
func userForChange(w *change.Tx, name string) (ecp.User, error) {
	u, _, err := ecp.Get[ecp.User](w.Tx, name)
	if errors.Is(err, ecp.ErrNotFound) {
		return u, fault.NotFound("user", name, err)
	}
	if err != nil {
		return u, err
	}
	if _, ok := shownTo(w.Actor, u); !ok {
		return u, fault.NotFound("user", name, nil)
	}
	return u, w.Permit(ecp.RightMembers, "")
}

// governs returns why an actor may not change all of a user; nil if it may.
func governs(w *change.Tx, u ecp.User) error {
	if anyGrant(u.Grants, func(g ecp.Grant) bool { return !w.Actor.Holds(g) }) {
		return &ecp.Error{Code: ecp.CodeDenied, Message: "the user has rights outside your reach, too; ask an " +
			"administrator of these, or change the rights within yours", Cause: ecp.ErrNoRight}
	}
	return nil
}

// mayGrant refuses grants that the actor does not hold itself, and those to
// places that are not there.
func mayGrant(w *change.Tx, grants []ecp.Grant) error {
	var wrong fault.Fields
	for i, g := range grants {
		if !w.Actor.Holds(g) {
			return &ecp.Error{
				Code:    ecp.CodeDenied,
				Message: "nobody gives more than they hold: " + describeGrant(g) + " is outside your reach",
				Cause:   ecp.ErrNoRight,
			}
		}
		var err error
		field := fmt.Sprintf("grants[%d]", i)
		switch {
		case g.Org != "":
			if _, _, err = ecp.Get[ecp.Org](w.Tx, g.Org); errors.Is(err, ecp.ErrNotFound) {
				wrong.Add(field+".org", "there is no organisation %q", g.Org)
			}
		case g.Project != "":
			if _, _, err = ecp.Get[ecp.Project](w.Tx, g.Project); errors.Is(err, ecp.ErrNotFound) {
				wrong.Add(field+".project", "there is no project %q", g.Project)
			}
		}
		if err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
	}
	return wrong.Err("")
}

func describeGrant(g ecp.Grant) string {
	if g.Where() == "" {
		return string(g.Role)
	}
	return string(g.Role) + " of " + g.Where()
}

// systemAdminStays refuses a change that leaves nobody who can log in and may do
// everything.
func systemAdminStays(w *change.Tx, before, after ecp.User) error {
	admin := func(u ecp.User) bool { return u.PasswordSet && !u.Disabled && anyGrant(u.Grants, ecp.Grant.IsSystem) }
	if !admin(before) || admin(after) {
		return nil
	}
	others, err := change.UsesOf(w.Tx, "user", ecp.Query{},
		func(u ecp.User) (string, bool) { return u.Name, u.Name != before.Name && admin(u) })
	if err != nil || others.Count > 0 {
		return err
	}
	return ecp.NewError(ecp.CodeConflict, "",
		"it is the last user with the role system who can log in; give that role to another user first")
}

func validateDisplayName(p *fault.Fields, name string) {
	if name == "" {
		return
	}
	if why := ecp.ValidateName(name); why != "" {
		p.Add("displayName", "%s", why)
	}
}

// maxGrants is the number of grants one user may have.
const maxGrants = 100

func validateGrants(p *fault.Fields, grants []ecp.Grant) {
	if len(grants) == 0 || len(grants) > maxGrants {
		p.Add("grants", "has %d entries; 1 to %d are allowed", len(grants), maxGrants)
	}
	for i, g := range grants[:min(len(grants), maxGrants)] {
		field := fmt.Sprintf("grants[%d]", i)
		validate.Grant(p, field, g)
		if slices.Contains(grants[:i], g) {
			p.Add(field, "stands twice")
		}
	}
}

// orgOf returns the organisation that a grant lies in; empty means everywhere.
func orgOf(g ecp.Grant) string {
	org, _, _ := strings.Cut(g.Where(), "/")
	return org
}
