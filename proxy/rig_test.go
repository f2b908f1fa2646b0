package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// rig is a Manager with a running simulated cluster, and what is in front of it.
type rig struct {
	t       *testing.T
	sim     *emqxsim.Provisioner
	detour  *detour
	manager *fleet.Manager
	id      ecp.ID
	log     *logBuffer
	logger  *slog.Logger
}

// detour leads somewhere else where a test wants that.
type detour struct {
	*emqxsim.Provisioner
	mu sync.Mutex
	to *ecp.Endpoint // guarded by mu; nil = to the simulated brokers
}

func (d *detour) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.to != nil {
		return *d.to, nil
	}
	return d.Provisioner.Endpoint(ctx, id, node)
}

// lead lets the way end at a handler of the test's own.
func (r *rig) lead(h http.HandlerFunc) *httptest.Server {
	r.t.Helper()
	s := httptest.NewServer(h)
	r.t.Cleanup(s.Close)
	transport := &http.Transport{DisableKeepAlives: true}
	r.detour.mu.Lock()
	defer r.detour.mu.Unlock()
	r.detour.to = &ecp.Endpoint{BaseURL: s.URL, Transport: transport,
		Credentials: ecp.Credentials{Username: "the-key", Password: "the-secret"}}
	return s
}

func newRig(t *testing.T, image string) *rig {
	t.Helper()
	sim, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 10 * time.Millisecond})
	require.NoError(t, err)
	way := &detour{Provisioner: sim}
	m, err := fleet.New(t.Context(), fleet.Config{
		Store: memstore.New(), Hasher: quickHasher{}, Provisioners: map[string]ecp.Provisioner{"default": way},
		Defaults: fleet.Defaults{Projects: []string{"default/default", "other/one"}},
	})
	require.NoError(t, err)
	r := rigOf(t, m)
	r.sim, r.detour = sim, way
	info, _, err := r.manager.Create(system(t),
		fleet.CreateRequest{Mode: ecp.Hosted, Name: "one",
			Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: image, Nodes: 1, Connections: 10}}})
	require.NoError(t, err)
	r.id = info.ID
	r.eventually("a node is ready", func() bool {
		_, err := r.sim.Endpoint(t.Context(), r.id, "")
		return err == nil
	})
	return r
}

// rigOf lets a Manager run.
func rigOf(t *testing.T, m *fleet.Manager) *rig {
	t.Helper()
	r := &rig{t: t, manager: m, log: &logBuffer{}}
	r.logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return r
}

func system(t *testing.T) context.Context { return ecp.WithActor(t.Context(), ecp.System) }

func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	require.Eventually(r.t, cond, time.Minute, 2*time.Millisecond, what)
}

// token makes a token and gives its secret and id.
func (r *rig) token(role ecp.Role, project string) (secret, id string) {
	r.t.Helper()
	made, err := r.manager.Accounts.CreateToken(system(r.t),
		tenancy.TokenRequest{Name: string(role) + " of " + strings.ReplaceAll(project, "/", "-"),
			Grant: ecp.Grant{Role: role, Project: project}})
	require.NoError(r.t, err)
	return made.Secret, made.ID
}

// as returns a context of whoever a secret stands for.
func (r *rig) as(secret string) context.Context {
	r.t.Helper()
	a, err := r.manager.Accounts.Authenticate(r.t.Context(), secret)
	require.NoError(r.t, err)
	return ecp.WithActor(r.t.Context(), a)
}

// audit lists what was done to the cluster by way of this package, oldest last.
func (r *rig) audit(action string) []change.AuditEntry {
	r.t.Helper()
	page, err := r.manager.Changes.Audit(system(r.t),
		change.AuditOptions{Kind: ecp.KindCluster, Key: string(r.id), Limit: 100})
	require.NoError(r.t, err)
	var out []change.AuditEntry
	for _, e := range page.Items {
		if e.Action == action {
			out = append(out, e)
		}
	}
	return out
}

// quickHasher is no use against anybody, and costs no time.
type quickHasher struct{}

func (quickHasher) Hash(_ context.Context, password string) (string, error) { return password, nil }
func (quickHasher) Verify(_ context.Context, hash, password string) (ok, outdated bool, err error) {
	return hash == password, false, nil
}

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
	status int
	header http.Header
	body   string
	err    error // the body broke off
}

func send(t *testing.T, client *http.Client, r *http.Request) reply {
	t.Helper()
	res, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(b), err}
}

// calls is a server with a Passthrough behind it: the path at the broker follows
// the slash, the token is a bearer's.
type calls struct {
	*rig
	server  *httptest.Server
	client  *http.Client
	limiter *limiter[ecp.ID]
}

func (r *rig) passthrough(b Bounds) *calls {
	r.t.Helper()
	p, err := NewPassthrough(PassthroughConfig{
		Manager: r.manager, Logger: r.logger, Bounds: b,
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.Header().Set("Content-Type", "application/problem+json")
			status := map[ecp.Code]int{ecp.CodeDenied: 403, ecp.CodeNotFound: 404, ecp.CodeUnavailable: 503,
				ecp.CodeInvalid: 422, ecp.CodeThrottled: 429}[ecp.CodeOf(err)]
			if f, ok := err.(*Refusal); ok && f.Status != 0 { //nolint:errorlint // as it is given
				status = f.Status
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]string{"code": string(ecp.CodeOf(err)),
				"detail": ecp.MessageOf(err)})
		},
	})
	require.NoError(r.t, err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		a, err := r.manager.Accounts.Authenticate(q.Context(),
			strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer "))
		if err == nil {
			q = q.WithContext(ecp.WithActor(q.Context(), a))
		}
		p.Serve(w, q, r.id, q.URL.EscapedPath())
	}))
	r.t.Cleanup(s.Close)
	return &calls{rig: r, server: s, limiter: p.calls,
		client: &http.Client{Transport: s.Client().Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (c *calls) request(method, path, secret string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, body)
	require.NoError(c.t, err)
	r.Header.Set("Authorization", "Bearer "+secret)
	return r
}

func (c *calls) call(method, path, secret, body string) reply {
	c.t.Helper()
	r := c.request(method, path, secret, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return send(c.t, c.client, r)
}
