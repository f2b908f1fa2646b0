package httpapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// tenancyRoutes are about who there is: organisations, projects, users, tokens.
func (a *api) tenancyRoutes() {
	administer(a, a.orgs())
	administer(a, a.quotas("/api/v1/orgs", "/{org}", "OrgQuota", "quota of an organisation: what its clusters may book of the pool's connections, and what is booked"))
	administer(a, a.projects())
	administer(a, a.quotas("/api/v1/projects", "/{org}/{project}", "ProjectQuota", "quota of a project: what its clusters may book of the pool's connections, and what is booked"))
	administer(a, a.users())
	a.unlockRoute()
	administer(a, a.tokens())
}

func (a *api) orgs() resource[ecp.Org] {
	m := a.manager
	return resource[ecp.Org]{
		path: "/api/v1/orgs", at: "/{org}", one: "Org", many: "Orgs", word: "organisation", words: "the organisations you have a role in",
		key: func(o ecp.Org) string { return o.Name }, revision: func(o ecp.Org) int64 { return o.Revision },
		list: m.Orgs, get: m.Org, refuses: []ecp.Code{ecp.CodeExists, ecp.CodeQuotaExceeded},
		made: schemaOf[orgBody], changed: schemaOf[describedPatch],
		create: func(ctx context.Context, body []byte) (ecp.Org, error) {
			b, err := decodeAs[orgBody](body)
			if err != nil {
				return ecp.Org{}, err
			}
			return m.CreateOrg(ctx, b.Name, b.Description)
		},
		change: describe(m.Org, m.UpdateOrg),
		remove: func(ctx context.Context, key string) error { return m.DeleteOrg(ctx, key, ifRevision(ctx)) },
	}
}

// projectView is a project with what its clusters have booked.
type projectView struct {
	ecp.Project
	Usage ecp.Usage `json:"usage" doc:"what its clusters have booked in the pool"`
}

// withUsage adds to projects what their clusters have booked.
func (a *api) withUsage(ctx context.Context, projects []ecp.Project, err error) ([]projectView, error) {
	if err != nil {
		return nil, err
	}
	usage, err := a.manager.UsageByProject(ctx)
	out := make([]projectView, len(projects))
	for i, p := range projects {
		out[i] = projectView{p, usage[p.Path]}
	}
	return out, err
}

func (a *api) projects() resource[projectView] {
	m := a.manager
	one := func(ctx context.Context, p ecp.Project, err error) (projectView, error) {
		all, err := a.withUsage(ctx, []ecp.Project{p}, err)
		if err != nil {
			return projectView{}, err
		}
		return all[0], nil
	}
	change := describe(m.Project, m.UpdateProject)
	return resource[projectView]{
		path: "/api/v1/projects", at: "/{org}/{project}", one: "Project", many: "Projects", word: "project", words: "the projects you may see",
		key: func(p projectView) string { return p.Path }, revision: func(p projectView) int64 { return p.Revision },
		refuses: []ecp.Code{ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeNotFound},
		made:    schemaOf[projectBody], changed: schemaOf[describedPatch],
		list: func(ctx context.Context) ([]projectView, error) {
			all, err := m.Projects(ctx, "")
			return a.withUsage(ctx, all, err)
		},
		get: func(ctx context.Context, key string) (projectView, error) {
			p, err := m.Project(ctx, key)
			return one(ctx, p, err)
		},
		create: func(ctx context.Context, body []byte) (projectView, error) {
			b, err := decodeAs[projectBody](body)
			if err != nil {
				return projectView{}, err
			}
			p, err := m.CreateProject(ctx, b.Path, b.Description)
			return one(ctx, p, err)
		},
		change: func(ctx context.Context, key string, body []byte) (projectView, error) {
			p, err := change(ctx, key, body)
			return one(ctx, p, err)
		},
		remove: func(ctx context.Context, key string) error { return m.DeleteProject(ctx, key, ifRevision(ctx)) },
	}
}

type orgBody struct {
	Name        string `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" doc:"1 to 63 lower-case letters, digits and -; never changes"`
	Description string `json:"description" required:"false" maxLength:"500"`
}

type projectBody struct {
	Path        string `json:"path" required:"true" pattern:"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" doc:"org/project; never changes"`
	Description string `json:"description" required:"false" maxLength:"500"`
}

// describedPatch changes what a thing is described as, and there is nothing else.
type describedPatch struct {
	Description *string `json:"description" required:"false" maxLength:"500"`
}

// describe changes a description; a patch without one changes nothing.
func describe[V any](get func(context.Context, string) (V, error), set func(context.Context, string, string, int64) (V, error)) func(context.Context, string, []byte) (V, error) {
	return func(ctx context.Context, key string, body []byte) (V, error) {
		p, err := decodePatch[describedPatch](body)
		if err != nil {
			var zero V
			return zero, err
		}
		if p.Description == nil {
			return get(ctx, key)
		}
		return set(ctx, key, *p.Description, ifRevision(ctx))
	}
}

