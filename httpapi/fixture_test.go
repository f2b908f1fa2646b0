package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/proxy"
	"github.com/stretchr/testify/require"
)

// The tokens of a fixture, one for each kind of caller.
const (
	asSystem  = "system-token-0123456789"
	asAdmin   = "admin-token-0123456789" // of default/default
	asUser    = "user-token-0123456789"  // of default/default
	asOrg     = "org-token-0123456789"   // of the organisation other
	asForeign = "foreign-token-0123456789"
	asHead    = "head-token-0123456789"      // of the organisation default
	asNext    = "neighbour-token-0123456789" // of default/second
	asExpired = "expired-token-0123456789"   // of default/default, until yesterday
	nobody    = ""
)

var tokens = map[string]ecp.Token{
	asSystem: {ID: "t1", Name: "root", Role: ecp.RoleSystem},
	asAdmin:  {ID: "t2", Name: "ann", Role: ecp.RoleProjectAdmin, Project: "default/default"},
	asUser:   {ID: "t3", Name: "uma", Role: ecp.RoleUser, Project: "default/default"},
	asOrg:    {ID: "t4", Name: "olga", Role: ecp.RoleOrgAdmin, Org: "other"},
	asHead:   {ID: "t6", Name: "hana", Role: ecp.RoleOrgAdmin, Org: "default"},
	asNext:   {ID: "t7", Name: "nora", Role: ecp.RoleProjectAdmin, Project: "default/second"},
	asExpired: {ID: "t8", Name: "ed", Role: ecp.RoleProjectAdmin, Project: "default/default", ExpiresAt: time.Now().
		Add(-24 * time.Hour)},
	asForeign: {ID: "t5", Name: "fred", Role: ecp.RoleProjectAdmin, Project: "other/one"},
}

// fixture is the API over a real Manager, a store in memory and simulated
// clusters, behind a real server.
type fixture struct {
	t       testing.TB
	store   ecp.Store
	sim     *emqxsim.Provisioner
	manager *fleet.Manager
	api     *api
	server  *httptest.Server
	log     *logBuffer
	done    chan struct{}
}

// setup is what a test wants other than usual.
type setup struct {
	run     bool                            // the Manager runs
	bare    bool                            // no server listens
	nowhere bool                            // dashboards are not shown
	talks   bool                            // the Manager has adapters, and so speaks to EMQX
	pool    *ecp.Pool                       // nil = the default
	store   func(ecp.Store) ecp.Store       // wraps the store
	wrap    func(http.Handler) http.Handler // wraps the handler
	ready   func(context.Context) error

	link   ecp.Link // leads to adopted clusters; nil = none can be reached
	agents AgentSetup
	public string // URL of the API; "" = https://ecp.example.com, "-" = not known
}

func newFixture(t testing.TB, s setup) *fixture {
	t.Helper()
	f := &fixture{t: t, store: memstore.New(), log: &logBuffer{}, done: make(chan struct{})}
	if s.store != nil {
		f.store = s.store(f.store)
	}
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 20 * time.Millisecond})
	require.NoError(t, err)
	f.sim = p
	var adapters []ecp.Adapter
	if s.talks {
		adapters = []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})}
	}
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	f.manager, err = fleet.New(t.Context(), fleet.Config{
		Store: f.store, Link: s.link, Adapters: adapters, Hasher: quickHasher{}, Sealer: ring,
		NewProvisioner: func(context.Context, ecp.TargetConfig) (ecp.Provisioner, error) {
			return emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
		}, Provisioners: map[string]ecp.Provisioner{"default": p},
		Defaults: fleet.Defaults{Pool: s.pool, Projects: []string{"default/default", "default/second", "other/one"}},
	})
	require.NoError(t, err)
	require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error {
		for secret, token := range tokens {
			sum := sha256.Sum256([]byte(secret))
			token.Hash, token.LastUsed = hex.EncodeToString(sum[:]), time.Now().
				Add(time.Hour) // no use of it is written, however long a test takes
			if err := ecp.Put(tx, token, 0); err != nil {
				return err
			}
		}
		return nil
	}))
	dashboards, err := proxy.NewDashboards(proxy.DashboardsConfig{Manager: f.manager,
		Domain: &proxy.Domain{Scheme: "https", Host: "dash.example.com"}})
	require.NoError(t, err)
	if s.nowhere {
		dashboards = nil
	}
	f.api, err = newAPI(Config{
		Dashboards: dashboards, Agents: s.agents,
		PublicURL: strings.TrimPrefix(cmp.Or(s.public, "https://ecp.example.com"), "-"),
		Manager:   f.manager, Version: BuildInfo{"0.0.0", "abc", "go1"}, Ready: s.ready, Done: f.done, Dev: true,
		Logger: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	handler := f.conforming(f.api)
	if s.wrap != nil {
		handler = s.wrap(handler)
	}
	if !s.bare {
		f.server = httptest.NewServer(handler)
		t.Cleanup(f.server.Close)
	}
	if s.run {
		f.run()
	}
	return f
}

// quickHasher is no use against anybody, and costs no time.
type quickHasher struct{}

func (quickHasher) Hash(_ context.Context, password string) (string, error) {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:]), nil
}

