package ecptest

import (
	"bytes"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openecp/openecp/ecp"
)

// gate is a server in front of a cluster. It records the requests, and may answer them
// itself.
type gate struct {
	ecp.Endpoint
	t *testing.T
	// instead may answer the request n, counted from 1, and reports whether it did. It may
	// be nil.
	instead func(w http.ResponseWriter, r *http.Request, n int) bool

	through http.Handler // forwards to the cluster
	open    *connections
	asked   atomic.Int64 // number of requests
	sent    atomic.Int64 // bytes that instead has sent

	mu     sync.Mutex
	hidden []string       // guarded by mu; credentials that were sent
	made   map[string]int // guarded by mu; requested changes
}

// gateTo starts a gate that ends with the test.
func gateTo(t *testing.T, e ecp.Endpoint, instead func(w http.ResponseWriter, r *http.Request, n int) bool) *gate {
	t.Helper()
	target, err := url.Parse(e.BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{
		t: t, instead: instead, made: map[string]int{},
		open: &connections{open: map[net.Conn]bool{}, moved: make(chan struct{}, 1)},
		through: &httputil.ReverseProxy{
			Transport: transportOf(e), ErrorLog: log.New(io.Discard, "", 0), FlushInterval: -1,
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		},
	}
	s := quiet(g)
	s.Config.ConnState = g.open.track
	s.Start()
	t.Cleanup(s.Close)
	g.Endpoint = ecp.Endpoint{BaseURL: s.URL, Credentials: e.Credentials}
	return g
}

// ServeHTTP records the request and forwards or answers it.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(g.asked.Add(1))
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.note(r, body)
	if g.instead != nil && g.instead(counting{w, &g.sent}, r, n) {
		return
	}
	g.through.ServeHTTP(w, r)
}

func (g *gate) note(r *http.Request, body []byte) {
	if "http://"+r.Host != g.BaseURL {
		g.t.Errorf("%s %s went to %s, which is another host", r.Method, r.URL.Path, r.Host)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	header := r.Header.Get("Authorization")
	if _, secret, ok := strings.Cut(header, " "); ok {
		g.hidden = append(g.hidden, secret)
	}
	if g.isChange(r) {
		g.made[r.Method+" "+r.URL.RequestURI()+" "+string(body)]++
	}
}

// isChange reports whether a request may change something. A login does not, and has no
// credentials but those in its body; a logout does not either.
func (g *gate) isChange(r *http.Request) bool {
	return !strings.HasSuffix(r.URL.Path, "/logout") && r.Method != http.MethodGet && r.Method != http.MethodHead &&
		(r.Header.Get("Authorization") != "" || g.Credentials == (ecp.Credentials{}))
}

// changes returns the requested changes and how often each was requested.
func (g *gate) changes() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.made)
}

// secrets returns what must not be in any error.
func (g *gate) secrets(s AdapterSuite) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string{s.secret(), g.Credentials.Username, g.Credentials.Password, basic(g.Credentials)},
		g.hidden...)
}

// answerOf forwards the request and returns the answer of the cluster.
func (g *gate) answerOf(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.through.ServeHTTP(w, r)
	return w
}

// subjectAt opens a broker at a gate.
func subjectAt(t *testing.T, s AdapterSuite, g *gate) subject {
	t.Helper()
	return subject{s, g.Endpoint, open(t, s, g.Endpoint)}
}
