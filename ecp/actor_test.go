package ecp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Actors of every role, some of another organisation or project.
var actors = map[string]Actor{
	"system":        System,
	"org admin":     {Name: "o", Grants: []Grant{{Role: RoleOrgAdmin, Org: "default"}}},
	"project admin": {Name: "p", Grants: []Grant{{Role: RoleProjectAdmin, Project: "default/default"}}},
	"user":          {Name: "u", Grants: []Grant{{Role: RoleUser, Project: "default/default"}}},

	"other org's admin":     {Name: "oo", Grants: []Grant{{Role: RoleOrgAdmin, Org: "defaul"}}},
	"other project's admin": {Name: "op", Grants: []Grant{{Role: RoleProjectAdmin, Project: "default/other"}}},
	"other project's user":  {Name: "ou", Grants: []Grant{{Role: RoleUser, Project: "default/other"}}},
	"admin of no org":       {Name: "no", Grants: []Grant{{Role: RoleOrgAdmin}}},
	"admin of no project":   {Name: "np", Grants: []Grant{{Role: RoleProjectAdmin}}},
	"user given an org":     {Name: "uo", Grants: []Grant{{Role: RoleUser, Org: "default"}}},
	"project admin, no /":   {Name: "pn", Grants: []Grant{{Role: RoleProjectAdmin, Project: "default"}}},
	"project with two /":    {Name: "pt", Grants: []Grant{{Role: RoleProjectAdmin, Project: "default/default/x"}}},
	"org of a project":      {Name: "op", Grants: []Grant{{Role: RoleOrgAdmin, Org: "default/default"}}},
	"two reaches":           {Name: "tr", Grants: []Grant{{Role: RoleOrgAdmin, Org: "default", Project: "default/default"}}},
	"system of an org":      {Name: "so", Grants: []Grant{{Role: RoleSystem, Org: "default"}}},
	"no role":               {Name: "n", Grants: []Grant{{Project: "default/default", Org: "default"}}},
	"unknown role":          {Name: "x", Grants: []Grant{{Role: "root", Project: "default/default"}}},
}

// onProject says what each may do with a cluster of default/default.
var onProject = map[string]struct{ read, write Code }{
	"system": {}, "org admin": {}, "project admin": {},
	"user":                  {write: CodeDenied},
	"other org's admin":     {CodeNotFound, CodeNotFound},
	"other project's admin": {CodeNotFound, CodeNotFound},
	"other project's user":  {CodeNotFound, CodeNotFound},
	"admin of no org":       {CodeNotFound, CodeNotFound},
	"admin of no project":   {CodeNotFound, CodeNotFound},
	"user given an org":     {CodeNotFound, CodeNotFound},
	"project admin, no /":   {CodeNotFound, CodeNotFound},
	"project with two /":    {CodeNotFound, CodeNotFound},
	"org of a project":      {CodeNotFound, CodeNotFound},
	"two reaches":           {CodeNotFound, CodeNotFound},
	"system of an org":      {CodeNotFound, CodeNotFound},
	"no role":               {CodeNotFound, CodeNotFound},
	"unknown role":          {CodeNotFound, CodeNotFound},
}

// wellFormedGrant reports whether one of actors has one, whatever it reaches.
func wellFormedGrant(name string) bool {
	return onProject[name].read == "" || strings.HasPrefix(name, "other ")
}

func TestRolesOnAProject(t *testing.T) {
	require.Len(t, onProject, len(actors))
	for name, a := range actors {
		ctx := WithActor(context.Background(), a)
		for right, want := range map[Right]Code{RightRead: onProject[name].read, RightWrite: onProject[name].write} {
			got, err := authorize(ctx, "test", right, "default/default")
			require.Equal(t, want, CodeOf(err), "%s may %s", name, right)
			if err == nil {
				require.Equal(t, a, got)
			}
		}
	}
}

// A grant whose form is not that of its role gives nothing, wherever it is asked,
// and nobody can give it.
func TestMalformedGrantsGiveNothing(t *testing.T) {
	for _, g := range []Grant{
		{}, {Role: "root"}, {Role: RoleSystem, Org: "a"}, {Role: RoleSystem, Project: "a/p"},
		{Role: RoleOrgAdmin}, {Role: RoleOrgAdmin, Org: "a/p"}, {Role: RoleOrgAdmin, Project: "a/p"}, {Role: RoleOrgAdmin, Org: "a", Project: "a/p"},
		{Role: RoleProjectAdmin}, {Role: RoleProjectAdmin, Project: "a"}, {Role: RoleProjectAdmin, Project: "a/"}, {Role: RoleProjectAdmin, Project: "/p"},
		{Role: RoleProjectAdmin, Project: "a/p/q"}, {Role: RoleProjectAdmin, Org: "a"}, {Role: RoleUser, Org: "a", Project: "a/p"}, {Role: RoleUser, Project: "a"},
	} {
		var wrong problems
		validateGrant(&wrong, "grant", g)
		require.NotEmpty(t, wrong, "%v is refused", g)
		a := Actor{Name: "x", Grants: []Grant{g}}
		require.False(t, a.sees("a"), "%v sees an organisation", g)
		for right := range rights[RoleSystem] {
			for _, where := range []string{"", "a", "a/p", "a/p/q", "/p", "a/"} {
				require.False(t, a.May(right, where), "%v may %s %q", g, right, where)
			}
		}
		for _, given := range []Grant{{Role: RoleSystem}, {Role: RoleOrgAdmin, Org: "a"}, {Role: RoleUser, Project: "a/p"}, g} {
			require.False(t, a.holds(given), "%v gives %v", g, given)
		}
		require.False(t, Actor{Name: "b", Grants: []Grant{{Role: RoleOrgAdmin, Org: "a"}}}.holds(g), "an administrator gives %v", g)
	}
}

