package tenancy

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/openecp/openecp/ecp/internal/random"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plainHasher is a PasswordHasher whose hashes tell the password: quick, and
// what is asked of it can be counted.
type plainHasher struct {
	version  string
	verified []string // hashes that were compared with
	err      error
}

func (h *plainHasher) Hash(_ context.Context, password string) (string, error) {
	return h.version + ":" + password, h.err
}

func (h *plainHasher) Verify(_ context.Context, hash, password string) (bool, bool, error) {
	h.verified = append(h.verified, hash)
	version, stored, _ := strings.Cut(hash, ":")
	return stored == password, version != h.version, h.err
}

// dayOne is when tests begin.
var dayOne = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// office is Directory and Accounts with two organisations and people in them.
type office struct {
	t         *testing.T
	changes   *change.Writer
	directory *Directory
	accounts  *Accounts
	s         *mapstore.Store
	hasher    *plainHasher
	now       time.Time
}

// grants of people in the office, by name.
var officeGrants = map[string]ecp.Grant{
	"root": {
		Role: ecp.RoleSystem,
	}, "a-boss": {Role: ecp.RoleOrgAdmin, Org: "a"}, "b-boss": {Role: ecp.RoleOrgAdmin, Org: "b"},
	"ap-lead": {
		Role:    ecp.RoleProjectAdmin,
		Project: "a/p",
	}, "aq-lead": {Role: ecp.RoleProjectAdmin, Project: "a/q"}, "ap-user": {Role: ecp.RoleUser, Project: "a/p"},
}

const goodPassword = "a good password"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, s: mapstore.New(), hasher: &plainHasher{version: "1"}, now: dayOne}
	o.changes = change.New(o.s, slog.New(slog.DiscardHandler), func() time.Time { return o.now })
	o.directory = NewDirectory(DirectoryConfig{Changes: o.changes, ProjectsPerOrg: 4, Projects: 6})
	o.accounts = NewAccounts(AccountsConfig{Changes: o.changes, Hasher: o.hasher})
	for _, org := range []string{"a", "b"} {
		require.NoError(t, o.s.Write(t.Context(),
			func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Org{Name: org, CreatedAt: dayOne, Revision: 1}, 0) }))
	}
	for _, path := range []string{"a/p", "a/q", "b/p"} {
		require.NoError(t, o.s.Write(t.Context(),
			func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Project{Path: path, CreatedAt: dayOne, Revision: 1}, 0) }))
	}
	for _, name := range slices.Sorted(maps.Keys(officeGrants)) {
		_, err := o.accounts.CreateUser(o.system(),
			UserRequest{Name: name, Password: goodPassword, Grants: []ecp.Grant{officeGrants[name]}})
		require.NoError(t, err)
	}
	return o
}

func (o *office) system() context.Context { return ecp.WithActor(context.Background(), ecp.System) }

// as gives the context of a user who has logged in.
func (o *office) as(name string) context.Context {
	a := ecp.Actor{Name: name, Grants: []ecp.Grant{officeGrants[name]}}
	a.Credential = ecp.SessionCredential + "test"
	return ecp.WithActor(context.Background(), a)
}

func (o *office) login(name string) Session {
	o.t.Helper()
	s, err := o.accounts.Login(context.Background(), name, goodPassword)
	require.NoError(o.t, err)
	return s
}

func TestOrgsAndProjects(t *testing.T) {
	o := newOffice(t)
	org, err := o.directory.CreateOrg(o.as("root"), "c", "third")
	require.NoError(t, err)
	require.Equal(t, ecp.Org{Name: "c", Description: "third", CreatedAt: dayOne, Revision: 1}, org)
	_, err = o.directory.CreateOrg(o.as("root"), "c", "")
	require.ErrorIs(t, err, ecp.ErrExists)
	_, err = o.directory.CreateOrg(o.as("root"), "C d", strings.Repeat("x", 501))
	var e *ecp.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, ecp.CodeInvalid, e.Code)
	require.Len(t, e.Fields, 2)

	p, err := o.directory.CreateProject(o.as("root"), "c/x", "")
	require.NoError(t, err)
	require.Equal(t, "c", p.Org())
	_, err = o.directory.CreateProject(o.as("root"), "none/x", "")
	require.EqualError(t, err, `create project: there is no organisation "none"`)

	changed, err := o.directory.UpdateOrg(o.as("root"), "c", "changed", 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, changed.Revision)
	_, err = o.directory.UpdateOrg(o.as("root"), "c", "once more", 1)
	require.ErrorIs(t, err, ecp.ErrPrecondition)
	again, err := o.directory.UpdateProject(o.as("root"), "c/x", "changed", 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, again.Revision)
	require.ErrorIs(t, o.directory.DeleteProject(o.as("root"), "c/x", 1), ecp.ErrPrecondition)

	require.EqualError(t, o.directory.DeleteOrg(o.as("root"), "c", 0),
		"delete organisation c: it is in use by project c/x; change or remove what uses it first")
	require.NoError(t, o.directory.DeleteProject(o.as("root"), "c/x", 2))
	require.NoError(t, o.directory.DeleteOrg(o.as("root"), "c", 2))
	_, err = o.directory.Org(o.as("root"), "c")
	require.ErrorIs(t, err, ecp.ErrNotFound)
}

