package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// newOffice is a Manager that does not run, on a store of its own: what its
// clusters book is booked, and nothing is made.
func newOffice(t *testing.T, s ecp.Store) *fleet.Manager {
	t.Helper()
	m, err := fleet.New(t.Context(), fleet.Config{Store: s, Provisioners: idle, Defaults: fleet.Defaults{
		Projects: []string{"acme/a", "acme/b", "other/c"},
		Pool:     &ecp.Pool{Connections: 1000},
	}})
	require.NoError(t, err)
	return m
}

// idle are platforms that are asked nothing.
var idle = map[string]ecp.Provisioner{"default": struct{ ecp.Provisioner }{}}

// booked is the spec of a cluster that books so many connections.
func bookedSpec(connections int) ecp.Spec {
	return ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: connections}}
}

// bookedNow is a change of how many a cluster books.
func bookedNow(connections int) ecp.Update {
	return ecp.Update{Patch: fmt.Appendf(nil, `{"connections":%d}`, connections)}
}

func book(ctx context.Context, m *fleet.Manager, project, name string, connections int) (ecp.ID, error) {
	info, _, err := m.Create(ctx,
		fleet.CreateRequest{Mode: ecp.Hosted, Project: project, Name: name, Spec: bookedSpec(connections)})
	return info.ID, err
}

func as(name string, role ecp.Role, org, project string) context.Context {
	return ecp.WithActor(context.Background(),
		ecp.Actor{Name: name, Grants: []ecp.Grant{{Role: role, Org: org, Project: project}}})
}

// A hundred ask at once, in two projects of one organisation, for new clusters,
// more connections and transfers: no quota holds more than it may, each is the
// sum of what there is, and what is elsewhere is not touched.
func TestQuotasUnderConcurrentChanges(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			m := newOffice(t, store.open(t))
			ids := make([]ecp.ID, 30)
			for i := range ids { // they are there before any quota is
				id, err := book(asSystem(), m, []string{"acme/a", "acme/b", "other/c"}[i%3], fmt.Sprint("old ", i), 1)
				require.NoError(t, err)
				ids[i] = id
			}
			for of, n := range map[string]int{"acme": 35, "acme/a": 25, "acme/b": 15} {
				q, err := m.Directory.UpdateQuota(asSystem(), ecp.Quota{Of: of, Connections: n})
				require.NoError(t, err)
				require.Equal(t, map[string]int{"acme": 20, "acme/a": 10, "acme/b": 10}[of], q.UsedConnections,
					"what was booked before counts")
			}
			var all sync.WaitGroup
			ask := func(do func() error) {
				all.Go(func() {
					if err := do(); err != nil && !errors.Is(err, ecp.ErrQuotaExceeded) {
						t.Error(err)
					}
				})
			}
			for i, id := range ids {
				ask(func() error {
					_, err := book(asSystem(), m, []string{"acme/a", "acme/b"}[i%2], fmt.Sprint("new ", i), 1)
					return err
				})
				ask(func() error {
					_, err := m.Cluster(id).Do(asSystem(), bookedNow(2))
					return err
				})
				ask(func() error {
					_, err := m.Cluster(id).Do(asSystem(),
						ecp.Transfer{Project: []string{"acme/b", "other/c", "acme/a"}[i%3]})
					return err
				})
			}
			all.Wait()
			usage, err := m.UsageByProject(asSystem())
			require.NoError(t, err)
			quotas, err := m.Directory.Quotas(asSystem())
			require.NoError(t, err)
			require.Len(t, quotas, 3)
			for _, q := range quotas {
				used := usage[q.Of].Connections
				if q.Of == "acme" {
					used = usage["acme/a"].Connections + usage["acme/b"].Connections
				}
				require.Equal(t, used, q.UsedConnections, q.Of)
				require.LessOrEqual(t, used, q.Connections, q.Of)
			}
			for id := range usage { // and what is not wanted any more is given back
				page, err := m.Clusters(asSystem(), ecp.ListOptions{Project: id, Limit: 100})
				require.NoError(t, err)
				for _, c := range page.Items {
					_, err := m.Cluster(c.ID).Do(asSystem(), bookedNow(1))
					require.NoError(t, err)
				}
			}
			for _, of := range []string{"acme", "acme/a", "acme/b", "other", "other/c"} {
				q, err := m.Directory.Quota(asSystem(), of)
				require.NoError(t, err)
				there := 0
				for project, u := range usage {
					if project == of || strings.HasPrefix(project, of+"/") {
						there += u.Clusters
					}
				}
				require.Equal(t, there, q.UsedConnections, of)
			}
		})
	}
}

