package emqxv4_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// site is a cluster of two nodes, emqx@a and emqx@b, with what it answers
// beside its members; every other call of the API it does not know.
type site struct {
	version    string
	enterprise bool
	paths      emqxtest.Paths
}

// ServeHTTP answers.
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said := map[string]string{
		"/api/v4/nodes": `{"code":0,"data":[{"node":"emqx@b","node_status":"Running","version":"` + s.version +
			`","connections":1,"live_connections":1},` +
			`{"node":"emqx@a","node_status":"Running","version":"` + s.version +
			`","connections":0,"live_connections":0}]}`,
		"/api/v4/brokers": `{"code":0,"data":[{"node":"emqx@a","sysdescr":"EMQX Broker","version":"` + s.version +
			`"}]}`,
	}
	if s.enterprise {
		said["/api/v4/license"] = `{"code":0,"data":{"max_connections":1000,"expiry_at":"2027-01-31 23:59:59"}}`
	}
	switch body, ok := said[r.URL.Path]; {
	case s.paths[r.URL.Path] != nil: // nil = as without
		s.paths[r.URL.Path].ServeHTTP(w, r)
	case ok:
		emqxtest.Body(body).ServeHTTP(w, r)
	case r.URL.Path == "/status":
		_, _ = io.WriteString(w, "Node emqx@a is started\nemqx is running")
	case strings.HasPrefix(r.URL.Path, "/api/v4"):
		unknown.ServeHTTP(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// unknown is how every 4.4 answers a call that it does not know.
var unknown = answer{http.StatusNotFound, "text/plain", "Not found."}

// answer is one with this status, content type and body.
type answer struct {
	status     int
	kind, body string
}

// ServeHTTP answers.
func (a answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// recorded is an answer of testdata/calls.
func recorded(t *testing.T, name string) http.Handler {
	return emqxtest.Recorded(t, "testdata/calls/"+name+".txt")
}

// patient is for brokers of which nothing hangs: on a loaded machine they are slow all
// the same, and nothing else must be tried beside.
var patient = emqxv4.Config{Timeout: time.Minute}

// brokerOf opens the broker behind a handler as one of its interfaces.
func brokerOf[T any](t *testing.T, h http.Handler) T {
	t.Helper()
	return openAs[T](t, patient, emqxtest.Serve(t, h, login))
}

// inside opens that of which something may hang, in a bubble.
func inside[T any](t *testing.T, h http.Handler) T {
	t.Helper()
	return openAs[T](t, emqxv4.Config{}, emqxtest.Inside(h, login))
}

func openAs[T any](t *testing.T, c emqxv4.Config, e ecp.Endpoint) T {
	t.Helper()
	b, err := emqxv4.New(c).Open(e)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	v, ok := b.(T)
	require.True(t, ok)
	return v
}

// refusedWith checks an error: its code, and words that are in its message.
func refusedWith(t *testing.T, err error, code ecp.Code, says ...string) {
	t.Helper()
	require.Equal(t, code, ecp.CodeOf(err), "%v", err)
	if err != nil {
		for _, s := range says {
			require.ErrorContains(t, err, s)
		}
		require.NotContains(t, err.Error(), login.Password)
		require.Less(t, len(err.Error()), 700)
	}
}
