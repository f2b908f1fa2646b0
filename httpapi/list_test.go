package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

type clusterPage struct {
	Items []clusterReply
	Next  string
}

// walk reads a list page by page.
func (f *fixture) walk(query string, limit int) (names []string) {
	f.t.Helper()
	for cursor := ""; ; {
		var p clusterPage
		f.admin(http.MethodGet, fmt.Sprintf("%s?limit=%d&%s&cursor=%s", clustersPath, limit, query,
			url.QueryEscape(cursor)), "").want(http.StatusOK).into(&p)
		require.LessOrEqual(f.t, len(p.Items), limit)
		for _, c := range p.Items {
			names = append(names, c.Name)
		}
		if cursor = p.Next; cursor == "" {
			return names
		}
	}
}

// Pages joined are the list: in its order, each cluster once, also where one is
// made while the list is read.
func TestSortedPages(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	var names []string
	for i := range 23 {
		name := fmt.Sprintf("x%02d", (i*7)%23)
		names = append(names, name)
		project := []string{"default/default", "default/second"}[i%2]
		f.admin(http.MethodPost, clustersPath, fmt.Sprintf(`{"mode":"adopted","project":%q,"name":%q}`, project, name)).
			want(http.StatusCreated)
	}
	byName := slices.Sorted(slices.Values(names))
	for _, limit := range []int{1, 4, 23, 500} {
		require.Equal(t, byName, f.walk("sort=name", limit))
		require.Equal(t, names, f.walk("sort=createdAt", limit))
		down := f.walk("sort=-name", limit)
		slices.Reverse(down)
		require.Equal(t, byName, down)
		require.Len(t, f.walk("sort=name&project=default/second", limit), 11)
		require.Equal(t, []string{"x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19"},
			f.walk("sort=name&q=X1", limit))
	}
	require.Empty(t, f.walk("version=5.8.9", 10))
	require.Empty(t, f.walk("state=running", 10))
	require.Len(t, f.walk("state=created&mode=adopted", 10), 23)

	var p clusterPage
	f.admin(http.MethodGet, clustersPath+"?limit=5&sort=name", "").want(http.StatusOK).into(&p)
	other := f.admin(http.MethodGet, clustersPath+"?sort=-name&cursor="+p.Next, "").
		want(http.StatusUnprocessableEntity).
		problem()
	require.Equal(t, "/query/cursor", other.Errors[0].Pointer)
	wrong := f.admin(http.MethodGet, clustersPath+"?sort=colour", "").want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, "/query/sort", wrong.Errors[0].Pointer)
}