// Who is refused is told whose quota is full; how much others have booked, and
// who, only where that is theirs to see.
func TestQuotaRefusalsLeakNothing(t *testing.T) {
	m := newOffice(t, stores[0].open(t))
	for project, n := range map[string]int{"acme/a": 40, "acme/b": 37} {
		_, err := book(asSystem(), m, project, "of "+project[5:], n)
		require.NoError(t, err)
	}
	for of, n := range map[string]int{"acme": 100, "acme/a": 70} {
		_, err := m.Directory.UpdateQuota(asSystem(), ecp.Quota{Of: of, Connections: n})
		require.NoError(t, err)
	}
	refused := func(ctx context.Context, n int) string {
		_, err := book(ctx, m, "acme/a", "new", n)
		require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
		var e *ecp.Error
		require.ErrorAs(t, err, &e)
		_, planned := m.PlanCreate(ctx,
			fleet.CreateRequest{Mode: ecp.Hosted, Project: "acme/a", Name: "new", Spec: bookedSpec(n)})
		require.ErrorIs(t, planned, ecp.ErrQuotaExceeded, "a plan says the same")
		return e.Message + "; " + e.Fields[0].Message
	}
	admin, head := as("ann", ecp.RoleProjectAdmin, "", "acme/a"), as("hana", ecp.RoleOrgAdmin, "acme", "")
	own := refused(admin, 31)
	require.Contains(t, own, "30 of 70 are free in the quota of the project acme/a; booked most: of a 40")
	all := refused(admin, 30)
	require.Contains(t, all,
		"the quota of the organisation acme does not hold what was asked for; its administrators see what is booked")
	for _, secret := range []string{"37", "40", "23", "77", "100", "acme/b", "of b"} {
		require.NotContains(t, all, secret)
	}
	require.Contains(t, refused(head, 30),
		"23 of 100 are free in the quota of the organisation acme; booked most: acme/a 40, acme/b 37")

	for ctx, sees := range map[context.Context]map[string]error{
		admin: {
			"acme/a":  nil,
			"acme/b":  ecp.ErrNotFound,
			"acme":    ecp.ErrDenied,
			"other":   ecp.ErrNotFound,
			"nothing": ecp.ErrNotFound,
		},
		head: {"acme/a": nil, "acme/b": nil, "acme": nil, "other/c": ecp.ErrNotFound, "acme/none": ecp.ErrNotFound},
	} {
		for of, want := range sees {
			_, err := m.Directory.Quota(ctx, of)
			require.ErrorIs(t, err, want, of)
		}
	}
	seen, err := m.Directory.Quotas(admin)
	require.NoError(t, err)
	require.Equal(t, []ecp.Quota{{Of: "acme/a", Connections: 70, UsedConnections: 40, Revision: 2}}, seen)
}

func TestUpdateQuota(t *testing.T) {
	m := newOffice(t, stores[0].open(t))
	id, err := book(asSystem(), m, "acme/a", "one", 40)
	require.NoError(t, err)
	head := as("hana", ecp.RoleOrgAdmin, "acme", "")
	hana := func() context.Context { return head }
	ann := func() context.Context { return as("ann", ecp.RoleProjectAdmin, "", "acme/a") }
	for name, c := range map[string]struct {
		who  func() context.Context
		q    ecp.Quota
		want error
	}{
		"below what is booked":     {asSystem, ecp.Quota{Of: "acme/a", Connections: 39}, ecp.ErrConflict},
		"of the organisation, too": {asSystem, ecp.Quota{Of: "acme", Connections: 39}, ecp.ErrConflict},
		"negative":                 {asSystem, ecp.Quota{Of: "acme/a", Connections: -1}, ecp.ErrInvalid},
		"another revision": {
			asSystem, ecp.Quota{Of: "acme/a", Connections: 50, Revision: 7}, ecp.ErrPrecondition,
		},
		"nobody's":                   {asSystem, ecp.Quota{Of: "acme/none", Connections: 50}, ecp.ErrNotFound},
		"nothing":                    {asSystem, ecp.Quota{}, ecp.ErrNotFound},
		"an organisation's own":      {hana, ecp.Quota{Of: "acme", Connections: 50}, ecp.ErrDenied},
		"a project's by its admin":   {ann, ecp.Quota{Of: "acme/a", Connections: 50}, ecp.ErrDenied},
		"a project's by its org's":   {hana, ecp.Quota{Of: "acme/b", Connections: 1}, nil},
		"exactly what is booked":     {hana, ecp.Quota{Of: "acme/a", Connections: 40, Revision: 1}, nil},
		"by the administrator of it": {asSystem, ecp.Quota{Of: "acme", Connections: 50}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := m.Directory.Quota(asSystem(), c.q.Of)
			_, err := m.Directory.UpdateQuota(c.who(), c.q)
			require.ErrorIs(t, err, c.want)
			after, _ := m.Directory.Quota(asSystem(), c.q.Of)
			if c.want != nil {
				require.Equal(t, before, after)
			} else {
				require.Equal(t, ecp.Quota{
					Of:              c.q.Of,
					Connections:     c.q.Connections,
					UsedConnections: before.UsedConnections,
					Revision:        2,
				}, after)
			}
		})
	}

	// A transfer obeys the quota of where it goes, and a plan says so.
	_, err = m.Cluster(id).Plan(asSystem(), ecp.Transfer{Project: "acme/b"})
	require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
	_, err = m.Cluster(id).Do(asSystem(), ecp.Transfer{Project: "acme/b"})
	require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
	_, err = m.Directory.UpdateQuota(head, ecp.Quota{Of: "acme/b"}) // unlimited again
	require.NoError(t, err)
	_, err = m.Cluster(id).Do(asSystem(), ecp.Transfer{Project: "acme/b"})
	require.NoError(t, err)
	q, err := m.Directory.Quota(head, "acme/b")
	require.NoError(t, err)
	require.Equal(t, ecp.Quota{Of: "acme/b", UsedConnections: 40, Revision: 3}, q)

	// It goes with what it is of.
	require.NoError(t, m.Directory.DeleteProject(head, "acme/a", 0))
	_, err = m.Directory.CreateProject(head, "acme/a", "")
	require.NoError(t, err)
	q, err = m.Directory.Quota(head, "acme/a")
	require.NoError(t, err)
	require.Equal(t, ecp.Quota{Of: "acme/a", Revision: 1}, q)
}
