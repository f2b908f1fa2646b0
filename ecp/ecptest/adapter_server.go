package ecptest

import (
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// roundTrip is a function that is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// transportOf returns the transport for an endpoint.
func transportOf(e ecp.Endpoint) http.RoundTripper {
	if e.Transport != nil {
		return e.Transport
	}
	return http.DefaultTransport
}

// serve starts a server that ends with the test. The credentials of the endpoint appear
// nowhere else.
func serve(t *testing.T, h http.HandlerFunc) ecp.Endpoint {
	t.Helper()
	s := quiet(h)
	s.Start()
	t.Cleanup(s.Close)
	return ecp.Endpoint{BaseURL: s.URL, Credentials: ecp.Credentials{Username: "user-4c1f", Password: `word "93ab"`}}
}

func quiet(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// connections counts the open connections of a server.
type connections struct {
	mu    sync.Mutex
	open  map[net.Conn]bool // guarded by mu
	moved chan struct{}
}

func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.open[conn] = true
	case http.StateActive, http.StateIdle: // still open
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	select {
	case c.moved <- struct{}{}:
	default:
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// wait waits until so many are open, for less than the time that idle connections are kept.
func (c *connections) wait(t *testing.T, want int) {
	t.Helper()
	late := time.After(3 * time.Second)
	for c.count() != want {
		select {
		case <-c.moved:
		case <-late:
			t.Fatalf("%d connections are still open, want %d", c.count(), want)
		}
	}
}

// deadAddress is an address on which nobody listens: the port of a service that is not in use
// any more. A port that was free a moment ago may be another test's.
const deadAddress = "127.0.0.1:1"

func basic(c ecp.Credentials) string {
	return base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password))
}