func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	o := newOffice(t)
	err := o.directory.DeleteProject(o.system(), "a/p", 0)
	require.EqualError(t, err,
		"delete project a/p: it is in use by 2 users (ap-lead, ap-user); change or remove what uses it first")
	for i := range 7 {
		name := fmt.Sprint("n", i)
		require.NoError(t, o.s.Write(t.Context(), func(tx ecp.Tx) error {
			return ecp.Put(tx, ecp.ClusterRecord{ID: ecp.ID(name), Mode: ecp.Adopted, Project: "a/p", Name: name}, 0)
		}))
	}
	_, err = o.accounts.CreateToken(o.system(),
		TokenRequest{Name: "ci", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "a/p"}})
	require.NoError(t, err)
	err = o.directory.DeleteProject(o.system(), "a/p", 0)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "2 users (ap-lead, ap-user), token ci, 7 clusters (")
	require.ErrorContains(t, err, ", …)")
	err = o.directory.DeleteOrg(o.system(), "a", 0)
	require.ErrorContains(t, err, "4 users (a-boss, ap-lead, ap-user, aq-lead), token ci, 2 projects (a/p, a/q)")
}

func TestProjectLimits(t *testing.T) {
	o := newOffice(t)
	make := func(path string) error { _, err := o.directory.CreateProject(o.system(), path, ""); return err }
	require.NoError(t, make("a/3"))
	require.NoError(t, make("a/4"))
	err := make("a/5")
	require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
	require.ErrorContains(t, err, "the organisation a has 4 projects")
	require.ErrorIs(t, make("a/4"), ecp.ErrExists, "what is there is said first")
	require.NoError(t, make("b/2"))
	err = make("b/3")
	require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
	require.ErrorContains(t, err, "there are 6 projects")
	require.NoError(t, o.directory.DeleteProject(o.system(), "a/3", 0))
	require.NoError(t, make("b/3"))
}

// officeCall is one call on things of organisation a, and who may make it:
// what everybody of officeGrants gets.
type officeCall struct {
	name string
	do   func(*office, context.Context) error
	want map[string]ecp.Code // who is not in it gets not_found
}

