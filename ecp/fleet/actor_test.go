package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/openecp/openecp/ecp/internal/random"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/stretchr/testify/require"
)

// Actors of every role, some of another organisation or project.
var actors = map[string]ecp.Actor{
	"system":        ecp.System,
	"org admin":     {Name: "o", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "default"}}},
	"project admin": {Name: "p", Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "default/default"}}},
	"user":          {Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}},

	"other org's admin":     {Name: "oo", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "defaul"}}},
	"other project's admin": {Name: "op", Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "default/other"}}},
	"other project's user":  {Name: "ou", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/other"}}},
	"admin of no org":       {Name: "no", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin}}},
	"admin of no project":   {Name: "np", Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin}}},
	"user given an org":     {Name: "uo", Grants: []ecp.Grant{{Role: ecp.RoleUser, Org: "default"}}},
	"project admin, no /":   {Name: "pn", Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "default"}}},
	"project with two /": {
		Name:   "pt",
		Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "default/default/x"}},
	},
	"org of a project": {Name: "op", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "default/default"}}},
	"two reaches": {
		Name:   "tr",
		Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "default", Project: "default/default"}},
	},
	"system of an org": {Name: "so", Grants: []ecp.Grant{{Role: ecp.RoleSystem, Org: "default"}}},
	"no role":          {Name: "n", Grants: []ecp.Grant{{Project: "default/default", Org: "default"}}},
	"unknown role":     {Name: "x", Grants: []ecp.Grant{{Role: "root", Project: "default/default"}}},
}

// onProject says what each may do with a cluster of default/default.
var onProject = map[string]struct{ read, write ecp.Code }{
	"system": {}, "org admin": {}, "project admin": {},
	"user":                  {write: ecp.CodeDenied},
	"other org's admin":     {ecp.CodeNotFound, ecp.CodeNotFound},
	"other project's admin": {ecp.CodeNotFound, ecp.CodeNotFound},
	"other project's user":  {ecp.CodeNotFound, ecp.CodeNotFound},
	"admin of no org":       {ecp.CodeNotFound, ecp.CodeNotFound},
	"admin of no project":   {ecp.CodeNotFound, ecp.CodeNotFound},
	"user given an org":     {ecp.CodeNotFound, ecp.CodeNotFound},
	"project admin, no /":   {ecp.CodeNotFound, ecp.CodeNotFound},
	"project with two /":    {ecp.CodeNotFound, ecp.CodeNotFound},
	"org of a project":      {ecp.CodeNotFound, ecp.CodeNotFound},
	"two reaches":           {ecp.CodeNotFound, ecp.CodeNotFound},
	"system of an org":      {ecp.CodeNotFound, ecp.CodeNotFound},
	"no role":               {ecp.CodeNotFound, ecp.CodeNotFound},
	"unknown role":          {ecp.CodeNotFound, ecp.CodeNotFound},
}

// wellFormedGrant reports whether one of actors has one, whatever it reaches.
func wellFormedGrant(name string) bool {
	return onProject[name].read == "" || strings.HasPrefix(name, "other ")
}

func TestRolesOnAProject(t *testing.T) {
	require.Len(t, onProject, len(actors))
	for name, a := range actors {
		ctx := ecp.WithActor(context.Background(), a)
		for right, want := range map[ecp.Right]ecp.Code{
			ecp.RightRead:  onProject[name].read,
			ecp.RightWrite: onProject[name].write,
		} {
			got, err := ecp.Authorize(ctx, "test", right, "default/default")
			require.Equal(t, want, ecp.CodeOf(err), "%s may %s", name, right)
			if err == nil {
				require.Equal(t, a, got)
			}
		}
	}
}

