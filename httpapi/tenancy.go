package httpapi

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/tenancy"
)

// tenancyRoutes are about organisations, projects, users and tokens.
func (a *api) tenancyRoutes() {
	addResource(a, a.orgs())
	addResource(a, a.quotas("/api/v1/orgs", "/{org}", "OrgQuota", "quota of an organisation: what its clusters may "+
		"book of the pool's connections, and what is booked"))
	addResource(a, a.projects())
	addResource(a, a.quotas("/api/v1/projects", "/{org}/{project}", "ProjectQuota", "quota of a project: what its "+
		"clusters may book of the pool's connections, and what is booked"))
	addResource(a, a.users())
	a.unlockRoutes()
	addResource(a, a.tokens())
}

func (a *api) orgs() resource[ecp.Org] {
	m := a.manager
	return resource[ecp.Org]{
		path: "/api/v1/orgs", at: "/{org}", one: "Org", many: "Orgs", word: "organisation",
		words: "the organisations you have a role in",
		key:   func(o ecp.Org) string { return o.Name }, revision: func(o ecp.Org) int64 { return o.Revision },
		list: m.Directory.Orgs, get: m.Directory.Org, refuses: []ecp.Code{ecp.CodeExists, ecp.CodeQuotaExceeded},
		form: schemaOf[orgBody], patch: schemaOf[describedPatch],
		create: func(ctx context.Context, b body) (ecp.Org, error) {
			form, err := decode[orgBody](b)
			if err != nil {
				return ecp.Org{}, err
			}
			return m.Directory.CreateOrg(ctx, form.Name, form.Description)
		},
		change: describe(m.Directory.Org, m.Directory.UpdateOrg),
		remove: func(ctx context.Context, key string) error { return m.Directory.DeleteOrg(ctx, key, ifRevision(ctx)) },
	}
}

