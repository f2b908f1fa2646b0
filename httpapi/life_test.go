package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// conform checks an answer against the schema the document has for it.
func conform[T any](r reply, a *api) reply {
	r.t.Helper()
	var v any
	r.into(&v)
	result := &huma.ValidateResult{}
	huma.Validate(a.schemas(), schemaOf[T](a.schemas()), huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, result)
	require.Empty(r.t, result.Errors, "%s", r.body)
	return r
}

// waitFor waits for the operation a reply leads to.
func (f *fixture) waitFor(location string) ecp.Operation {
	f.t.Helper()
	require.True(f.t, strings.HasPrefix(location, operationsPath+"/op-"), "Location %q", location)
	var o ecp.Operation
	conform[ecp.Operation](f.call(asUser, http.MethodGet, location+"?wait=20s", "").want(http.StatusOK), f.api).into(&o)
	return o
}

func TestLife(t *testing.T) {
	f := newFixture(t, setup{run: true})
	created := conform[clusterView](f.call(asAdmin, http.MethodPost, clustersPath, hostedBody).
		want(http.StatusAccepted),
		f.api)
	c := created.cluster()
	path := clustersPath + "/" + c.ID
	require.Equal(t, path, created.header.Get("Location"))
	require.Equal(t, `"1"`, created.header.Get("ETag"))
	require.Equal(t, operationsPath+"/"+c.Status.Operation, created.header.Get("Operation-Location"))
	require.Equal(t, ecp.Label{ZH: "创建中", EN: "Creating"}, c.Status.Label)

	require.Equal(t, ecp.PhaseSucceeded, f.waitFor(created.header.Get("Operation-Location")).Phase)
	got := conform[clusterView](f.call(asUser, http.MethodGet, path, "").want(http.StatusOK), f.api)
	var full clusterView
	got.into(&struct{ Status *statusView }{&full.Status})
	require.Equal(t, ecp.Running, full.Status.State)
	require.Equal(t, 3, full.Status.ReadyNodes)
	require.Len(t, full.Status.Nodes, 3)
	require.NotEmpty(t, full.Status.Endpoints.Internal.Host)
	require.Empty(t, full.Status.Operation)

	t.Run("what holds already is no operation", func(t *testing.T) {
		r := f.call(asAdmin, http.MethodPost, path+"/start", "{}").want(http.StatusOK)
		require.Empty(t, r.header.Get("Location")+r.header.Get("Operation-Location"))
		require.Equal(t, "running", r.cluster().Status.State)
	})
	t.Run("a plan changes nothing", func(t *testing.T) {
		before := f.stored()
		var plan ecp.Plan
		conform[ecp.Plan](f.call(asAdmin, http.MethodDelete, path+"?dryRun=true&force=true", "").want(http.StatusOK),
			f.api).into(&plan)
		require.NotEmpty(t, plan.Steps)
		require.Equal(t, ecp.Plan{
			Command: ecp.CommandDelete, From: ecp.Running, To: ecp.Stopping, Steps: plan.Steps,
			Nodes: ecp.PlannedNodes{
				Replaced: []int{}, Resized: []int{}, Added: []int{}, Removed: []int{}, Stopped: []int{2, 1, 0},
			},
			Quota: plan.Quota, Hash: plan.Hash,
		}, plan)
		require.Equal(t, plan.Quota.Was, plan.Quota.Will, "what it books is free when it has gone")
		require.Equal(t, before.position, f.stored().position)

		send := func(hash string, status int) {
			r := f.request(asAdmin, http.MethodDelete, path, http.NoBody)
			r.Header.Set("If-Plan", hash)
			f.send(r).want(status)
		}
		send(strings.Repeat("0", 24), http.StatusPreconditionFailed)
		send("none", http.StatusUnprocessableEntity)
		require.Equal(t, before.position, f.stored().position)
	})

	stop := conform[ecp.Operation](f.call(asAdmin, http.MethodPost, path+"/stop", "").want(http.StatusAccepted), f.api)
	require.Equal(t, ecp.PhaseSucceeded, f.waitFor(stop.header.Get("Operation-Location")).Phase)
	f.awaitState(c.ID, "stopped")
	start := f.call(asAdmin, http.MethodPost, path+"/start", "").want(http.StatusAccepted)
	require.Equal(t, ecp.PhaseSucceeded, f.waitFor(start.header.Get("Operation-Location")).Phase)
	f.awaitState(c.ID, "running")

	t.Run("transfer", func(t *testing.T) {
		moved := f.call(asSystem, http.MethodPost, path+"/transfer", `{"project":"other/one"}`).want(http.StatusOK)
		require.Equal(t, "other/one", moved.cluster().Project)
		f.call(asAdmin, http.MethodGet, path, "").want(http.StatusNotFound)
		f.call(asOrg, http.MethodGet, path, "").want(http.StatusOK)
		f.call(asSystem, http.MethodPost, path+"/transfer", `{"project":"default/default"}`).want(http.StatusOK)
	})

	remove := f.call(asAdmin, http.MethodDelete, path, "").want(http.StatusAccepted)
	require.Equal(t, ecp.OpDelete, f.waitFor(remove.header.Get("Operation-Location")).Kind)
	f.eventually("the cluster has gone", func() (bool, any) {
		r := f.call(asAdmin, http.MethodGet, path, "")
		return r.status == http.StatusNotFound, string(r.body)
	})
	f.call(asAdmin, http.MethodDelete, path, "").want(http.StatusNotFound)

	var first, second page[ecp.Operation]
	conform[page[ecp.Operation]](f.call(asUser, http.MethodGet, path+"/operations?limit=3", "").want(http.StatusOK),
		f.api).into(&first)
	f.call(asUser, http.MethodGet, path+"/operations?limit=3&cursor="+first.Next, "").want(http.StatusOK).into(&second)
	var kinds []ecp.OperationKind
	for _, o := range append(first.Items, second.Items...) {
		kinds = append(kinds, o.Kind)
	}
	require.Equal(t, []ecp.OperationKind{ecp.OpDelete, ecp.OpStart, ecp.OpStop, ecp.OpCreate}, kinds)
	require.Empty(t, second.Next)
	pool, err := f.manager.Pool(ecp.WithActor(t.Context(), ecp.System))
	require.NoError(t, err)
	require.Zero(t, pool.UsedConnections)
}

