package agent_test

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/home"
)

// roll is a registry of agents that the test fills.
type roll struct {
	mu   sync.Mutex
	keys map[string]ed25519.PublicKey // guarded by mu
}

func (r *roll) Register(context.Context, agentproto.Registration) (agentproto.Registered, error) {
	return agentproto.Registered{}, &agentproto.Refusal{Code: agentproto.RefusedTokenUnknown}
}

func (r *roll) PublicKey(_ context.Context, id string) (ed25519.PublicKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := r.keys[id]; ok {
		return key, nil
	}
	return nil, &agentproto.Refusal{Code: agentproto.RefusedUnknownAgent, Message: "no such agent"}
}

func (r *roll) Unregister(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, id)
	return nil
}

type watcher struct{}

func (watcher) Connected(agentproto.Connection)                         {}
func (watcher) Disconnected(agentproto.Connection, agentproto.Ending)   {}
func (watcher) Conflicted(agentproto.Connection, agentproto.Connection) {}

// world is a server, an EMQX and an agent's directory.
type world struct {
	*testing.T
	roll    *roll
	server  *agentproto.Server
	front   *httptest.Server
	cluster *emqxsim.Cluster
	node    *emqxsim.Node
	emqx    *httptest.Server
	dir     home.Dir
	env     map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, roll: &roll{keys: map[string]ed25519.PublicKey{}},
		dir: home.Dir(filepath.Join(t.TempDir(), "agent")), env: map[string]string{}}
	w.cluster = emqxsim.NewCluster(emqxsim.ClusterConfig{Username: "key-77", Password: "canary-secret"})
	w.node = w.cluster.Join("emqx@10.0.0.1")
	w.cluster.AddUser("op", "canary-word-1", "administrator")
	w.emqx = httptest.NewServer(w.node.Dashboard())
	t.Cleanup(w.emqx.Close)
	_, err := w.dir.Prepare()
	require.NoError(t, err)
	w.startServer()
	return w
}

func (w *world) startServer() {
	w.front = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.server.ServeHTTP(rw, r)
	}))
	var err error
	w.server, err = agentproto.NewServer(agentproto.ServerConfig{Name: w.front.Listener.Addr().String(),
		Registry: w.roll,
		Observer: watcher{}})
	require.NoError(w, err)
	w.server.ConfigureTLS(w.front.Config)
	w.front.TLS = w.front.Config.TLSConfig
	w.front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	w.front.StartTLS()
	w.Cleanup(w.stopServer)
}

func (w *world) stopServer() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.Context()), 10*time.Second)
	defer cancel()
	_ = w.server.Shutdown(ctx)
	w.front.CloseClientConnections()
	w.front.Close()
}

// register writes an identity that the server knows.
func (w *world) register(id string) agentproto.Identity {
	w.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	require.NoError(w, err)
	w.roll.mu.Lock()
	w.roll.keys[id] = pub
	w.roll.mu.Unlock()
	i := agentproto.Identity{
		Agent: id, Key: key, Cluster: "emqx-12345678", Server: w.front.URL,
		ServerName:  w.front.Listener.Addr().String(),
		Authorities: [][]byte{w.front.Certificate().Raw},
		CASHA256:    []string{agentproto.Fingerprint(w.front.Certificate())},
	}
	require.NoError(w, agentproto.WriteIdentity(w.dir.Identity(), i))
	return i
}

// broker saves EMQX's settings.
func (w *world) broker(user, password string) {
	w.Helper()
	require.NoError(w, agent.SaveBroker(string(w.dir), agent.BrokerSettings{DashboardURL: w.emqx.URL,
		APIURL:   w.emqx.URL,
		Username: user, Password: password}))
}

// run runs an agent until the test ends, or stop is called.
func (w *world) run() (stop func()) {
	w.Helper()
	a, err := agent.New(agent.Config{
		Home: string(w.dir), Version: "1.2.3", Getenv: func(name string) string { return w.env[name] },
		Root:    w.TempDir(),
		Timings: agentproto.AgentTimings{BackoffMin: 20 * time.Millisecond, BackoffMax: 200 * time.Millisecond},
	})
	require.NoError(w, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(w, <-ended)
	})
	w.Cleanup(stop)
	return stop
}

// until waits for a status of the running agent.
func (w *world) until(what string, ok func(agent.Status) bool) agent.Status {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := agent.ReadStatus(ctx, string(w.dir))
		if err == nil && ok(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.Fatalf("%s: not seen in time; last: %+v, %v\n%s", what, s, err, w.logged())
		}
	}
}

func (w *world) logged() string {
	text, _ := os.ReadFile(w.dir.Log())
	return string(text)
}

func connected(s agent.Status) bool { return s.Phase == agent.PhaseConnected }
func complete(s agent.Status) bool  { return connected(s) && s.Report.Complete }

// get makes a request through the tunnel.
func (w *world) get(id string, host agentproto.Host, path string) (int, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://x"+path, http.NoBody)
	require.NoError(w, err)
	res, err := w.server.Transport(id, host).RoundTrip(r)
	require.NoError(w, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(w, err)
	return res.StatusCode, string(body)
}

// noSecrets checks that what an agent tells has none.
func (w *world) noSecrets(s agent.Status, texts ...string) {
	w.Helper()
	for _, text := range append(texts, w.logged(), strings.Join(s.Todo, "\n"), strings.Join(s.Problems, "\n"),
		s.Broker.Credentials) {
		require.NotContains(w, text, "canary")
	}
}