// A grant whose form is not that of its role gives nothing, wherever it is asked,
// and nobody can give it.
func TestMalformedGrantsGiveNothing(t *testing.T) {
	for _, g := range []ecp.Grant{
		{}, {Role: "root"}, {Role: ecp.RoleSystem, Org: "a"}, {Role: ecp.RoleSystem, Project: "a/p"},
		{Role: ecp.RoleOrgAdmin}, {Role: ecp.RoleOrgAdmin, Org: "a/p"}, {Role: ecp.RoleOrgAdmin, Project: "a/p"},
		{Role: ecp.RoleOrgAdmin, Org: "a", Project: "a/p"},
		{Role: ecp.RoleProjectAdmin}, {Role: ecp.RoleProjectAdmin, Project: "a"},
		{Role: ecp.RoleProjectAdmin, Project: "a/"}, {Role: ecp.RoleProjectAdmin, Project: "/p"},
		{Role: ecp.RoleProjectAdmin, Project: "a/p/q"}, {Role: ecp.RoleProjectAdmin, Org: "a"},
		{Role: ecp.RoleUser, Org: "a", Project: "a/p"}, {Role: ecp.RoleUser, Project: "a"},
	} {
		var wrong fault.Fields
		validate.Grant(&wrong, "grant", g)
		require.NotEmpty(t, wrong, "%v is refused", g)
		a := ecp.Actor{Name: "x", Grants: []ecp.Grant{g}}
		require.False(t, a.Sees("a"), "%v sees an organisation", g)
		for _, row := range ecp.RoleTable() {
			right := row.Right
			for _, where := range []string{"", "a", "a/p", "a/p/q", "/p", "a/"} {
				require.False(t, a.May(right, where), "%v may %s %q", g, right, where)
			}
		}
		for _, given := range []ecp.Grant{{
			Role: ecp.RoleSystem,
		}, {Role: ecp.RoleOrgAdmin, Org: "a"}, {Role: ecp.RoleUser, Project: "a/p"}, g} {
			require.False(t, a.Holds(given), "%v gives %v", g, given)
		}
		require.False(t, ecp.Actor{Name: "b", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "a"}}}.Holds(g),
			"an administrator gives %v", g)
	}
}

// A refusal says who can help, and which name was not to be found.
func TestRefusalsSayWhatNext(t *testing.T) {
	o := newCompany(t)
	_, err := o.m.Directory.CreateOrg(o.as("ap-lead"), "new", "")
	require.EqualError(t, err,
		"create organisation: the role project-admin may not do this; ask somebody with the role system")
	_, err = o.m.Directory.CreateProject(o.as("ap-lead"), "a/new", "")
	require.EqualError(t, err,
		"create project: the role project-admin may not do this; ask somebody with the role org-admin")
	request := CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: "x"}
	_, _, err = o.m.Create(o.as("ap-user"), request)
	require.EqualError(t, err,
		"create cluster: the role user may not do this; ask somebody with the role project-admin")
	info, _, err := o.m.Create(o.as("ap-lead"), request)
	require.NoError(t, err)

	for _, foreign := range []string{"b/p", "b/none"} { // one that is there, and one that is not
		said := fmt.Sprintf("there is no project %q", foreign)
		request.Project = foreign
		_, _, err = o.m.Create(o.as("ap-lead"), request)
		require.ErrorContains(t, err, said)
		_, planned := o.m.PlanCreate(o.as("ap-lead"), request)
		require.ErrorContains(t, planned, said)
		_, moved := o.m.Cluster(info.ID).Do(o.as("ap-lead"), ecp.Transfer{Project: foreign})
		require.ErrorContains(t, moved, said)
		for _, err := range []error{err, planned, moved} {
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, ecp.CodeNotFound, e.Code)
			require.Equal(t, []ecp.FieldError{{Field: "project", Message: "is not there, or not yours to see"}},
				e.Fields)
		}
	}
}

func TestRolesOnNoProject(t *testing.T) {
	for name, a := range actors {
		good := wellFormedGrant(name)
		ctx := ecp.WithActor(context.Background(), a)
		for right, want := range map[ecp.Right]bool{
			ecp.RightRead: good, ecp.RightCatalog: good, ecp.RightAdmin: name == "system",
		} {
			_, err := ecp.Authorize(ctx, "test", right, "")
			require.Equal(t, want, err == nil, "%s may %s", name, right)
			if err != nil {
				require.ErrorIs(t, err, ecp.ErrDenied)
			}
		}
	}
}

