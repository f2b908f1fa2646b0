package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/httpapi"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/openecp/openecp/proxy"
	"github.com/openecp/openecp/sqlstore"
)

// twin is one of two APIs on one database, with a Manager, a connection to the database and
// a way to the simulated platforms of its own, in this process.
type twin struct {
	*daemon
	manager    *fleet.Manager
	dashboards *proxy.Dashboards
}

const twinToken = "only-for-tests-0123456789abcdef"

func newTwin(t *testing.T, url, name string, platforms map[string]*emqxsim.Provisioner) *twin {
	t.Helper()
	kinds := fleet.Kinds()
	maps.Copy(kinds, proxy.Kinds())
	store, err := sqlstore.Open(context.WithoutCancel(t.Context()), sqlstore.Config{URL: url, Kinds: kinds,
		Postgres: sqlstore.Postgres{Shared: true, Host: name}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	m, err := fleet.New(t.Context(), fleet.Config{
		Store: store, Sealer: ring, Shared: &fleet.Shared{Host: name},
		Adapters:     []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		Provisioners: map[string]ecp.Provisioner{"default": platforms["default"].Peer(name)},
		NewProvisioner: func(_ context.Context, c ecp.TargetConfig) (ecp.Provisioner, error) {
			return platforms[c.Name].Peer(name), nil
		},
		Timings: ecp.Timings{Notice: time.Second, Takeover: time.Second},
	})
	require.NoError(t, err)
	_, err = m.Accounts.Bootstrap(t.Context(), twinToken)
	require.NoError(t, err)
	dashboards, err := proxy.NewDashboards(proxy.DashboardsConfig{Manager: m, Store: store,
		Domain: &proxy.Domain{Scheme: "http", Host: "dash.example.com"}})
	require.NoError(t, err)
	api, err := httpapi.New(httpapi.Config{Manager: m, Dashboards: dashboards})
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return &twin{&daemon{url: server.URL, token: twinToken, http: server.Client()}, m, dashboards}
}

// twins: whatever is asked of one API is right on the other.
func twins(t *testing.T, server *pgtest.Server) {
	platforms := map[string]*emqxsim.Provisioner{}
	for _, name := range []string{"default", "plant"} {
		p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 50 * time.Millisecond})
		require.NoError(t, err)
		platforms[name] = p
	}
	url := server.Database(t)
	a, b := newTwin(t, url, "a", platforms), newTwin(t, url, "b", platforms)
	a.shares(t, 2, 20*time.Second)

	var made [2]string
	for i, d := range []*twin{a, b} { // operations are waited for on the one that has not begun them
		other := []*twin{b, a}[i]
		var c cluster
		answer := d.call(t, "POST", "/api/v1/clusters", request(fmt.Sprint("waited-", i), 1), &c, 202)
		var o struct{ Phase string }
		other.call(t, "GET", answer.header.Get("Operation-Location")+"?wait=30s", "", &o, 200)
		require.Equal(t, "succeeded", o.Phase)
		require.Equal(t, "running", d.reaches(t, c.ID, "running").Status.State)
		other.reaches(t, c.ID, "running")
		made[i] = c.ID
	}
	ticketsAreShared(t, a, b, made[0])
	catalogueIsShared(t, a, b)
	quotaIsExact(t, a, b)
	auditIsInOrder(t, a, b)
}

// ticketsAreShared: a link to a dashboard that one has made, and the session behind it, are
// good at the other, the link once.
func ticketsAreShared(t *testing.T, a, b *twin, id string) {
	t.Helper()
	var link struct{ URL string }
	a.call(t, "POST", "/api/v1/clusters/"+id+"/dashboard", "", &link, 200, 201)
	visit := func(d *twin, url, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, url, nil).WithContext(t.Context())
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		d.dashboards.ServeHTTP(w, r)
		return w
	}
	entered := visit(b, link.URL, "")
	require.Equal(t, http.StatusSeeOther, entered.Code)
	cookie, _, _ := strings.Cut(entered.Header().Get("Set-Cookie"), ";")
	root := "http://" + id + ".dash.example.com/"
	require.Equal(t, http.StatusOK, visit(a, root, cookie).Code)
	require.Equal(t, http.StatusOK, visit(b, root, cookie).Code)
	require.Equal(t, http.StatusForbidden, visit(a, root, "").Code)
	require.Equal(t, http.StatusForbidden, visit(a, link.URL, "").Code, "it was used")
}

// catalogueIsShared: images and targets that one was given are the other's at once.
func catalogueIsShared(t *testing.T, a, b *twin) {
	t.Helper()
	a.call(t, "POST", "/api/v1/images", `{"id":"emqx-ee-mine","reference":"registry.example.com/emqx:5.8.9",`+
		`"version":"5.8.9"}`, nil, 201)
	b.call(t, "POST", "/api/v1/clusters?dryRun=true",
		`{"mode":"hosted","name":"mine","spec":{"image":"emqx-ee-mine","nodes":1,"connections":10}}`, nil, 200)
	a.call(t, "POST", "/api/v1/kubernetes-targets", `{"name":"plant","kubeconfig":"of-the-plant"}`, nil, 201)
	var c cluster
	processtest.Eventually(t, 10*time.Second, func() (bool, string) {
		r, err := b.try("POST", "/api/v1/clusters",
			`{"mode":"hosted","name":"there","spec":{"target":"plant","nodes":1,"connections":10}}`)
		if err == nil && r.status == 202 {
			require.NoError(t, json.Unmarshal(r.body, &c))
			return true, ""
		}
		return false, fmt.Sprint(err, string(r.body))
	})
	b.reaches(t, c.ID, "running")
	a.reaches(t, c.ID, "running")
}

// quotaIsExact: however many are asked for at once, and of whom, the pool holds what it holds.
func quotaIsExact(t *testing.T, a, b *twin) {
	t.Helper()
	before := a.pool(t)
	var p struct{ Connections, Clusters int }
	a.call(t, "PATCH", "/api/v1/pool", fmt.Sprintf(`{"connections":%d}`, before.UsedConnections+5*1000), &p, 200)
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			r, err := []*twin{a, b}[i%2].try("POST", "/api/v1/clusters", request(fmt.Sprint("many-", i), 1))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[r.status]++
		})
	}
	all.Wait()
	require.Equal(t, 5, statuses[202], "%v", statuses)
	require.Len(t, statuses, 2)
	require.Equal(t, pool{before.UsedConnections + 5000, before.UsedClusters + 5}, b.pool(t))
}

// auditIsInOrder: entries of both are in one list, newest first, and each change is in it once.
func auditIsInOrder(t *testing.T, a, b *twin) {
	t.Helper()
	for i := range 6 {
		d := []*twin{a, b}[i%2]
		d.call(t, "POST", "/api/v1/clusters", fmt.Sprintf(`{"mode":"adopted","name":"order-%d","spec":{}}`, i), nil, 201,
			202)
	}
	var list struct {
		Items []struct{ Action, Kind, Key string }
	}
	b.call(t, "GET", "/api/v1/audit?limit=6", "", &list, 200)
	for i, e := range list.Items {
		require.Equal(t, "create", e.Action)
		require.Equal(t, fmt.Sprint("order-", 5-i), a.cluster(t, e.Key).Name)
	}
}