var officeCalls = []officeCall{
	{"read org", func(o *office, ctx context.Context) error { _, err := o.directory.Org(ctx, "a"); return err },
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": "", "aq-lead": "", "ap-user": ""}},
	{"update org", func(o *office, ctx context.Context) error {
		_, err := o.directory.UpdateOrg(ctx, "a", "x", 0)
		return err
	},
		map[string]ecp.Code{
			"root":    "",
			"a-boss":  "",
			"ap-lead": ecp.CodeDenied,
			"aq-lead": ecp.CodeDenied,
			"ap-user": ecp.CodeDenied,
		}},
	{"create org", func(o *office, ctx context.Context) error {
		_, err := o.directory.CreateOrg(ctx, "fresh", "")
		return err
	},
		map[string]ecp.Code{
			"root":    "",
			"a-boss":  ecp.CodeDenied,
			"b-boss":  ecp.CodeDenied,
			"ap-lead": ecp.CodeDenied,
			"aq-lead": ecp.CodeDenied,
			"ap-user": ecp.CodeDenied,
		}},
	{"delete org", func(o *office, ctx context.Context) error { return o.directory.DeleteOrg(ctx, "a", 0) },
		map[string]ecp.Code{
			"root":    ecp.CodeConflict,
			"a-boss":  ecp.CodeDenied,
			"ap-lead": ecp.CodeDenied,
			"aq-lead": ecp.CodeDenied,
			"ap-user": ecp.CodeDenied,
		}},
	{
		"read project",
		func(o *office, ctx context.Context) error { _, err := o.directory.Project(ctx, "a/p"); return err },
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": "", "ap-user": ""},
	},
	{"create project", func(o *office, ctx context.Context) error {
		_, err := o.directory.CreateProject(ctx, "a/new", "")
		return err
	},
		map[string]ecp.Code{
			"root":    "",
			"a-boss":  "",
			"ap-lead": ecp.CodeDenied,
			"aq-lead": ecp.CodeDenied,
			"ap-user": ecp.CodeDenied,
		}},
	{"update project", func(o *office, ctx context.Context) error {
		_, err := o.directory.UpdateProject(ctx, "a/p", "x", 0)
		return err
	},
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": ecp.CodeDenied, "ap-user": ecp.CodeDenied}},
	{"delete project", func(o *office, ctx context.Context) error { return o.directory.DeleteProject(ctx, "a/p", 0) },
		map[string]ecp.Code{
			"root":    ecp.CodeConflict,
			"a-boss":  ecp.CodeConflict,
			"ap-lead": ecp.CodeDenied,
			"ap-user": ecp.CodeDenied,
		}},
	{"read user", func(o *office, ctx context.Context) error { _, err := o.accounts.User(ctx, "ap-user"); return err },
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": "", "ap-user": ""}},
	{"create user", func(o *office, ctx context.Context) error {
		_, err := o.accounts.CreateUser(ctx,
			UserRequest{Name: "fresh", Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "a/p"}}})
		return err
	}, map[string]ecp.Code{
		"root":    "",
		"a-boss":  "",
		"ap-lead": "",
		"ap-user": ecp.CodeDenied,
		"aq-lead": ecp.CodeDenied,
		"b-boss":  ecp.CodeDenied,
	}},
	{"update user", func(o *office, ctx context.Context) error {
		yes := true
		_, err := o.accounts.UpdateUser(ctx, "ap-user", UserChange{Disabled: &yes})
		return err
	}, map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": "", "ap-user": ecp.CodeDenied}},
	{"delete user", func(o *office, ctx context.Context) error { return o.accounts.DeleteUser(ctx, "ap-user", 0) },
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": "", "ap-user": ecp.CodeDenied}},
	{"create token", func(o *office, ctx context.Context) error {
		_, err := o.accounts.CreateToken(ctx,
			TokenRequest{Name: "t", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "a/p"}})
		return err
	}, map[string]ecp.Code{
		"root":    "",
		"a-boss":  "",
		"ap-lead": "",
		"ap-user": ecp.CodeDenied,
		"aq-lead": ecp.CodeDenied,
		"b-boss":  ecp.CodeDenied,
	}},
	{"read token", func(o *office, ctx context.Context) error {
		_, err := o.accounts.Token(ctx, o.token("a/p"))
		return err
	},
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": ""}},
	{"delete token", func(o *office, ctx context.Context) error { return o.accounts.DeleteToken(ctx, o.token("a/p")) },
		map[string]ecp.Code{"root": "", "a-boss": "", "ap-lead": ""}},
}

// token gives the id of a token for a user of a project.
func (o *office) token(project string) string {
	o.t.Helper()
	n, err := o.accounts.CreateToken(o.system(),
		TokenRequest{Name: "t", Grant: ecp.Grant{Role: ecp.RoleUser, Project: project}})
	require.NoError(o.t, err)
	return n.ID
}

func TestWhoMayAdministerWhat(t *testing.T) {
	for _, c := range officeCalls {
		for name := range officeGrants {
			o := newOffice(t)
			want, listed := c.want[name]
			if !listed {
				want = ecp.CodeNotFound
			}
			require.Equal(t, want, ecp.CodeOf(c.do(o, o.as(name))), "%s by %s", c.name, name)
			require.ErrorIs(t, c.do(o, context.Background()), ecp.ErrDenied, "%s by nobody", c.name)
		}
	}
}

func TestListsShowWhatIsWithinReach(t *testing.T) {
	for name, want := range map[string]struct{ orgs, projects, users int }{
		"root": {2, 3, 6}, "a-boss": {1, 2, 4}, "b-boss": {1, 1, 1}, "ap-lead": {1, 1, 2}, "ap-user": {1, 1, 1},
	} {
		o := newOffice(t)
		orgs, err := o.directory.Orgs(o.as(name))
		require.NoError(t, err)
		projects, err := o.directory.Projects(o.as(name), "")
		require.NoError(t, err)
		users, err := o.accounts.Users(o.as(name))
		require.NoError(t, err)
		require.Equal(t, want, struct{ orgs, projects, users int }{len(orgs), len(projects), len(users)}, name)
		of, err := o.directory.Projects(o.as(name), "b")
		require.NoError(t, err)
		require.Len(t, of, map[string]int{"root": 1, "b-boss": 1}[name], name)
	}
}

// A user of two organisations looks to each as if there were no other.
func TestUserOfTwoOrgs(t *testing.T) {
	o := newOffice(t)
	both := []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}, {Role: ecp.RoleUser, Project: "b/p"}}
	_, err := o.accounts.CreateUser(o.as("a-boss"), UserRequest{Name: "two", Grants: both})
	require.ErrorIs(t, err, ecp.ErrDenied, "nobody gives what they do not hold")
	_, err = o.accounts.CreateUser(o.as("root"), UserRequest{Name: "two", Password: goodPassword, Grants: both})
	require.NoError(t, err)
	u, err := o.accounts.User(o.as("a-boss"), "two")
	require.NoError(t, err)
	require.Equal(t, both[:1], u.Grants)

	yes, word := true, "another password"
	for _, c := range []UserChange{{Disabled: &yes}, {Password: &word}} {
		_, err = o.accounts.UpdateUser(o.as("a-boss"), "two", c)
		require.ErrorIs(t, err, ecp.ErrDenied)
	}
	require.ErrorIs(t, o.accounts.DeleteUser(o.as("a-boss"), "two", 0), ecp.ErrDenied)
	more := []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "a/q"}}
	u, err = o.accounts.UpdateUser(o.as("a-boss"), "two", UserChange{Grants: &more})
	require.NoError(t, err)
	require.Equal(t, more, u.Grants)
	u, err = o.accounts.User(o.as("root"), "two")
	require.NoError(t, err)
	require.Equal(t, []ecp.Grant{both[1], more[0]}, u.Grants, "what the other organisation gave stays")
	for _, g := range []ecp.Grant{{
		Role: ecp.RoleSystem,
	}, {Role: ecp.RoleOrgAdmin, Org: "b"}, {Role: ecp.RoleUser, Project: "b/p"}} {
		up := []ecp.Grant{g}
		_, err = o.accounts.UpdateUser(o.as("a-boss"), "ap-user", UserChange{Grants: &up})
		require.ErrorIs(t, err, ecp.ErrDenied, "%v", g)
		_, err = o.accounts.CreateToken(o.as("a-boss"), TokenRequest{Name: "up", Grant: g})
		require.ErrorIs(t, err, ecp.ErrDenied, "%v", g)
	}
}