// everyCall is every call of the Manager that needs an actor, on a cluster.
func everyCall(m *Manager, id ecp.ID, op ecp.OperationID) map[string]func(context.Context) error {
	c := m.Cluster(id)
	return map[string]func(context.Context) error{
		"get":       func(ctx context.Context) error { _, err := c.Get(ctx); return err },
		"operation": func(ctx context.Context) error { _, err := m.Operation(ctx, op); return err },
		"operations": func(ctx context.Context) error {
			_, err := m.Operations(ctx, id, OperationOptions{})
			return err
		},
		"wait": func(ctx context.Context) error { _, err := m.WaitOperation(ctx, op, 0); return err },
		"watch": func(ctx context.Context) error {
			for _, err := range c.Watch(ctx) {
				if errors.Is(err, errors.ErrUnsupported) { // this store has no feed
					return nil
				}
				return err
			}
			return nil
		},
		"w plan": func(ctx context.Context) error { _, err := c.Plan(ctx, ecp.Stop{}); return err },
		"w stop": func(ctx context.Context) error { _, err := c.Do(ctx, ecp.Stop{}); return err },
		"w transfer": func(ctx context.Context) error {
			_, err := c.Do(ctx, ecp.Transfer{Project: "default/default"})
			return err
		},
		"w create": func(ctx context.Context) error {
			_, _, err := m.Create(ctx, CreateRequest{
				Mode: ecp.Hosted,
				Name: "fresh",
				Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 1}},
			})
			return err
		},
		"c images": func(ctx context.Context) error { _, err := m.Catalog.Images.List(ctx); return err },
		"c sizes":  func(ctx context.Context) error { _, err := m.Catalog.Sizes.List(ctx); return err },
		"c pool":   func(ctx context.Context) error { _, err := m.Pool(ctx); return err },
		"c list":   func(ctx context.Context) error { _, err := m.Clusters(ctx, ecp.ListOptions{}); return err },
	}
}

// aManager has one hosted cluster, "one", that nothing was done for yet.
func aManager(t *testing.T) (*Manager, *mapstore.Store, ecp.Info, ecp.Operation) {
	t.Helper()
	s := mapstore.New()
	m, err := New(context.Background(), Config{
		Store: s, Provisioners: map[string]ecp.Provisioner{"default": newWorld()}, Now: func() time.Time { return t0 },
		Defaults: Defaults{Projects: []string{"default/default", "default/other"}},
	})
	require.NoError(t, err)
	info, op, err := m.Create(ecp.WithActor(context.Background(), ecp.System),
		CreateRequest{Mode: ecp.Hosted, Name: "one", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 7}}})
	require.NoError(t, err)
	return m, s, info, op
}

func TestEveryCallByEveryRole(t *testing.T) {
	for name, a := range actors {
		m, s, info, op := aManager(t)
		for call, do := range everyCall(m, info.ID, op.ID) {
			before := s.Writes
			require.ErrorIs(t, do(context.Background()), ecp.ErrDenied, "%s without an actor", call)
			require.Equal(t, before, s.Writes, "nothing is stored")

			want := onProject[name].read
			switch call[:2] {
			case "w ":
				want = onProject[name].write
			case "c ":
				want = ""
			}
			if !wellFormedGrant(name) {
				if want == "" || call == "get" || call[:2] != "w " {
					want = ecp.CodeDenied
				}
			}
			err := do(ecp.WithActor(context.Background(), a))
			require.Equal(t, want, ecp.CodeOf(err), "%s by %s: %v", call, name, err)
			if err != nil {
				require.Equal(t, before, s.Writes, "nothing is stored")
			}
		}
	}
}