// A refusal says who can help, and which name was not to be found.
func TestRefusalsSayWhatNext(t *testing.T) {
	o := newCompany(t)
	_, err := o.m.CreateOrg(o.as("ap-lead"), "new", "")
	require.EqualError(t, err, "create organisation: the role project-admin may not do this; ask somebody with the role system")
	_, err = o.m.CreateProject(o.as("ap-lead"), "a/new", "")
	require.EqualError(t, err, "create project: the role project-admin may not do this; ask somebody with the role org-admin")
	request := CreateRequest{Mode: Adopted, Project: "a/p", Name: "x"}
	_, _, err = o.m.Create(o.as("ap-user"), request)
	require.EqualError(t, err, "create cluster: the role user may not do this; ask somebody with the role project-admin")
	info, _, err := o.m.Create(o.as("ap-lead"), request)
	require.NoError(t, err)

	for _, foreign := range []string{"b/p", "b/none"} { // one that is there, and one that is not
		said := fmt.Sprintf("there is no project %q", foreign)
		request.Project = foreign
		_, _, err = o.m.Create(o.as("ap-lead"), request)
		require.ErrorContains(t, err, said)
		_, planned := o.m.PlanCreate(o.as("ap-lead"), request)
		require.ErrorContains(t, planned, said)
		_, moved := o.m.Cluster(info.ID).Do(o.as("ap-lead"), Transfer{Project: foreign})
		require.ErrorContains(t, moved, said)
		for _, err := range []error{err, planned, moved} {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, CodeNotFound, e.Code)
			require.Equal(t, []FieldError{{"project", "is not there, or not yours to see"}}, e.Fields)
		}
	}
}

func TestRolesOnNoProject(t *testing.T) {
	for name, a := range actors {
		good := wellFormedGrant(name)
		ctx := WithActor(context.Background(), a)
		for right, want := range map[Right]bool{
			RightRead: good, RightCatalog: good, RightAdmin: name == "system",
		} {
			_, err := authorize(ctx, "test", right, "")
			require.Equal(t, want, err == nil, "%s may %s", name, right)
			if err != nil {
				require.ErrorIs(t, err, ErrDenied)
			}
		}
	}
}

// everyCall is every call of the Manager that needs an actor, on a cluster.
func everyCall(m *Manager, id ID, op OperationID) map[string]func(context.Context) error {
	c := m.Cluster(id)
	return map[string]func(context.Context) error{
		"get":        func(ctx context.Context) error { _, err := c.Get(ctx); return err },
		"operation":  func(ctx context.Context) error { _, err := m.Operation(ctx, op); return err },
		"operations": func(ctx context.Context) error { _, err := m.Operations(ctx, id, OperationOptions{}); return err },
		"wait":       func(ctx context.Context) error { _, err := m.WaitOperation(ctx, op, 0); return err },
		"watch": func(ctx context.Context) error {
			for _, err := range c.Watch(ctx) {
				if errors.Is(err, errors.ErrUnsupported) { // this store has no feed
					return nil
				}
				return err
			}
			return nil
		},
		"w plan":     func(ctx context.Context) error { _, err := c.Plan(ctx, Stop{}); return err },
		"w stop":     func(ctx context.Context) error { _, err := c.Do(ctx, Stop{}); return err },
		"w transfer": func(ctx context.Context) error { _, err := c.Do(ctx, Transfer{Project: "default/default"}); return err },
		"w create": func(ctx context.Context) error {
			_, _, err := m.Create(ctx, CreateRequest{Mode: Hosted, Name: "fresh", Spec: Spec{Hosted: &HostedSpec{Nodes: 1, Connections: 1}}})
			return err
		},
		"c images": func(ctx context.Context) error { _, err := m.Images(ctx); return err },
		"c sizes":  func(ctx context.Context) error { _, err := m.Sizes(ctx); return err },
		"c pool":   func(ctx context.Context) error { _, err := m.Pool(ctx); return err },
		"c list":   func(ctx context.Context) error { _, err := m.Clusters(ctx, ListOptions{}); return err },
	}
}

