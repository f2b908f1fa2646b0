package ecp

import (
	"context"
	"strings"
)

// Role is what an actor may do; a higher role holds the rights of every lower
// one within its reach.
type Role string

// The roles, highest first.
const (
	RoleSystem       Role = "system"        // everything, everywhere
	RoleOrgAdmin     Role = "org-admin"     // every project of one organisation
	RoleProjectAdmin Role = "project-admin" // one project
	RoleUser         Role = "user"          // reads one project
)

// Actor is who asks. Every call of the Manager needs one in its context; a
// call without one is denied.
type Actor struct {
	Name    string // for the record: creator, operations
	Role    Role
	Org     string // reach of an org admin
	Project string // reach of a project admin or user, "org/project"
}

// System is an actor that may do everything, for embedders who authorise by
// themselves and for the daemon's own work.
var System = Actor{Name: "system", Role: RoleSystem}

type actorKey struct{}

// WithActor gives a context whose calls are made by a.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom gives the actor of a context; false if it has none.
func ActorFrom(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}

// Right is one thing a role may allow.
type Right string

// The rights.
const (
	RightRead    Right = "read"    // clusters, operations, events of a project
	RightWrite   Right = "write"   // create and command clusters of a project
	RightCatalog Right = "catalog" // read images, sizes and the pool
	RightAdmin   Right = "admin"   // change catalogues, the pool and tokens
)

// rights is the role table: which rights a role has within its reach.
var rights = map[Role]map[Right]bool{
	RoleSystem:       {RightRead: true, RightWrite: true, RightCatalog: true, RightAdmin: true},
	RoleOrgAdmin:     {RightRead: true, RightWrite: true, RightCatalog: true},
	RoleProjectAdmin: {RightRead: true, RightWrite: true, RightCatalog: true},
	RoleUser:         {RightRead: true, RightCatalog: true},
}

// May says whether a holds the right over a project; project "" asks for
// rights that belong to no project.
func (a Actor) May(right Right, project string) bool {
	return rights[a.Role][right] && (project == "" || a.reaches(project))
}

func (a Actor) reaches(project string) bool {
	switch a.Role {
	case RoleSystem:
		return true
	case RoleOrgAdmin:
		org, _, _ := strings.Cut(project, "/")
		return a.Org != "" && org == a.Org
	case RoleProjectAdmin, RoleUser:
		return a.Project != "" && project == a.Project
	}
	return false
}

// authorize gives the actor of ctx if it holds the right over project. What
// an actor may not read does not exist for it: not_found. What it may read
// but not do is denied.
func authorize(ctx context.Context, op string, right Right, project string) (Actor, error) {
	a, ok := ActorFrom(ctx)
	if !ok {
		return Actor{}, fail(CodeDenied, op, "the call carries no actor; authenticate first, or use ecp.WithActor")
	}
	if a.May(right, project) {
		return a, nil
	}
	if project != "" && !a.May(RightRead, project) {
		return Actor{}, fail(CodeNotFound, op, "there is no such thing in a project you may see")
	}
	return Actor{}, fail(CodeDenied, op, "the role "+string(a.Role)+" may not do this; ask an administrator of the project")
}
