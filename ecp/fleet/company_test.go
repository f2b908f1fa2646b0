package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// company is a Manager with two organisations and people in them.
type company struct {
	t   *testing.T
	m   *Manager
	s   *mapstore.Store
	now time.Time

	config Config // what m was made of
}

// companyGrants are those of the people, by name.
var companyGrants = map[string]ecp.Grant{
	"root": {
		Role: ecp.RoleSystem,
	}, "a-boss": {Role: ecp.RoleOrgAdmin, Org: "a"}, "b-boss": {Role: ecp.RoleOrgAdmin, Org: "b"},
	"ap-lead": {
		Role:    ecp.RoleProjectAdmin,
		Project: "a/p",
	}, "aq-lead": {Role: ecp.RoleProjectAdmin, Project: "a/q"}, "ap-user": {Role: ecp.RoleUser, Project: "a/p"},
}

// companyPassword is everybody's.
const companyPassword = "a good password"

// clearHasher is a PasswordHasher whose hashes tell the password.
type clearHasher struct{}

func (clearHasher) Hash(_ context.Context, password string) (string, error) {
	return "clear:" + password, nil
}

func (clearHasher) Verify(_ context.Context, hash, password string) (ok, outdated bool, err error) {
	return strings.TrimPrefix(hash, "clear:") == password, false, nil
}

func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{t: t, s: mapstore.New(), now: t0}
	c.config = Config{
		Store: c.s, Hasher: clearHasher{}, Now: func() time.Time { return c.now }, Limits: Limits{
			ProjectsPerOrg: 4,
			Projects:       6,
		},
		Provisioners: map[string]ecp.Provisioner{
			"default": newWorld(),
		}, Defaults: Defaults{Projects: []string{"a/p", "a/q", "b/p"}},
	}
	c.begin(func(*Config) {})
	for name, grant := range companyGrants {
		_, err := c.m.Accounts.CreateUser(c.system(),
			tenancy.UserRequest{Name: name, Password: companyPassword, Grants: []ecp.Grant{grant}})
		require.NoError(t, err)
	}
	return c
}

// begin makes another Manager on the same store, with its configuration changed.
func (c *company) begin(change func(*Config)) {
	c.t.Helper()
	change(&c.config)
	m, err := New(c.t.Context(), c.config)
	require.NoError(c.t, err)
	m.setTick(func() time.Time { return c.now })
	c.m = m
}

func (c *company) system() context.Context { return ecp.WithActor(context.Background(), ecp.System) }

// as returns the context of a user who has logged in.
func (c *company) as(name string) context.Context {
	return ecp.WithActor(context.Background(),
		ecp.Actor{Name: name, Grants: []ecp.Grant{companyGrants[name]}, Credential: ecp.SessionCredential + "test"})
}

func (c *company) login(name string) tenancy.Session {
	c.t.Helper()
	s, err := c.m.Accounts.Login(context.Background(), name, companyPassword)
	require.NoError(c.t, err)
	return s
}

func TestOrgsOfAnEarlierBuild(t *testing.T) {
	s := mapstore.New()
	require.NoError(t, s.Write(t.Context(), func(tx ecp.Tx) error {
		return errors.Join(ecp.Put(tx, ecp.DefaultPool(), 0), ecp.Put(tx, ecp.Project{Path: "old/p"}, 0),
			ecp.Put(tx, ecp.Project{Path: "old/q"}, 0))
	}))
	m, err := New(t.Context(), Config{Store: s})
	require.NoError(t, err)
	orgs, err := m.Directory.Orgs(ecp.WithActor(t.Context(), ecp.System))
	require.NoError(t, err)
	require.Len(t, orgs, 1)
	p, err := m.Directory.Project(ecp.WithActor(t.Context(), ecp.System), "old/p")
	require.NoError(t, err)
	require.EqualValues(t, 1, p.Revision)
}

// asSystem is a context whose calls may do everything.
func asSystem() context.Context { return ecp.WithActor(context.Background(), ecp.System) }