func (a *api) users() resource[ecp.User] {
	m := a.manager
	return resource[ecp.User]{
		path: "/api/v1/users", at: "/{user}", one: "User", many: "Users", word: "user", words: "the users within your reach",
		key: func(u ecp.User) string { return u.Name }, called: func(u ecp.User) string { return u.DisplayName }, revision: func(u ecp.User) int64 { return u.Revision },
		list: m.Users, get: m.User, refuses: []ecp.Code{ecp.CodeUnsupported, ecp.CodeExists, ecp.CodeConflict, ecp.CodeNotFound},
		made: schemaOf[userBody], changed: schemaOf[userPatch],
		create: func(ctx context.Context, body []byte) (ecp.User, error) {
			b, err := decodeAs[userBody](body)
			if err != nil {
				return ecp.User{}, err
			}
			return m.CreateUser(ctx, ecp.UserRequest{Name: b.Name, DisplayName: b.DisplayName, Password: b.Password, Grants: b.Grants})
		},
		change: func(ctx context.Context, key string, body []byte) (ecp.User, error) {
			p, err := decodePatch[userPatch](body)
			if err != nil {
				return ecp.User{}, err
			}
			return m.UpdateUser(ctx, key, ecp.UserChange{
				DisplayName: p.DisplayName, Grants: p.Grants, Disabled: p.Disabled, Password: p.Password, IfRevision: ifRevision(ctx),
			})
		},
		remove: func(ctx context.Context, key string) error { return m.DeleteUser(ctx, key, ifRevision(ctx)) },
	}
}

type userBody struct {
	Name        string      `json:"name" required:"true" pattern:"^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$" doc:"what one logs in with; never changes"`
	DisplayName string      `json:"displayName" required:"false" maxLength:"200"`
	Password    string      `json:"password" required:"false" minLength:"10" doc:"nobody can log in without one; at most 256 bytes" writeOnly:"true"`
	Grants      []ecp.Grant `json:"grants" required:"true" minItems:"1" doc:"what the user may do: the sum of these"`
}

type userPatch struct {
	DisplayName *string      `json:"displayName" required:"false" maxLength:"200"`
	Grants      *[]ecp.Grant `json:"grants" required:"false" doc:"instead of those within your reach; others stay"`
	Disabled    *bool        `json:"disabled" required:"false" doc:"true ends the user's sessions"`
	Password    *string      `json:"password" required:"false" minLength:"10" doc:"a new one ends the user's sessions" writeOnly:"true"`
}

// tokenView is an API token; the secret is in the answer that makes it only.
type tokenView struct {
	ecp.TokenInfo
	Token string `json:"token,omitempty" doc:"the bearer token: shown when it is made, and never again"`
}

type tokenBody struct {
	Name      string    `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"under which it acts, with token: before it"`
	Role      ecp.Role  `json:"role" required:"true" doc:"what it may do"`
	Org       string    `json:"org" required:"false" doc:"reach of an org-admin"`
	Project   string    `json:"project" required:"false" doc:"reach of a project-admin or user, org/project"`
	ExpiresAt time.Time `json:"expiresAt" required:"false" doc:"never when left out"`
}

func (a *api) tokens() resource[tokenView] {
	m := a.manager
	return resource[tokenView]{
		path: "/api/v1/tokens", at: "/{token}", one: "Token", many: "Tokens", word: "API token", words: "the API tokens within your reach",
		key: func(t tokenView) string { return t.ID }, called: func(t tokenView) string { return t.Name }, refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeNotFound},
		made: schemaOf[tokenBody],
		list: func(ctx context.Context) ([]tokenView, error) {
			all, err := m.Tokens(ctx)
			out := make([]tokenView, len(all))
			for i, t := range all {
				out[i].TokenInfo = t
			}
			return out, err
		},
		get: func(ctx context.Context, key string) (tokenView, error) {
			t, err := m.Token(ctx, key)
			return tokenView{TokenInfo: t}, err
		},
		create: func(ctx context.Context, body []byte) (tokenView, error) {
			b, err := decodeAs[tokenBody](body)
			if err != nil {
				return tokenView{}, err
			}
			t, err := m.CreateToken(ctx, ecp.TokenRequest{Name: b.Name, Grant: ecp.Grant{Role: b.Role, Org: b.Org, Project: b.Project}, ExpiresAt: b.ExpiresAt})
			return tokenView{t.TokenInfo, t.Secret}, within("grant.", err)
		},
		remove: m.DeleteToken,
	}
}

// within takes what a body does not have from the fields an error names.
func within(prefix string, err error) error {
	var e *ecp.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, ecp.FieldError{Field: strings.TrimPrefix(f.Field, prefix), Message: f.Message})
	}
	return &out
}

// pathWords and pathSamples describe the parameters of paths.
var (
	pathWords = map[string]string{
		"org": "the organisation's name", "project": "the project's name in it", "user": "the user's name", "token": "the token's id",
		"image": "the image's id", "size": "the size's name", "registry": "the registry's name", "license": "the licence's name",
		"profile": "the profile's name", "target": "the target's name",
		"id": "its id", "agent": "the agent's id", "file": "name of the part",
	}
	pathSamples = map[string]string{
		"orgs/org": "default", "projects/org": "default", "projects/project": "default", "users/user": "ann", "tokens/token": "tok-0123456789abcdef",
		"images/image": "emqx-ee-5.8.9", "sizes/size": "1C1G", "registries/registry": "harbor", "emqx-licenses/license": "main",
		"lb-profiles/profile": "large", "kubernetes-targets/target": "default",
		"unrecorded-clusters/id": sampleCluster, "clusters/id": sampleCluster, "clusters/token": "reg-0123456789abcdef", "clusters/agent": "agt-0123456789abcdef", "operations/id": sampleOperation,
	}
)
