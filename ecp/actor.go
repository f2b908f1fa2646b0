package ecp

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Grant is a role and its reach. A grant without the reach that its role needs,
// or with another one, gives nothing.
type Grant struct {
	Role    Role   `json:"role"`
	Org     string `json:"org,omitempty"`     // of an org admin
	Project string `json:"project,omitempty"` // of a project admin or user, "org/project"
}

// Actor is the user, token or program that makes a call. Every call of the Manager
// needs one in its context; a call without one is denied.
type Actor struct {
	// Name is for the record: creator, operations, audit. The names of tokens begin
	// with [TokenPrefix]; the names of an embedder's own actors must not.
	Name string
	// Grants are all that the actor may do. An actor without grants may do nothing.
	// They must not be changed once the actor is in a context.
	Grants []Grant
	// Credential says in the audit what the actor logged in with: "token/…" or
	// "session/…". It is empty for the actors of an embedder.
	Credential string
}

// System is an actor that may do everything, for embedders who authorise by
// themselves and for the daemon's own work.
var System = Actor{Name: "system", Grants: []Grant{{Role: RoleSystem}}}

// Identity returns a key that tells actors apart, for counting what each of them
// uses; it is never empty. A user with several sessions is one actor. Two tokens are
// two actors, also where they have the same name.
func (a Actor) Identity() string {
	if user := a.User(); user != "" {
		return "user " + user
	}
	return a.Name + "\x00" + a.Credential
}

// User returns the name of the user who logged in; "" for a token and for an
// actor of an embedder's.
func (a Actor) User() string {
	if strings.HasPrefix(a.Credential, SessionCredential) {
		return a.Name
	}
	return ""
}

// wellFormed reports whether the grant has the reach that its role needs, and no
// other. Every check of a right calls it, so that it reads the parts only; their
// letters were checked when the grant was stored.
func (g Grant) wellFormed() bool {
	switch g.Role {
	case RoleSystem:
		return g.Org == "" && g.Project == ""
	case RoleOrgAdmin:
		return g.Project == "" && g.Org != "" && !strings.Contains(g.Org, "/")
	case RoleProjectAdmin, RoleUser:
		org, project, two := strings.Cut(g.Project, "/")
		return g.Org == "" && two && org != "" && project != "" && !strings.Contains(project, "/")
	}
	return false
}

// Where returns what the grant reaches: "org" or "org/project". It is empty for a
// system administrator, who reaches everything.
func (g Grant) Where() string {
	switch g.Role {
	case RoleOrgAdmin:
		return g.Org
	case RoleProjectAdmin, RoleUser:
		return g.Project
	case RoleSystem:
	}
	return ""
}

// IsSystem reports whether the grant is that of a system administrator.
func (g Grant) IsSystem() bool { return g.Role == RoleSystem && g.wellFormed() }

// reaches reports whether the grant is about where: "org" or "org/project".
func (g Grant) reaches(where string) bool {
	if !g.wellFormed() {
		return false
	}
	switch g.Role {
	case RoleSystem:
		return true
	case RoleOrgAdmin:
		org, _, _ := strings.Cut(where, "/")
		return org == g.Org
	case RoleProjectAdmin, RoleUser:
		return where == g.Project
	}
	return false
}

// May reports whether a holds the right over a project ("org/project") or a whole
// organisation ("org"); "" asks for the right wherever it reaches.
func (a Actor) May(right Right, where string) bool {
	return slices.ContainsFunc(a.Grants, func(g Grant) bool {
		return rights[g.Role][right] && g.wellFormed() && (where == "" || g.reaches(where))
	})
}

// Sees reports whether a may know that an organisation exists, which any grant there
// allows.
func (a Actor) Sees(org string) bool {
	return slices.ContainsFunc(a.Grants, func(g Grant) bool {
		in, _, _ := strings.Cut(g.Where(), "/")
		return g.wellFormed() && (g.Role == RoleSystem || org != "" && in == org)
	})
}

// Holds reports whether a may grant g to somebody: administrators of members grant
// what lies within their own reach.
func (a Actor) Holds(g Grant) bool {
	return slices.ContainsFunc(a.Grants, func(own Grant) bool {
		if own.IsSystem() {
			return true // also what is malformed, which somebody has to remove
		}
		return rights[own.Role][RightMembers] && g.wellFormed() && g.Where() != "" && own.reaches(g.Where())
	})
}

// Authorize returns the actor of ctx if it holds the right over where; the error is
// that of [Actor.Permit].
func Authorize(ctx context.Context, op string, right Right, where string) (Actor, error) {
	a, ok := ActorFrom(ctx)
	if !ok {
		return Actor{}, NewError(CodeDenied, op, "the call carries no actor; authenticate first, or use ecp.WithActor")
	}
	return a, a.Permit(op, right, where)
}

// Permit returns nil if a holds a right over where, which is as for [Actor.May]. The
// error is not_found where a may not even read it, and denied otherwise.
func (a Actor) Permit(op string, right Right, where string) error {
	if a.May(right, where) {
		return nil
	}
	if where != "" && !a.May(RightRead, where) && (strings.Contains(where, "/") || !a.Sees(where)) {
		return &Error{
			Code: CodeNotFound, Op: op, Cause: ErrNoRight, Message: "there is no such thing in a project you may see",
		}
	}
	var roles []string
	for _, g := range a.Grants {
		if role := string(g.Role); g.wellFormed() && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	held := "the role " + strings.Join(roles, ", ") + " may not do this"
	if len(roles) == 0 {
		held = "this needs a role, and no grant of the actor gives one: a role needs its own reach, and no other"
	}
	return &Error{
		Code: CodeDenied, Op: op, Cause: ErrNoRight,
		Message: fmt.Sprintf("%s; ask somebody with the role %s", held, lowest(right)),
	}
}
