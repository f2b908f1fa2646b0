package ecptest

import (
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Replay answers every call recorded in a folder's *.txt files as it was
// answered then, and every other with 404. A file holds the request line,
// lines such as "status: 200" and "content-type: text/plain", an empty line
// and the body. Without the credentials, login, a call gets the 401 that was
// recorded, else a bare one; /status needs none, as in EMQX.
func Replay(t testing.TB, login ecp.Credentials, folder string) http.Handler {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no recordings in %s: %v", folder, err)
	}
	r := replay{login: login, answers: map[string]recorded{}, refusal: recorded{status: http.StatusUnauthorized}}
	for _, name := range names {
		request, a := readRecording(t, name)
		if a.status == http.StatusUnauthorized {
			r.refusal = a
			continue
		}
		r.answers[request] = a
	}
	return r
}

// Recorded answers everything as one recording does, whatever is asked.
func Recorded(t testing.TB, name string) http.Handler {
	t.Helper()
	_, a := readRecording(t, name)
	return a
}

func readRecording(t testing.TB, name string) (request string, a recorded) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	a = recorded{header: http.Header{}, body: body}
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "status":
			a.status, _ = strconv.Atoi(value)
		case "auth", "request-body":
		default:
			a.header.Set(key, value)
		}
	}
	if a.status == 0 {
		t.Fatalf("%s has no status; is it a recording?", name)
	}
	return lines[0], a
}

type replay struct {
	login   ecp.Credentials
	answers map[string]recorded
	refusal recorded
}

type recorded struct {
	status int
	header http.Header
	body   string
}

// ServeHTTP answers as recorded.
func (r replay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a, ok := r.answers[req.Method+" "+req.URL.RequestURI()]
	user, password, _ := req.BasicAuth()
	switch {
	case (ecp.Credentials{Username: user, Password: password}) != r.login && req.URL.Path != "/status":
		a = r.refusal
	case !ok:
		a = recorded{status: http.StatusNotFound}
	}
	a.ServeHTTP(w, req)
}

// ServeHTTP answers as recorded, whatever is asked.
func (a recorded) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// transportOf gives what carries an endpoint's requests.
func transportOf(e ecp.Endpoint) http.RoundTripper {
	if e.Transport != nil {
		return e.Transport
	}
	return http.DefaultTransport
}

// serve starts a server that ends with the test, and gives the way to it with
// credentials that appear nowhere else.
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

// wait waits until so many are open.
func (c *connections) wait(t *testing.T, want int) {
	t.Helper()
	late := time.After(5 * time.Second)
	for c.count() != want {
		select {
		case <-c.moved:
		case <-late:
			t.Fatalf("%d connections are still open, want %d", c.count(), want)
		}
	}
}

// front puts a server of ours before an endpoint, to see its connections.
func front(t *testing.T, e ecp.Endpoint) (ecp.Endpoint, *connections) {
	t.Helper()
	target, err := url.Parse(e.BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	c := &connections{open: map[net.Conn]bool{}, moved: make(chan struct{}, 1)}
	s := quiet(&httputil.ReverseProxy{
		Transport: transportOf(e), ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	})
	s.Config.ConnState = c.track
	s.Start()
	t.Cleanup(s.Close)
	return ecp.Endpoint{BaseURL: s.URL, Credentials: e.Credentials}, c
}

// deadAddress gives an address nobody listens on.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func basic(c ecp.Credentials) string {
	return base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password))
}
