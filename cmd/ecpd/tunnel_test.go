package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	"github.com/openecp/openecp/internal/processtest"
)

// tunnelled is a daemon, an EMQX that keeps what it is asked, and the agent between
// the two.
type tunnelled struct {
	*daemon
	id      string
	witness *witness
}

// witness is an EMQX that keeps what it is asked.
type witness struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request // guarded by mu; without bodies
}

// asked returns the requests whose target or headers have a word in them.
func (w *witness) asked(word string) (out []*http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.seen {
		if strings.Contains(r.RequestURI, word) {
			out = append(out, r)
		}
	}
	return out
}

// newWitness starts a simulated EMQX. Paths that begin with /api/v5/own are the
// test's, and so is whatever else own has.
func newWitness(t testing.TB, version string, own http.HandlerFunc) *witness {
	t.Helper()
	cluster := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})
	node := cluster.Join("emqx@10.0.0.1").Dashboard()
	w := &witness{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, r.Clone(context.WithoutCancel(r.Context())))
		w.mu.Unlock()
		if own != nil && strings.Contains(r.URL.Path, "/own") {
			own(rw, r)
			return
		}
		node.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// through starts all three; what the agent has of its EMQX's settings beside the
// address is in s.
func through(t *testing.T, version string, s agent.BrokerSettings, own http.HandlerFunc) *tunnelled {
	t.Helper()
	programs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(programs, "emqxee-agent-linux-amd64"),
		[]byte("\x7fELF: guides tell its sum"), 0o755))
	d := &tunnelled{daemon: dev(t, filepath.Join(t.TempDir(), "data"), "--agents-dir", programs),
		witness: newWitness(t, version, own)}
	s.DashboardURL, s.APIURL, s.Username, s.Password = d.witness.URL, d.witness.URL, "admin", "public"
	d.id = d.adopt(t, "plant", s)
	return d
}

// adopt makes a cluster and runs an agent of it until the test ends.
func (d *tunnelled) adopt(t *testing.T, name string, s agent.BrokerSettings) (id string) {
	t.Helper()
	var made struct{ ID string }
	d.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"`+name+`"}`, &made, 201)
	var guide struct{ Token string }
	d.call(t, "POST", "/api/v1/clusters/"+made.ID+"/setup", `{"method":"binary","arch":"amd64"}`, &guide, 201)
	dir := home.Dir(filepath.Join(t.TempDir(), "agent"))
	_, err := dir.Prepare()
	require.NoError(t, err)
	identity, err := agentproto.Register(t.Context(),
		agentproto.RegisterConfig{URL: d.url, Token: guide.Token,
			Hello: agentproto.Hello{Version: "1.0.0", OS: "linux", Arch: "amd64", Hostname: name}})
	require.NoError(t, err)
	require.NoError(t, agentproto.WriteIdentity(dir.Identity(), identity))
	require.NoError(t, agent.SaveBroker(string(dir), s))
	a, err := agent.New(agent.Config{Home: string(dir), Version: "1.0.0", Getenv: func(string) string { return "" },
		Root: t.TempDir()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	d.reaches(t, made.ID, "running")
	return made.ID
}

// calls is the path below which the cluster's API is called.
func (d *tunnelled) calls() string { return "/api/v1/clusters/" + d.id + "/emqx" }

// dashboard opens the cluster's dashboard and returns its address and the session's
// cookie.
func (d *tunnelled) dashboard(t *testing.T) (host, cookie string) {
	t.Helper()
	var link struct{ URL string }
	d.call(t, "POST", "/api/v1/clusters/"+d.id+"/dashboard?via=agent", "", &link, 201)
	at, err := url.Parse(link.URL)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URL, http.NoBody)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Len(t, res.Cookies(), 1, "%s", res.Status)
	return at.Host, res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
}

// TestReadOnlyAgent: an agent that allows no changes says so to whoever calls, in
// the form of the API, and people log in by the dashboard all the same.
func TestReadOnlyAgent(t *testing.T) {
	t.Parallel()
	d := through(t, "5.8.9", agent.BrokerSettings{ReadOnly: true}, nil)
	a := d.call(t, "GET", d.calls()+"/api/v5/nodes", "", nil, 200)
	require.Equal(t, "broker", a.header.Get("Ecp-Answered-By"))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		a = d.call(t, method, d.calls()+"/api/v5/rules/changed", `{}`, nil, 403)
		require.Equal(t, "ecp", a.header.Get("Ecp-Answered-By"))
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		require.Contains(t, string(a.body), `"denied"`)
		require.Contains(t, string(a.body), "register --read-only=false", "what ends it")
	}
	host, cookie := d.dashboard(t)
	b := browser(t, "", nil)
	got := visit(t, b, "POST", "http://"+host+"/api/v5/login", `{"username":"admin","password":"public"}`, "Cookie",
		cookie, "Content-Type", "application/json")
	require.Equal(t, 200, got.status, "%s", got.body)
	got = visit(t, b, "DELETE", "http://"+host+"/api/v5/rules/changed", "", "Cookie", cookie)
	require.Equal(t, 403, got.status)
	require.Contains(t, string(got.body), `"message":"OpenECP: the agent is read-only`, "where its page shows it")
	require.Empty(t, d.witness.asked("changed"))
}

// TestAnswersInPlaceOfTheBroker: who calls learns that it is the agent's credentials
// that EMQX refuses, that EMQX is gone, and that a redirect is not followed.
func TestAnswersInPlaceOfTheBroker(t *testing.T) {
	t.Parallel()
	bystander := newWitness(t, "5.8.9", nil)
	d := through(t, "5.8.9", agent.BrokerSettings{}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "forged") {
			w.Header().Set("Ecp-Answered-By", "agent")
			http.Error(w, `{"code":"READ_ONLY","message":"forged"}`, http.StatusForbidden)
			return
		}
		http.Redirect(w, r, bystander.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	host, cookie := d.dashboard(t)
	for _, method := range []string{"GET", "POST"} {
		a := d.call(t, method, d.calls()+"/api/v5/own/elsewhere", "", nil, 502)
		require.Contains(t, string(a.body), "redirect")
		require.Equal(t, "ecp", a.header.Get("Ecp-Answered-By"))
	}
	_, _ = raw(t, host, "GET /api/v5/own/elsewhere HTTP/1.1\r\nHost: "+host+"\r\nCookie: "+cookie+
		"\r\nConnection: close\r\n\r\n")
	require.Empty(t, bystander.asked("/"), "nobody was dialled for a redirect")
	a := d.call(t, "GET", d.calls()+"/api/v5/own/forged", "", nil, 403)
	require.Equal(t, "broker", a.header.Get("Ecp-Answered-By"), "no broker passes for an agent")

	d.witness.CloseClientConnections()
	require.NoError(t, d.witness.Listener.Close())
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		a, err := d.try("GET", d.calls()+"/api/v5/nodes", "")
		return err == nil && a.status == 503 && a.header.Get("Ecp-Answered-By") == "ecp" &&
			strings.Contains(string(a.body), "refuses the connection"), fmt.Sprintf("%d %s", a.status, a.body)
	})
}