func TestAdopted(t *testing.T) {
	f := newFixture(t, setup{})
	r := conform[clusterView](f.call(asAdmin, http.MethodPost, clustersPath,
		`{"mode":"adopted","name":"far","spec":{"serviceAddress":"https://emqx.example.com"}}`).
		want(http.StatusCreated),
		f.api)
	require.Empty(t, r.header.Get("Operation-Location"))
	require.Equal(t, ecp.Label{ZH: "已创建", EN: "Created"}, r.cluster().Status.Label)
	require.Contains(t, string(r.body), `"spec":{"serviceAddress":"https://emqx.example.com"}`)
	f.call(asAdmin, http.MethodPost, r.header.Get("Location")+"/stop", "").problem()
	f.call(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"bare"}`).want(http.StatusCreated)
	f.call(asAdmin, http.MethodDelete, r.header.Get("Location"), "").want(http.StatusAccepted)
}

// What only hosted clusters take is refused with the same words whatever else is
// wrong with the request, and only to who may command the cluster.
func TestAdoptedClustersRefuseWhatIsForHostedOnes(t *testing.T) {
	f := newFixture(t, setup{})
	path := f.call(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"far"}`).want(http.StatusCreated).
		header.Get("Location")
	before := f.stored()
	for _, c := range []struct{ method, at, body, pointer string }{
		{"POST", "/start", "", ""}, {"POST", "/stop", "", ""}, {"POST", "/restart", "", ""},
		{"POST", "/repair", "", ""},
		{"POST", "/take-over", "", ""}, {"POST", "/put-back", "", ""},
		{"POST", "/scale", `{"nodes":3}`, "/nodes"}, {"POST", "/scale", `{"nodes":"3"}`, "/nodes"},
		{"POST", "/scale?dryRun=true", `{}`, "/nodes"},
		{"POST", "/resize", `{"size":"4C8G"}`, "/size"}, {"POST", "/image", `{"image":"emqx-ee-5.8.9"}`, "/image"},
		{"POST", "/image", `{"version":"x"}`, "/image"},
		{"POST", "/network", `{"type":"NodePort"}`, ""}, {"POST", "/network", `{"kind":1}`, ""},
		{"PATCH", "", `{"spec":{"nodes":3}}`, "/spec/nodes"},
		{"PATCH", "", `{"spec":{"placement":{}},"nonsense":1}`, "/spec/placement"},
		{"PATCH", "", `{"spec":{"connections":3,"config":{"a":"b"}}}`, "/spec/config"},
	} {
		t.Run(c.method+c.at+c.body, func(t *testing.T) {
			p := f.call(asAdmin, c.method, path+c.at, c.body).problem()
			require.Equal(t, ecp.CodeUnsupported, p.Code, "%+v", p)
			require.Contains(t, p.Detail, "only for hosted clusters")
			if strings.HasSuffix(c.at, "/network") || c.pointer != "" {
				require.Equal(t, c.pointer, p.Errors[0].Pointer)
			}
			require.Equal(t, ecp.CodeNotFound, f.call(asOrg, c.method, path+c.at, c.body).problem().Code)
			require.NotEqual(t, ecp.CodeUnsupported, f.call(asUser, c.method, path+c.at, c.body).problem().Code)
		})
	}
	require.Equal(t, before.position, f.stored().position)
	require.Equal(t, ecp.CodeInvalid, f.call(asAdmin, "PATCH", path, `{"spec":{"replicas":3}}`).problem().Code)
	require.Equal(t, ecp.CodeUnsupported, f.call(asAdmin, "POST", path+"/connections", `{"connections":3}`).problem().
		Code)
	var operations page[ecp.Operation]
	f.call(asAdmin, "GET", path+"/operations", "").want(http.StatusOK).into(&operations)
	require.Empty(t, operations.Items)
}