func TestWhatMayNotBeReadLooksLikeNothing(t *testing.T) {
	m, _, info, _ := aManager(t)
	ctx := ecp.WithActor(context.Background(), actors["other project's admin"])
	for _, id := range []ecp.ID{info.ID, "emqx-00000000"} {
		_, err := m.Cluster(id).Get(ctx)
		require.EqualError(t, err, `read cluster `+string(id)+`: there is no cluster "`+string(id)+`"`)
		_, err = m.Cluster(id).Do(ctx, ecp.Stop{})
		require.EqualError(t, err, `stop cluster `+string(id)+`: there is no cluster "`+string(id)+`"`)
	}
	page, err := m.Clusters(ctx, ecp.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

func TestTransferNeedsBothSides(t *testing.T) {
	for name, want := range map[string]ecp.Code{
		"system":                "",
		"org admin":             "",
		"project admin":         ecp.CodeNotFound,
		"other project's admin": ecp.CodeNotFound,
		"user":                  ecp.CodeDenied,
	} {
		m, s, info, op := aManager(t)
		_, err := m.Cluster(info.ID).Do(ecp.WithActor(context.Background(), actors[name]),
			ecp.Transfer{Project: "default/other"})
		require.Equal(t, want, ecp.CodeOf(err), "%s: %v", name, err)
		project := map[bool]string{true: "default/other", false: "default/default"}[err == nil]
		require.Equal(t, project, s.Records[ecp.KindCluster][string(info.ID)].Index.Project)
		require.Equal(t, project, s.Records[ecp.KindOperation][string(op.ID)].Index.Project,
			"who may see a cluster may see its operations")
	}
}

func TestTransferToNowhere(t *testing.T) {
	m, s, info, _ := aManager(t)
	ctx := ecp.WithActor(context.Background(), ecp.System)
	for project, field := range map[string]string{"default/none": "project", "nowhere": "project", "": "project"} {
		before := s.Writes
		_, err := m.Cluster(info.ID).Do(ctx, ecp.Transfer{Project: project})
		require.ErrorIs(t, err, ecp.ErrInvalid)
		var e *ecp.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, field, e.Fields[0].Field)
		_, err = m.Cluster(info.ID).Plan(ctx, ecp.Transfer{Project: project})
		require.ErrorIs(t, err, ecp.ErrInvalid, "a plan says the same")
		require.Equal(t, before, s.Writes)
	}
	_, _, err := m.Create(ctx, CreateRequest{Mode: ecp.Adopted, Project: "default/other", Name: "one"})
	require.NoError(t, err)
	_, err = m.Cluster(info.ID).Do(ctx, ecp.Transfer{Project: "default/other"})
	require.ErrorIs(t, err, ecp.ErrExists)
}

func TestTokens(t *testing.T) {
	m, s, _, _ := aManager(t)
	ctx := context.Background()
	_, err := m.Accounts.Bootstrap(ctx, "fifteen letters")
	require.ErrorIs(t, err, ecp.ErrInvalid)
	stored, err := m.Accounts.Bootstrap(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.True(t, stored)
	again, err := m.Accounts.Bootstrap(ctx, "another that is long enough")
	require.NoError(t, err)
	require.False(t, again, "only where there is none")

	a, err := m.Accounts.Authenticate(ctx, "sixteen letters!")
	require.NoError(t, err)
	require.Equal(t, ecp.Actor{
		Name:       "token:admin",
		Grants:     []ecp.Grant{{Role: ecp.RoleSystem}},
		Credential: "token/bootstrap",
	}, a)
	for _, wrong := range []string{
		"", "sixteen letters?", "another that is long enough", random.Hash("sixteen letters!"),
	} {
		_, err := m.Accounts.Authenticate(ctx, wrong)
		require.ErrorIs(t, err, ecp.ErrDenied, "%q", wrong)
	}
	for key, r := range s.Records[ecp.KindToken] {
		require.NotContains(t, key, "sixteen")
		require.Equal(t, random.Hash("sixteen letters!"), r.Payload.(ecp.Token).Hash)
	}
}
