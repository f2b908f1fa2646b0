package broker_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/broker"
)

// rig is a simulated EMQX of one node on real sockets.
type rig struct {
	cluster   *emqxsim.Cluster
	dashboard *counted
	api       *counted // 4.4's management API
}

// counted is a server that counts and keeps what it was asked.
type counted struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request // guarded by mu; without bodies
}

func (c *counted) count(path string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.URL.Path == path {
			n++
		}
	}
	return n
}

func (c *counted) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.requests)
}

func (c *counted) last() *http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) == 0 {
		return nil
	}
	return c.requests[len(c.requests)-1]
}

func serve(t *testing.T, h http.Handler, start func(*httptest.Server)) *counted {
	t.Helper()
	c := &counted{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.requests = append(c.requests, r.Clone(context.WithoutCancel(r.Context())))
		c.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	start(c.Server)
	t.Cleanup(c.Close)
	return c
}

// start starts a node of a version.
func start(t *testing.T, c emqxsim.ClusterConfig) *rig {
	t.Helper()
	r := &rig{cluster: emqxsim.NewCluster(c)}
	n := r.cluster.Join("emqx@10.0.0.1")
	r.dashboard = serve(t, n.Dashboard(), (*httptest.Server).Start)
	r.api = serve(t, n.Handler(), (*httptest.Server).Start)
	return r
}

// settings lead to the rig.
func (r *rig) settings(s broker.Settings) broker.Settings {
	s.DashboardURL, s.APIURL = r.dashboard.URL, r.api.URL
	return s
}

// open opens an Access that ends with the test.
func open(t *testing.T, s broker.Settings, now func() time.Time) *broker.Access {
	t.Helper()
	a, err := broker.New(broker.Config{Settings: s, Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(context.WithoutCancel(t.Context())) })
	return a
}

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
