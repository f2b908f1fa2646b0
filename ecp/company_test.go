package ecp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// company is a Manager with two organisations and people in them.
type company struct {
	t   *testing.T
	m   *Manager
	s   *mapStore
	now time.Time

	config Config // what m was made of
}

// companyGrants are those of the people, by name.
var companyGrants = map[string]Grant{
	"root": {Role: RoleSystem}, "a-boss": {Role: RoleOrgAdmin, Org: "a"}, "b-boss": {Role: RoleOrgAdmin, Org: "b"},
	"ap-lead": {Role: RoleProjectAdmin, Project: "a/p"}, "aq-lead": {Role: RoleProjectAdmin, Project: "a/q"}, "ap-user": {Role: RoleUser, Project: "a/p"},
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
	c := &company{t: t, s: newMapStore(), now: t0}
	c.config = Config{
		Store: c.s, Hasher: clearHasher{}, Now: func() time.Time { return c.now }, Limits: Limits{ProjectsPerOrg: 4, Projects: 6},
		Provisioners: map[string]Provisioner{"default": newWorld()}, Defaults: Defaults{Projects: []string{"a/p", "a/q", "b/p"}},
	}
	c.begin(func(*Config) {})
	for name, grant := range companyGrants {
		_, err := c.m.CreateUser(c.system(), UserRequest{Name: name, Password: companyPassword, Grants: []Grant{grant}})
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

func (c *company) system() context.Context { return WithActor(context.Background(), System) }

// as returns the context of a user who has logged in.
func (c *company) as(name string) context.Context {
	return WithActor(context.Background(), Actor{Name: name, Grants: []Grant{companyGrants[name]}, Credential: sessionCredential + "test"})
}

func (c *company) login(name string) Session {
	c.t.Helper()
	s, err := c.m.Login(context.Background(), name, companyPassword)
	require.NoError(c.t, err)
	return s
}

func TestOrgsOfAnEarlierBuild(t *testing.T) {
	s := newMapStore()
	require.NoError(t, s.Write(t.Context(), func(tx Tx) error {
		return errors.Join(Put(tx, DefaultPool(), 0), Put(tx, Project{Path: "old/p"}, 0), Put(tx, Project{Path: "old/q"}, 0))
	}))
	m, err := New(t.Context(), Config{Store: s})
	require.NoError(t, err)
	orgs, err := m.Orgs(WithActor(t.Context(), System))
	require.NoError(t, err)
	require.Len(t, orgs, 1)
	p, err := m.Project(WithActor(t.Context(), System), "old/p")
	require.NoError(t, err)
	require.EqualValues(t, 1, p.Revision)
}