func (h quickHasher) Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	is, err := h.Hash(ctx, password)
	return is == hash, false, err
}

// run lets the Manager work until the test ends.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.manager.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		require.NoError(f.t, <-ended)
	})
}

// logBuffer is what was logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// reply is an answer, read to its end.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

func (r reply) into(v any) {
	r.t.Helper()
	require.NoError(r.t, json.Unmarshal(r.body, v), "%s", r.body)
}

// want checks the status and gives the reply back.
func (r reply) want(status int) reply {
	r.t.Helper()
	require.Equal(r.t, status, r.status, "%s", r.body)
	return r
}

func (r reply) problem() problemView {
	r.t.Helper()
	require.Equal(r.t, "application/problem+json", r.header.Get("Content-Type"), "%s", r.body)
	var p problemView
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	require.NoError(r.t, d.Decode(&p), "%s", r.body)
	return p
}

func (r reply) cluster() clusterReply {
	r.t.Helper()
	var c clusterReply
	r.into(&c)
	return c
}

// clusterReply is what tests read of a cluster.
type clusterReply struct {
	ID      string
	Name    string
	Project string
	Status  struct {
		State     string
		Label     ecp.Label
		Operation string
	}
	Revision int64
}

// call sends a request with a JSON body ("" = none).
func (f *fixture) call(token, method, path, body string) reply {
	f.t.Helper()
	r := f.request(token, method, path, nil)
	if body != "" {
		r = f.request(token, method, path, bytes.NewReader([]byte(body)))
		r.Header.Set("Content-Type", "application/json")
	}
	return f.send(r)
}

func (f *fixture) request(token, method, path string, body io.Reader) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.server.URL+path, body)
	require.NoError(f.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func (f *fixture) send(r *http.Request) reply {
	f.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: f.server.Client().Transport}
	resp, err := client.Do(r)
	require.NoError(f.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(f.t, err)
	return reply{f.t, resp.StatusCode, resp.Header, body}
}

const hostedBody = `{"mode":"hosted","project":"default/default","name":"one","spec":{"nodes":3,"connections":1000}}`

// create makes a hosted cluster and gives its id.
func (f *fixture) create() string {
	f.t.Helper()
	return f.call(asAdmin, http.MethodPost, clustersPath, hostedBody).want(http.StatusAccepted).cluster().ID
}

// stored is everything a refused request must not have changed.
type stored struct {
	position int64
	clusters string
	pool     ecp.Pool
	stats    fleet.Stats
}

func (f *fixture) stored() stored {
	f.t.Helper()
	ctx := ecp.WithActor(f.t.Context(), ecp.System)
	position, err := f.manager.Position(ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, f.store.Read(ctx, func(tx ecp.Tx) error { // that something was refused is told
		for _, err := range ecp.List[change.AuditEntry](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			position--
		}
		return nil
	}))
	pool, err := f.manager.Pool(ctx)
	require.NoError(f.t, err)
	page, err := f.manager.Clusters(ctx, ecp.ListOptions{Limit: ecp.MaxListLimit})
	require.NoError(f.t, err)
	clusters, err := json.Marshal(page)
	require.NoError(f.t, err)
	return stored{position, string(clusters), pool, f.manager.Stats()}
}

// unchanged checks that what is stored is what was stored before.
func (f *fixture) unchanged(before stored, what string) {
	f.t.Helper()
	require.Equal(f.t, before, f.stored(), "%s: something is stored", what)
}

// eventually waits for a condition; seen is told when it does not come true.
func (f *fixture) eventually(what string, cond func() (ok bool, seen any)) {
	f.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := cond()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			f.t.Fatalf("%s did not come true; last seen: %v", what, seen)
		}
	}
}

func (f *fixture) awaitState(id, state string) {
	f.t.Helper()
	f.eventually(id+" is "+state, func() (bool, any) {
		c := f.call(asAdmin, http.MethodGet, clustersPath+"/"+id, "").want(http.StatusOK).cluster()
		return c.Status.State == state, c.Status.State
	})
}

// origin makes a change from somewhere and gives what the audit says of it.
func (f *fixture) origin(peer, forwarded string) ecp.Origin {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodPatch, "/api/v1/orgs/default",
		strings.NewReader(`{"description":"`+rand.Text()+`"}`))
	r.RemoteAddr = peer
	r.Header.Set("Authorization", "Bearer "+asSystem)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(headerRequest, "my-request")
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	w := httptest.NewRecorder()
	f.api.ServeHTTP(w, r)
	require.Equal(f.t, http.StatusOK, w.Code, "%s", w.Body)
	audit, err := f.manager.Changes.Audit(ecp.WithActor(f.t.Context(), ecp.System), change.AuditOptions{Limit: 1})
	require.NoError(f.t, err)
	return audit.Items[0].Origin
}

func prefixes(t *testing.T, text string) []netip.Prefix {
	t.Helper()
	if text == "" {
		return nil
	}
	return []netip.Prefix{netip.MustParsePrefix(text)}
}
