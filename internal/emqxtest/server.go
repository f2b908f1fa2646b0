package emqxtest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openecp/openecp/ecp"
)

// Paths answers some paths instead of another handler.
type Paths map[string]http.Handler

// Before returns a handler that falls back to h.
func (p Paths) Before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if other, ok := p[r.URL.Path]; ok {
			other.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Body is a success with this JSON.
type Body string

// ServeHTTP answers with the body.
func (b Body) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(b))
}

// Status is a failure with this status and its text.
type Status int

// ServeHTTP answers with the status.
func (s Status) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, http.StatusText(int(s)), int(s))
}

// Hang does not answer until the caller gives up.
type Hang struct{}

// ServeHTTP waits until the caller gives up.
func (Hang) ServeHTTP(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// WithContentType replaces the content type of every answer of h.
func WithContentType(h http.Handler, kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(rec.Code)
		_, _ = rec.Body.WriteTo(w)
	})
}

// Serve starts a server that ends with the test, and returns the way to it.
func Serve(t *testing.T, h http.Handler, login ecp.Credentials) ecp.Endpoint {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return ecp.Endpoint{BaseURL: s.URL, Credentials: login}
}

// Inside returns a way to a handler without a server. In a bubble of testing/synctest, a broker
// that hangs then takes no real time, and the load of the machine does not matter.
func Inside(h http.Handler, login ecp.Credentials) ecp.Endpoint {
	return ecp.Endpoint{BaseURL: "http://broker:18083", Credentials: login, Transport: inside{h}}
}

type inside struct{ h http.Handler }

// RoundTrip runs the handler on the caller's goroutine.
func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	i.h.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a := w.Result()
	a.Request = r
	return a, nil
}

// Describe describes the broker behind an endpoint once. It logs the error and its cause.
func Describe(t *testing.T, a ecp.Adapter, e ecp.Endpoint) (ecp.Description, error) {
	t.Helper()
	b, err := a.Open(e)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d, err := b.Describe(t.Context())
	if err != nil {
		t.Logf("%v (cause: %v)", err, errors.Unwrap(err))
	}
	return d, err
}

// CheckNode checks what must hold for a member whatever a broker answers.
func CheckNode(t *testing.T, n ecp.BrokerNode) {
	t.Helper()
	switch n.Status {
	case ecp.NodeRunning, ecp.NodeStopped:
		if n.Error != "" {
			t.Errorf("%+v has a reason for a status that is known", n)
		}
	case ecp.NodeUnknown:
		if n.Error == "" || len(n.Error) > 500 {
			t.Errorf("%+v has no reason for its status, or a long one", n)
		}
	default:
		t.Errorf("%+v has a status of its own", n)
	}
	if n.Name == "" || n.Uptime < 0 || min(n.Connections, n.Sessions) < 0 || min(n.MemoryUsed, n.MemoryTotal) < 0 {
		t.Errorf("%+v has no name or figures that count nothing", n)
	}
}