// Lists of catalogues and tenants are paged, too.
func TestPagesOfResources(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	for i := range 7 {
		f.admin(http.MethodPost, "/api/v1/projects", fmt.Sprintf(`{"path":"default/p%d"}`, i)).want(http.StatusCreated)
	}
	var paths []string
	for cursor := ""; ; {
		var p page[ecp.Project]
		f.admin(http.MethodGet, "/api/v1/projects?limit=3&q=P&cursor="+cursor, "").want(http.StatusOK).into(&p)
		for _, project := range p.Items {
			paths = append(paths, project.Path)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	require.Len(t, paths, 7)
	require.True(t, slices.IsSorted(paths))
	f.admin(http.MethodGet, "/api/v1/projects?cursor="+makeCursor("Users:", "x"), "").
		want(http.StatusUnprocessableEntity)
}

// What q finds is what the document says: a part of the id or the name.
func TestResourcesAreFoundByName(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.admin(http.MethodPost, "/api/v1/tokens", `{"name":"Nightly build","role":"user","project":"default/default"}`).
		want(http.StatusCreated)
	f.admin(http.MethodPost, "/api/v1/users",
		`{"name":"ann","displayName":"Ann Nightingale","grants":[{"role":"user","project":"default/default"}]}`).
		want(http.StatusCreated)
	for path, want := range map[string]int{"tokens?q=NIGHTLY": 1, "users?q=nightin": 1, "users?q=ANN": 1,
		"tokens?q=none": 0, "users?q=none": 0} {
		var p page[map[string]any]
		f.admin(http.MethodGet, "/api/v1/"+path, "").want(http.StatusOK).into(&p)
		require.Len(t, p.Items, want, path)
	}
}

// A merge patch may be sent as what it is, and nothing else may.
func TestMergePatchIsTakenUnderItsName(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.admin(http.MethodPatch, "/api/v1/orgs/default", `{"description":"ours"}`, "Content-Type",
		"application/merge-patch+json; charset=utf-8").want(http.StatusOK)
	f.admin(http.MethodPatch, "/api/v1/orgs/default", `{"description":"ours"}`, "Content-Type",
		"application/json-patch+json").want(http.StatusUnsupportedMediaType)
	f.admin(http.MethodPost, "/api/v1/orgs", `{"name":"new"}`, "Content-Type", "application/merge-patch+json").
		want(http.StatusUnsupportedMediaType)
}

// Who has a token may know that it is over, not only that it is no good.
func TestATokenThatIsOver(t *testing.T) {
	f := newFixture(t, setup{})
	require.Equal(t, "the token has expired", f.call(asExpired, http.MethodGet, "/api/v1/me", "").
		want(http.StatusUnauthorized).problem().Detail)
}

// A dry run says what would be done, or why it would not, and does nothing.
func TestPlanOfACreation(t *testing.T) {
	f := newFixture(t, setup{bare: true, pool: &ecp.Pool{Connections: 1500}})
	before := f.stored()
	var plan ecp.Plan
	f.admin(http.MethodPost, clustersPath+"?dryRun=true", hostedBody).want(http.StatusOK).into(&plan)
	require.Equal(t, ecp.Creating, plan.To)
	require.NotEmpty(t, plan.Steps)
	f.admin(http.MethodPost, clustersPath+"?dryRun=true", `{"mode":"adopted","name":"a"}`).want(http.StatusOK)
	f.admin(http.MethodPost, clustersPath+"?dryRun=true", strings.Replace(hostedBody, "1000", "2000", 1)).
		want(http.StatusUnprocessableEntity)
	f.unchanged(before, "a plan")
	f.admin(http.MethodPost, clustersPath, hostedBody).want(http.StatusAccepted)
	before = f.stored()
	f.admin(http.MethodPost, clustersPath+"?dryRun=true", strings.Replace(hostedBody, "1000", "1", 1)).
		want(http.StatusConflict)
	f.unchanged(before, "a plan that fails")
}

func TestExplain(t *testing.T) {
	f := newFixture(t, setup{})
	id := f.create()
	var e explainView
	f.call(asUser, http.MethodGet, clustersPath+"/"+id+"/explain", "").want(http.StatusOK).into(&e)
	require.Equal(t, ecp.Creating, e.State)
	require.False(t, e.Settled)
	require.Equal(t, ecp.OpCreate, e.Operation.Kind)
	require.NotZero(t, e.Deadline)
	require.Contains(t, e.Legal, ecp.CommandDelete)
	require.True(t, e.LookedAt.IsZero())

	f.run()
	f.awaitState(id, "running")
	f.eventually("nothing differs", func() (bool, any) {
		e = explainView{}
		f.call(asUser, http.MethodGet, clustersPath+"/"+id+"/explain", "").want(http.StatusOK).into(&e)
		return e.Settled && e.Operation == nil, e
	})
	require.Equal(t, ecp.Running, e.State)
	require.WithinDuration(t, time.Now(), e.LookedAt, time.Minute)
	var nodes page[nodeView]
	f.call(asUser, http.MethodGet, clustersPath+"/"+id+"/nodes", "").want(http.StatusOK).into(&nodes)
	require.Len(t, nodes.Items, 3)

	f.sim.SetUnreachable(true)
	f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/restart", "").want(http.StatusAccepted)
	f.eventually("nothing can be seen", func() (bool, any) {
		e = explainView{}
		f.call(asUser, http.MethodGet, clustersPath+"/"+id+"/explain", "").want(http.StatusOK).into(&e)
		return e.Stale, e
	})
	require.NotZero(t, e.StaleSince)
	require.NotEmpty(t, e.StaleMessage)
	require.Equal(t, "nothing can be seen: "+e.StaleMessage, e.WaitsFor)
}

// Where a request comes from is in the audit; a proxy's word counts only where
// the proxy is trusted.
func TestOriginOfAChange(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	for _, c := range []struct {
		peer, forwarded, trusted, want string
	}{
		{"192.0.2.7:1234", "", "", "192.0.2.7"},
		{"192.0.2.7:1234", "198.51.100.1", "", "192.0.2.7"},
		{"10.0.0.1:1", "198.51.100.1", "10.0.0.0/8", "198.51.100.1"},
		{"10.0.0.1:1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "10.0.0.0/8", "198.51.100.1"},
		{"10.0.0.1:1", "", "10.0.0.0/8", "10.0.0.1"},
		{"10.0.0.1:1", "nonsense, 198.51.100.1, 10.0.0.2", "10.0.0.0/8", "198.51.100.1"},
		{"10.0.0.1:1", "<script>", "10.0.0.0/8", "10.0.0.1"},
		{"10.0.0.1:1", "198.51.100.1:4711, 10.0.0.2:80", "10.0.0.0/8", "198.51.100.1"},
		{"10.0.0.1:1", "[2001:db8::1]:4711", "10.0.0.0/8", "2001:db8::1"},
		{"10.0.0.1:1", "[2001:db8::1]", "10.0.0.0/8", "2001:db8::1"},
		{"[::ffff:10.0.0.1]:1", "2001:db8::1", "10.0.0.0/8", "2001:db8::1"},
		{"@", "198.51.100.1", "", ""},
	} {
		f.api.proxies = prefixes(t, c.trusted)
		got := f.origin(c.peer, c.forwarded)
		require.Equal(t, c.want, got.RemoteAddress, "%+v", c)
		require.Equal(t, "my-request", got.RequestID)
	}
	id := f.serve(asSystem, http.MethodGet, "/api/v1/me", "", map[string]string{headerRequest: "not an id"}).
		header.Get(headerRequest)
	require.Regexp(t, `^[0-9a-f]{16}$`, id, "what cannot be repeated is replaced")
}
