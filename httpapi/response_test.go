package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// People get lines, programs get bytes; problems and successes alike.
func TestJSONForPeople(t *testing.T) {
	f := newFixture(t, setup{})
	for _, path := range []string{"/api/v1/version", "/nothing"} {
		for agent, lines := range map[string]bool{"curl/7.88.1": true, "Mozilla/5.0 (X11)": true,
			"Go-http-client/1.1": false, "": false} {
			r := f.request(nobody, http.MethodGet, path, nil)
			r.Header.Set("User-Agent", agent)
			got := f.send(r).body
			require.Equal(t, lines, strings.Count(string(got), "\n") > 1, "%s for %q: %s", path, agent, got)
		}
	}
}

// Who is turned away stands in the log with address and path, without debugging.
func TestRefusedRequestsAreLogged(t *testing.T) {
	f := newFixture(t, setup{})
	f.call("no-such-token-0123456789", http.MethodGet, "/api/v1/clusters?q=hush", "").want(http.StatusUnauthorized)
	f.call(asUser, http.MethodPost, "/api/v1/orgs", `{"name":"mine"}`).want(http.StatusForbidden)
	lines := f.log.String()
	for _, path := range []string{"/api/v1/clusters", "/api/v1/orgs"} {
		require.Regexp(t, `"level":"INFO","msg":"request",.*"path":"`+path+`",.*"remote":"127.0.0.1"`, lines)
	}
	require.NotContains(t, lines, "hush")
	require.NotContains(t, lines, "no-such-token")
}