// Nobody can give a right that they do not hold, whatever grants they have.
func TestNoEscalation(t *testing.T) {
	places := []string{"a", "b", "a/p", "a/q", "b/p"}
	grant := rapid.Custom(func(t *rapid.T) ecp.Grant {
		g := ecp.Grant{Role: rapid.SampledFrom(append(ecp.Roles(), "", "root")).Draw(t, "role")}
		g.Org = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "org")
		g.Project = rapid.SampledFrom([]string{"", "a/p", "a/q", "b/p", "a"}).Draw(t, "project")
		return g
	})
	rapid.Check(t, func(t *rapid.T) {
		a := ecp.Actor{Name: "x", Grants: rapid.SliceOfN(grant, 0, 3).Draw(t, "grants")}
		g := grant.Draw(t, "given")
		var wrong fault.Fields
		if validate.Grant(&wrong, "g", g); len(wrong) > 0 || !a.Holds(g) {
			return
		}
		given := ecp.Actor{Name: "y", Grants: []ecp.Grant{g}}
		for _, row := range ecp.RoleTable() {
			right := row.Right
			for _, where := range places {
				if given.May(right, where) && !a.May(right, where) {
					t.Fatalf("%v gives %v, which may %s %s", a.Grants, g, right, where)
				}
			}
			if g.Role == ecp.RoleSystem && !a.May(ecp.RightAdmin, "") {
				t.Fatalf("%v gives everything", a.Grants)
			}
		}
	})
}

