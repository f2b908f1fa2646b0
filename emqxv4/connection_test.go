package emqxv4_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// closing is a server that tells of connections that end.
func closing(t *testing.T, h http.Handler, idle time.Duration) (ecp.Endpoint, <-chan struct{}) {
	t.Helper()
	ended := make(chan struct{}, 100)
	s := httptest.NewUnstartedServer(h)
	s.Config.IdleTimeout = idle
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			ended <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return ecp.Endpoint{BaseURL: s.URL, Credentials: login}, ended
}

// TestIdleConnections: before 4.4.24 the broker ends connections that idle for
// five seconds. Calls after that do not notice, with a transport of our own or
// with one that pools connections for longer.
func TestIdleConnections(t *testing.T) {
	for _, transport := range []http.RoundTripper{nil, &http.Transport{}} {
		e, ended := closing(t, replay(t, "one"), 20*time.Millisecond)
		e.Transport = transport
		b := openAs[ecp.Broker](t, emqxv4.Config{}, e)
		for range 5 {
			d, err := b.Describe(t.Context())
			require.NoError(t, err)
			require.Equal(t, described("opensource", 0, alone), d)
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatal("the server kept the connection")
			}
		}
		if pool, ok := transport.(*http.Transport); ok {
			pool.CloseIdleConnections()
		}
	}
}

// TestConnectionEndsUnderARequest: the broker may end a connection just as a
// request goes out on it. What may be done twice is then done again, also the
// start of an evacuation.
func TestConnectionEndsUnderARequest(t *testing.T) {
	var mu sync.Mutex
	served := map[string]int{} // by connection
	cut := 0
	h := site{version: "4.4.19", enterprise: true, paths: emqxtest.Paths{startB: done}}
	e, _ := closing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		served[r.RemoteAddr]++
		again := served[r.RemoteAddr] > 1
		if again {
			cut++
		}
		mu.Unlock()
		if again {
			panic(http.ErrAbortHandler) // ends the connection without an answer
		}
		h.ServeHTTP(w, r)
	}), time.Minute)
	b := openAs[ecp.Evacuator](t, emqxv4.Config{}, e)
	for range 4 {
		require.NoError(t, b.StartEvacuation(t.Context(), "emqx@b", ecp.EvacuationOrder{}))
	}
	require.NotZero(t, cut, "no connection ended under a request")
}

// TestCallsInParallel: a broker may be used from several goroutines, and the
// requests of one call stay within bounds.
func TestCallsInParallel(t *testing.T) {
	h := site{version: "4.4.24", enterprise: true, paths: emqxtest.Paths{
		resources: recorded(t, "13-resources"), resources + "/resource:w1": recorded(t, "13-resource"),
		rules:     recorded(t, "13-rules-with-resource"),
		listeners: recorded(t, "07-listeners"), activated: recorded(t, "30-alarms-activated-one"), evacuations: nobody,
		licenseInfo: ownInfo,
	}}
	b, err := emqxv4.New(emqxv4.Config{}).Open(emqxtest.Serve(t, h, login))
	require.NoError(t, err)
	defer b.Close()
	ctx := t.Context()
	calls := []func() error{
		func() error { _, err := b.Describe(ctx); return err },
		func() error { _, err := b.(ecp.IntegrationSource).Integrations(ctx); return err },
		func() error { _, err := b.(ecp.ListenerManager).Listeners(ctx); return err },
		func() error { _, err := b.(ecp.AlarmSource).ActiveAlarms(ctx); return err },
		func() error { _, err := b.(ecp.Evacuator).EvacuationProgress(ctx, "emqx@a"); return err },
		func() error { _, err := b.(ecp.LicenseManager).License(ctx); return err },
	}
	errs := make(chan error, 10*len(calls))
	for range 10 {
		for _, call := range calls {
			go func() { errs <- call() }()
		}
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
}