func TestListIsPagedAndFiltered(t *testing.T) {
	f := newFixture(t, setup{})
	names := map[string]bool{"Alpha": true, "beta": true, "gamma 集群": true}
	for name := range names {
		f.call(asAdmin, http.MethodPost, clustersPath, named(name)).want(http.StatusAccepted)
	}
	f.call(asOrg, http.MethodPost, clustersPath, `{"mode":"adopted","project":"other/one","name":"delta"}`).
		want(http.StatusCreated)

	read := func(token, query string) (names []string, next string) {
		var p page[clusterReply]
		conform[page[clusterView]](f.call(token, http.MethodGet, clustersPath+query, "").want(http.StatusOK), f.api).
			into(&p)
		for _, c := range p.Items {
			names = append(names, c.Name)
		}
		return names, p.Next
	}
	seen := map[string]bool{}
	query := "?limit=2"
	for pages := 0; ; pages++ {
		got, next := read(asAdmin, query)
		for _, n := range got {
			require.False(t, seen[n], "%s twice", n)
			seen[n] = true
		}
		if next == "" {
			require.Equal(t, 1, pages)
			break
		}
		query = "?limit=2&cursor=" + next
	}
	require.Equal(t, names, seen)

	for query, want := range map[string][]string{
		"?q=ALPHA": {"Alpha"}, "?mode=adopted": {"delta"}, "?project=other/one": {"delta"}, "?state=created": {"delta"},
		"?state=running":     nil,
		"?q=&state=degraded": nil, "?mode=adopted&project=default/default": nil, "?q=%E9%9B%86": {"gamma 集群"},
	} {
		got, _ := read(asSystem, query)
		require.Equal(t, want, got, query)
	}
	got, _ := read(asForeign, "")
	require.Equal(t, []string{"delta"}, got)
	got, _ = read(asForeign, "?project=default/default")
	require.Empty(t, got)
}

func TestCatalogues(t *testing.T) {
	f := newFixture(t, setup{})
	conform[page[ecp.Image]](f.call(asUser, http.MethodGet, "/api/v1/images", "").want(http.StatusOK), f.api)
	conform[page[ecp.Size]](f.call(asUser, http.MethodGet, "/api/v1/sizes", "").want(http.StatusOK), f.api)
	conform[ecp.Pool](f.call(asUser, http.MethodGet, "/api/v1/pool", "").want(http.StatusOK), f.api)
	for _, path := range []string{"/api/v1/images", "/api/v1/sizes", "/api/v1/pool"} {
		f.call(nobody, http.MethodGet, path, "").want(http.StatusUnauthorized)
	}
}