func TestTheLastSystemAdminStays(t *testing.T) {
	o := newOffice(t)
	yes, less := true, []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}}
	last := func() {
		t.Helper()
		for _, c := range []UserChange{{Disabled: &yes}, {Grants: &less}} {
			_, err := o.accounts.UpdateUser(o.system(), "root", c)
			require.ErrorIs(t, err, ecp.ErrConflict)
			require.ErrorContains(t, err, "last user with the role system")
		}
		require.ErrorIs(t, o.accounts.DeleteUser(o.system(), "root", 0), ecp.ErrConflict)
	}
	last()
	_, err := o.accounts.CreateUser(o.system(), UserRequest{Name: "idle", Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.NoError(t, err)
	last()
	require.NoError(t, o.accounts.DeleteUser(o.system(), "idle", 0), "who cannot log in keeps nobody from anything")
	_, err = o.accounts.CreateUser(o.system(),
		UserRequest{Name: "second", Password: "a password of some length", Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.NoError(t, err)
	_, err = o.accounts.UpdateUser(o.system(), "second", UserChange{Disabled: &yes})
	require.NoError(t, err)
	last()
	no := false
	_, err = o.accounts.UpdateUser(o.system(), "second", UserChange{Disabled: &no})
	require.NoError(t, err)
	require.NoError(t, o.accounts.DeleteUser(o.system(), "root", 0))
}

func TestRefusedUsers(t *testing.T) {
	o := newOffice(t)
	ok := func() UserRequest {
		return UserRequest{
			Name:     "fresh",
			Password: goodPassword,
			Grants:   []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}},
		}
	}
	for field, spoil := range map[string]func(*UserRequest){
		"name":               func(r *UserRequest) { r.Name = "Upper Case" },
		"name ":              func(r *UserRequest) { r.Name = "system" },
		"displayName":        func(r *UserRequest) { r.DisplayName = "<b>" },
		"password":           func(r *UserRequest) { r.Password = "too short" },
		"password ":          func(r *UserRequest) { r.Password = strings.Repeat("long", 100) },
		"grants":             func(r *UserRequest) { r.Grants = nil },
		"grants[0].role":     func(r *UserRequest) { r.Grants[0].Role = "root" },
		"grants[0].project":  func(r *UserRequest) { r.Grants[0].Project = "" },
		"grants[0].project ": func(r *UserRequest) { r.Grants[0].Project = "a/none" },
		"grants[0].org":      func(r *UserRequest) { r.Grants[0].Org = "a" },
		"grants[0].org ":     func(r *UserRequest) { r.Grants[0] = ecp.Grant{Role: ecp.RoleOrgAdmin, Org: "none"} },
		"grants[1]":          func(r *UserRequest) { r.Grants = append(r.Grants, r.Grants[0]) },
	} {
		r := ok()
		spoil(&r)
		before := len(o.s.Records[ecp.KindUser])
		_, err := o.accounts.CreateUser(o.system(), r)
		var e *ecp.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, ecp.CodeInvalid, e.Code, field)
		require.Equal(t, strings.TrimSpace(field), e.Fields[0].Field)
		require.NotContains(t, err.Error(), r.Password+" ")
		require.Len(t, o.s.Records[ecp.KindUser], before)
	}
	_, err := o.accounts.CreateUser(o.system(), ok())
	require.NoError(t, err)
	_, err = o.accounts.CreateUser(o.system(), ok())
	require.ErrorIs(t, err, ecp.ErrExists)
}