// aManager has one hosted cluster, "one", that nothing was done for yet.
func aManager(t *testing.T) (*Manager, *mapStore, Info, Operation) {
	t.Helper()
	s := newMapStore()
	m, err := New(context.Background(), Config{
		Store: s, Provisioners: map[string]Provisioner{"default": newWorld()}, Now: func() time.Time { return t0 },
		Defaults: Defaults{Projects: []string{"default/default", "default/other"}},
	})
	require.NoError(t, err)
	info, op, err := m.Create(WithActor(context.Background(), System), CreateRequest{Mode: Hosted, Name: "one", Spec: Spec{Hosted: &HostedSpec{Nodes: 1, Connections: 7}}})
	require.NoError(t, err)
	return m, s, info, op
}

func TestEveryCallByEveryRole(t *testing.T) {
	for name, a := range actors {
		m, s, info, op := aManager(t)
		for call, do := range everyCall(m, info.ID, op.ID) {
			before := s.writes
			require.ErrorIs(t, do(context.Background()), ErrDenied, "%s without an actor", call)
			require.Equal(t, before, s.writes, "nothing is stored")

			want := onProject[name].read
			switch call[:2] {
			case "w ":
				want = onProject[name].write
			case "c ":
				want = ""
			}
			if !wellFormedGrant(name) {
				if want == "" || call == "get" || call[:2] != "w " {
					want = CodeDenied
				}
			}
			err := do(WithActor(context.Background(), a))
			require.Equal(t, want, CodeOf(err), "%s by %s: %v", call, name, err)
			if err != nil {
				require.Equal(t, before, s.writes, "nothing is stored")
			}
		}
	}
}

func TestWhatMayNotBeReadLooksLikeNothing(t *testing.T) {
	m, _, info, _ := aManager(t)
	ctx := WithActor(context.Background(), actors["other project's admin"])
	for _, id := range []ID{info.ID, "emqx-00000000"} {
		_, err := m.Cluster(id).Get(ctx)
		require.EqualError(t, err, `read cluster `+string(id)+`: there is no cluster "`+string(id)+`"`)
		_, err = m.Cluster(id).Do(ctx, Stop{})
		require.EqualError(t, err, `stop cluster `+string(id)+`: there is no cluster "`+string(id)+`"`)
	}
	page, err := m.Clusters(ctx, ListOptions{})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

func TestTransferNeedsBothSides(t *testing.T) {
	for name, want := range map[string]Code{
		"system": "", "org admin": "", "project admin": CodeNotFound, "other project's admin": CodeNotFound, "user": CodeDenied,
	} {
		m, s, info, op := aManager(t)
		_, err := m.Cluster(info.ID).Do(WithActor(context.Background(), actors[name]), Transfer{Project: "default/other"})
		require.Equal(t, want, CodeOf(err), "%s: %v", name, err)
		project := map[bool]string{true: "default/other", false: "default/default"}[err == nil]
		require.Equal(t, project, s.records[KindCluster][string(info.ID)].Index.Project)
		require.Equal(t, project, s.records[KindOperation][string(op.ID)].Index.Project, "who may see a cluster may see its operations")
	}
}

func TestTransferToNowhere(t *testing.T) {
	m, s, info, _ := aManager(t)
	ctx := WithActor(context.Background(), System)
	for project, field := range map[string]string{"default/none": "project", "nowhere": "project", "": "project"} {
		before := s.writes
		_, err := m.Cluster(info.ID).Do(ctx, Transfer{Project: project})
		require.ErrorIs(t, err, ErrInvalid)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, field, e.Fields[0].Field)
		_, err = m.Cluster(info.ID).Plan(ctx, Transfer{Project: project})
		require.ErrorIs(t, err, ErrInvalid, "a plan says the same")
		require.Equal(t, before, s.writes)
	}
	_, _, err := m.Create(ctx, CreateRequest{Mode: Adopted, Project: "default/other", Name: "one"})
	require.NoError(t, err)
	_, err = m.Cluster(info.ID).Do(ctx, Transfer{Project: "default/other"})
	require.ErrorIs(t, err, ErrExists)
}

func TestTokens(t *testing.T) {
	m, s, _, _ := aManager(t)
	ctx := context.Background()
	_, err := m.Bootstrap(ctx, "fifteen letters")
	require.ErrorIs(t, err, ErrInvalid)
	stored, err := m.Bootstrap(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.True(t, stored)
	again, err := m.Bootstrap(ctx, "another that is long enough")
	require.NoError(t, err)
	require.False(t, again, "only where there is none")

	a, err := m.Authenticate(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.Equal(t, Actor{Name: "token:admin", Grants: []Grant{{Role: RoleSystem}}, Credential: "token/bootstrap"}, a)
	for _, wrong := range []string{"", "sixteen letters?", "another that is long enough", hashToken("sixteen letters!")} {
		_, err := m.Authenticate(ctx, wrong)
		require.ErrorIs(t, err, ErrDenied, "%q", wrong)
	}
	for key, r := range s.records[KindToken] {
		require.NotContains(t, key, "sixteen")
		require.Equal(t, hashToken("sixteen letters!"), r.Payload.(Token).Hash)
	}
}