func TestProcess(t *testing.T) {
	var unready error
	f := newFixture(t, setup{ready: func(context.Context) error { return unready }})
	f.call(nobody, http.MethodGet, "/healthz", "").want(http.StatusOK)
	f.call(nobody, http.MethodGet, "/readyz", "").want(http.StatusOK)
	unready = errSecret
	r := f.call(nobody, http.MethodGet, "/readyz", "").want(http.StatusServiceUnavailable)
	require.NotContains(t, string(r.body), "secret")
	require.NotEmpty(t, r.header.Get("Retry-After"))
	require.JSONEq(t, `{"version":"0.0.0","commit":"abc","go":"go1","dev":true}`,
		string(f.call(nobody, http.MethodGet, "/api/v1/version", "").want(http.StatusOK).body))
	require.Equal(t, string(f.api.document),
		string(f.call(nobody, http.MethodGet, "/openapi.json", "").want(http.StatusOK).body))
	f.call(nobody, http.MethodHead, "/healthz", "").want(http.StatusOK)
}

// Waiting does not hold up a shutdown.
func TestWaitEndsWithTheProcess(t *testing.T) {
	f := newFixture(t, setup{}) // the Manager does not run: nothing ends
	operation := f.call(asAdmin, http.MethodPost, clustersPath, hostedBody).want(http.StatusAccepted).
		header.Get("Operation-Location")
	began := time.Now()
	f.call(asAdmin, http.MethodGet, operation+"?wait=10ms", "").want(http.StatusOK)
	f.call(asAdmin, http.MethodGet, operation+"?wait=0s", "").want(http.StatusOK)
	time.AfterFunc(20*time.Millisecond, func() { close(f.done) })
	var o ecp.Operation
	f.call(asAdmin, http.MethodGet, operation+"?wait=60s", "").want(http.StatusOK).into(&o)
	require.Equal(t, ecp.PhaseQueued, o.Phase)
	require.Less(t, time.Since(began), 20*time.Second)
}

// What a client writes does not get into the log, what it did does.
func TestLog(t *testing.T) {
	f := newFixture(t, setup{})
	f.call(asAdmin, http.MethodGet, clustersPath+"?q=hidden-words", "").want(http.StatusOK)
	f.call("wrong-token-0123456789", http.MethodGet, clustersPath+"?q=hidden-words", "").want(http.StatusUnauthorized)
	log := f.log.String()
	for _, secret := range []string{asAdmin, "wrong-token", "hidden-words", "Bearer"} {
		require.NotContains(t, log, secret)
	}
	var line struct {
		Route, Actor, Method string
		Status               int
	}
	first, _, _ := strings.Cut(log, "\n")
	require.NoError(t, json.Unmarshal([]byte(first), &line))
	require.Equal(t, "GET "+clustersPath, line.Route)
	require.Equal(t, "token:ann", line.Actor)
	require.Equal(t, http.StatusOK, line.Status)
}

func TestPanic(t *testing.T) {
	f := newFixture(t, setup{ready: func(context.Context) error { panic(errSecret) }})
	p := f.call(nobody, http.MethodGet, "/readyz", "").want(http.StatusInternalServerError).problem()
	require.Equal(t, blandText, p.Detail)
	require.Contains(t, f.log.String(), "request panicked")
	f.call(nobody, http.MethodGet, "/healthz", "").want(http.StatusOK)
}

func TestConfig(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "Config.Manager is missing")
}

// slowStore does not answer before the request is given up.
type slowStore struct{ ecp.Store }

func (s slowStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if _, authenticated := ecp.ActorFrom(ctx); authenticated {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Store.Read(ctx, fn)
}

func TestTimeIsBounded(t *testing.T) {
	f := newFixture(t, setup{store: func(s ecp.Store) ecp.Store { return slowStore{s} }})
	f.api.routes["GET "+clustersPath].timeout = 20 * time.Millisecond
	p := f.call(asAdmin, http.MethodGet, clustersPath, "").want(http.StatusServiceUnavailable).problem()
	require.Equal(t, ecp.CodeUnavailable, p.Code)
	require.False(t, errors.Is(t.Context().Err(), context.Canceled))
}
