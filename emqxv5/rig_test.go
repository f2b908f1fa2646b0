package emqxv5_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// patient is an adapter for brokers of which nothing hangs: on a loaded machine they are
// slow all the same, and nothing else must be tried beside.
var patient = emqxv5.New(emqxv5.Config{Timeout: time.Minute})

// open opens a broker of h that can do T.
func open[T any](t *testing.T, h http.Handler) T {
	t.Helper()
	return opened[T](t, patient, emqxtest.Serve(t, h, login))
}

// inside opens a broker of h, of which something may hang, in a bubble.
func inside[T any](t *testing.T, h http.Handler) T {
	t.Helper()
	return opened[T](t, emqxv5.New(emqxv5.Config{}), emqxtest.Inside(h, login))
}

func opened[T any](t *testing.T, a ecp.Adapter, e ecp.Endpoint) T {
	t.Helper()
	b, err := a.Open(e)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	can, ok := b.(T)
	require.True(t, ok)
	return can
}

// answer is a recording in testdata/answers.
func answer(t *testing.T, name string) http.Handler {
	return emqxtest.Recorded(t, filepath.Join("testdata/answers", name+".txt"))
}

// version is /nodes of one node of that version.
func version(v, edition string) http.Handler {
	return emqxtest.Body(fmt.Sprintf(`[{"node":"emqx@a","node_status":"running","role":"core","version":%q,`+
		`"edition":%q}]`, v, edition))
}

// refusedAs checks code and words of an error, and that the broker's own words
// are in its chain where they are given.
func refusedAs(t *testing.T, err error, code ecp.Code, broker string, says ...string) {
	t.Helper()
	require.Equal(t, code, ecp.CodeOf(err), "%v", err)
	if err == nil {
		return
	}
	for _, s := range says {
		require.ErrorContains(t, err, s)
	}
	require.Less(t, len(err.Error()), 700)
	var said *ecp.BrokerError
	if broker != "" {
		require.True(t, errors.As(err, &said), "%v has no *ecp.BrokerError", err)
		require.Equal(t, broker, said.Code)
	}
}

// limited lists a listener with the limit that it was last given, and as it was
// last turned, as a broker does, where h answers always alike.
func limited(h http.Handler) http.Handler {
	var mu sync.Mutex
	limit, runs := any("infinity"), true // guarded by mu
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		var sent map[string]any
		var list []map[string]any
		switch {
		case rec.Code != http.StatusOK:
		case r.Method == http.MethodPut && r.URL.Path == tcp && json.Unmarshal(body, &sent) == nil:
			limit = sent["max_connections"]
		case r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, tcp+"/"):
			runs = r.URL.Path == tcp+"/start"
		case r.Method == http.MethodGet && r.URL.Path == listeners && json.Unmarshal(rec.Body.Bytes(), &list) == nil:
			for _, l := range list {
				if l["id"] != "tcp:default" {
					continue
				}
				l["enable"] = runs
				l["status"].(map[string]any)["running"] = runs
				for _, n := range l["node_status"].([]any) {
					of := n.(map[string]any)["status"].(map[string]any)
					of["max_connections"], of["running"] = limit, runs
				}
			}
			rec.Body.Reset()
			_ = json.NewEncoder(rec.Body).Encode(list)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = rec.Body.WriteTo(w)
	})
}