// projectView is a project with what its clusters have booked.
type projectView struct {
	ecp.Project
	Usage fleet.Usage `json:"usage" doc:"what its clusters have booked in the pool"`
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
	change := describe(m.Directory.Project, m.Directory.UpdateProject)
	return resource[projectView]{
		path: "/api/v1/projects", at: "/{org}/{project}", one: "Project", many: "Projects", word: "project",
		words: "the projects you may see",
		key:   func(p projectView) string { return p.Path }, revision: func(p projectView) int64 { return p.Revision },
		refuses: []ecp.Code{ecp.CodeExists, ecp.CodeQuotaExceeded, ecp.CodeNotFound},
		form:    schemaOf[projectBody], patch: schemaOf[describedPatch],
		list: func(ctx context.Context) ([]projectView, error) {
			all, err := m.Directory.Projects(ctx, "")
			return a.withUsage(ctx, all, err)
		},
		get: func(ctx context.Context, key string) (projectView, error) {
			p, err := m.Directory.Project(ctx, key)
			return one(ctx, p, err)
		},
		create: func(ctx context.Context, b body) (projectView, error) {
			form, err := decode[projectBody](b)
			if err != nil {
				return projectView{}, err
			}
			p, err := m.Directory.CreateProject(ctx, form.Path, form.Description)
			return one(ctx, p, err)
		},
		change: func(ctx context.Context, key string, b body) (projectView, error) {
			p, err := change(ctx, key, b)
			return one(ctx, p, err)
		},
		remove: func(ctx context.Context, key string) error {
			return m.Directory.DeleteProject(ctx, key, ifRevision(ctx))
		},
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

// describedPatch is the patch of a thing of which only the description can change.
type describedPatch struct {
	Description *string `json:"description" required:"false" maxLength:"500"`
}

// describe changes a description. A patch without one changes nothing.
func describe[V any](
	get func(ctx context.Context, key string) (V, error),
	set func(ctx context.Context, key, description string, revision int64) (V, error),
) func(context.Context, string, body) (V, error) {
	return func(ctx context.Context, key string, b body) (V, error) {
		p, err := decodePatch[describedPatch](b)
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
		path: "/api/v1/users", at: "/{user}", one: "User", many: "Users", word: "user",
		words: "the users within your reach",
		key:   func(u ecp.User) string { return u.Name }, label: func(u ecp.User) string { return u.DisplayName },
		revision: func(u ecp.User) int64 { return u.Revision },
		list:     m.Accounts.Users, get: m.Accounts.User,
		refuses: []ecp.Code{ecp.CodeUnsupported, ecp.CodeExists, ecp.CodeConflict, ecp.CodeNotFound},
		form:    schemaOf[userBody], patch: schemaOf[userPatch],
		create: func(ctx context.Context, b body) (ecp.User, error) {
			form, err := decode[userBody](b)
			if err != nil {
				return ecp.User{}, err
			}
			return m.Accounts.CreateUser(ctx, tenancy.UserRequest{
				Name: form.Name, DisplayName: form.DisplayName, Password: form.Password, Grants: form.Grants,
			})
		},
		change: func(ctx context.Context, key string, b body) (ecp.User, error) {
			p, err := decodePatch[userPatch](b)
			if err != nil {
				return ecp.User{}, err
			}
			return m.Accounts.UpdateUser(ctx, key, tenancy.UserChange{
				DisplayName: p.DisplayName, Grants: p.Grants, Disabled: p.Disabled, Password: p.Password,
				IfRevision: ifRevision(ctx),
			})
		},
		remove: func(ctx context.Context, key string) error {
			return m.Accounts.DeleteUser(ctx, key, ifRevision(ctx))
		},
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

// tokenView is an API token. Only the answer that makes it has the secret.
type tokenView struct {
	tenancy.TokenInfo
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
		path: "/api/v1/tokens", at: "/{token}", one: "Token", many: "Tokens", word: "API token",
		words: "the API tokens within your reach",
		key:   func(t tokenView) string { return t.ID }, label: func(t tokenView) string { return t.Name },
		refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeNotFound},
		form:    schemaOf[tokenBody],
		list: func(ctx context.Context) ([]tokenView, error) {
			all, err := m.Accounts.Tokens(ctx)
			out := make([]tokenView, len(all))
			for i, t := range all {
				out[i].TokenInfo = t
			}
			return out, err
		},
		get: func(ctx context.Context, key string) (tokenView, error) {
			t, err := m.Accounts.Token(ctx, key)
			return tokenView{TokenInfo: t}, err
		},
		create: func(ctx context.Context, b body) (tokenView, error) {
			form, err := decode[tokenBody](b)
			if err != nil {
				return tokenView{}, err
			}
			grant := ecp.Grant{Role: form.Role, Org: form.Org, Project: form.Project}
			r := tenancy.TokenRequest{Name: form.Name, Grant: grant, ExpiresAt: form.ExpiresAt}
			t, err := m.Accounts.CreateToken(ctx, r)
			return tokenView{t.TokenInfo, t.Secret}, within("grant.", err)
		},
		remove: m.Accounts.DeleteToken,
	}
}

// pathTexts and pathExamples describe the parameters of paths.
var (
	pathTexts = map[string]string{
		"org": "the organisation's name", "project": "the project's name in it", "user": "the user's name",
		"token": "the token's id",
		"image": "the image's id", "size": "the size's name", "registry": "the registry's name",
		"license": "the license's name", "certificate": "the certificate's name",
		"profile": "the profile's name", "target": "the target's name",
		"id": "its id", "agent": "the agent's id", "file": "name of the part",
	}
	pathExamples = map[string]string{
		"orgs/org": "default", "projects/org": "default", "projects/project": "default", "users/user": "ann",
		"tokens/token": "tok-0123456789abcdef",
		"images/image": "emqx-ee-5.8.9", "sizes/size": "1C1G", "registries/registry": "harbor",
		"emqx-licenses/license":    "main",
		"certificates/certificate": "shops",
		"lb-profiles/profile":      "large", "kubernetes-targets/target": "default",
		"process/file":           "page.js",
		"unrecorded-clusters/id": exampleCluster, "clusters/id": exampleCluster,
		"clusters/token": "reg-0123456789abcdef",
		"clusters/agent": "agt-0123456789abcdef", "operations/id": exampleOperation,
	}
)