// Nothing that is stored, listed or audited holds a secret.
func TestSecretsAreStoredAsHashesOnly(t *testing.T) {
	o := newOffice(t)
	o.accounts.hasher = opaqueHasher{}
	_, err := o.accounts.CreateUser(o.system(),
		UserRequest{Name: "fresh", Password: "the-password", Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.NoError(t, err)
	ctx := ecp.WithIdempotencyKey(o.system(), "k")
	n, err := o.accounts.CreateToken(ctx, TokenRequest{Name: "t", Grant: ecp.Grant{Role: ecp.RoleSystem}})
	require.NoError(t, err)
	s, err := o.accounts.Login(context.Background(), "fresh", "the-password")
	require.NoError(t, err)
	again, err := o.accounts.CreateToken(ctx, TokenRequest{Name: "t", Grant: ecp.Grant{Role: ecp.RoleSystem}})
	require.NoError(t, err)
	require.Equal(t, NewToken{TokenInfo: n.TokenInfo}, again, "the same token, and the secret is not told again")
	for kind, table := range o.s.Records {
		for key, r := range table {
			b, err := json.Marshal(r)
			require.NoError(t, err)
			for _, secret := range []string{"the-password", n.Secret, s.Secret} {
				require.NotContains(t, string(b), secret, "%s %s", kind, key)
			}
			if kind == ecp.KindAudit {
				require.NotContains(t, string(b), random.Hash(n.Secret))
			}
		}
	}
}

type opaqueHasher struct{}

func (opaqueHasher) Hash(_ context.Context, p string) (string, error) { return random.Hash(p), nil }
func (opaqueHasher) Verify(_ context.Context, h, p string) (bool, bool, error) {
	return h == random.Hash(p), false, nil
}

func TestTokenLife(t *testing.T) {
	o := newOffice(t)
	n, err := o.accounts.CreateToken(o.as("a-boss"), TokenRequest{
		Name:      "ci",
		Grant:     ecp.Grant{Role: ecp.RoleUser, Project: "a/p"},
		ExpiresAt: dayOne.Add(time.Hour),
	})
	require.NoError(t, err)
	require.Equal(t, "a-boss", n.CreatedBy)
	lastUsed := func() time.Time {
		i, err := o.accounts.Token(o.as("ap-lead"), n.ID)
		require.NoError(t, err)
		return i.LastUsed
	}
	require.Zero(t, lastUsed())
	use := func() error { _, err := o.accounts.Authenticate(context.Background(), n.Secret); return err }
	writes := o.s.Writes
	for range 100 {
		require.NoError(t, use())
	}
	require.Equal(t, writes+1, o.s.Writes, "written at most once a minute")
	require.Equal(t, dayOne.Truncate(time.Minute), lastUsed())
	o.now = dayOne.Truncate(time.Minute).Add(time.Minute + time.Second)
	require.NoError(t, use())
	require.Equal(t, writes+2, o.s.Writes)
	require.Equal(t, dayOne.Truncate(time.Minute).Add(time.Minute), lastUsed(),
		"the minute it was, though less than one has passed")
	a, err := o.accounts.Authenticate(context.Background(), n.Secret)
	require.NoError(t, err)
	require.Equal(t, ecp.Actor{
		Name:       "token:ci",
		Grants:     []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}},
		Credential: "token/" + n.ID,
	}, a)
	o.now = dayOne.Add(time.Hour)
	require.ErrorIs(t, use(), ecp.ErrDenied, "it has expired")

	n, err = o.accounts.CreateToken(o.as("a-boss"),
		TokenRequest{Name: "ci", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "a/p"}})
	require.NoError(t, err)
	require.NoError(t, use())
	require.NoError(t, o.accounts.DeleteToken(o.as("ap-lead"), n.ID))
	require.ErrorIs(t, use(), ecp.ErrDenied)
	_, err = o.accounts.CreateToken(o.as("a-boss"),
		TokenRequest{Name: "ci", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "a/p"}, ExpiresAt: dayOne})
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

func TestTheLastWayInStays(t *testing.T) {
	s := mapstore.New()
	m := NewAccounts(AccountsConfig{
		Changes: change.New(s, slog.New(slog.DiscardHandler), time.Now),
		Hasher:  &plainHasher{},
	})
	_, err := m.Bootstrap(t.Context(), "sixteen letters!")
	require.NoError(t, err)
	ctx := ecp.WithActor(t.Context(), ecp.System)
	require.ErrorIs(t, m.DeleteToken(ctx, "bootstrap"), ecp.ErrConflict)
	_, err = m.CreateToken(ctx,
		TokenRequest{Name: "short", Grant: ecp.Grant{Role: ecp.RoleSystem}, ExpiresAt: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.ErrorIs(t, m.DeleteToken(ctx, "bootstrap"), ecp.ErrConflict, "one that expires is no way in tomorrow")
	_, err = m.CreateUser(ctx,
		UserRequest{Name: "root", Password: goodPassword, Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.NoError(t, err)
	require.NoError(t, m.DeleteToken(ctx, "bootstrap"))
}
