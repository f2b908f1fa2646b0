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
		for agent, lines := range map[string]bool{"curl/7.88.1": true, "Mozilla/5.0 (X11)": true, "Go-http-client/1.1": false, "": false} {
			r := f.request(nobody, http.MethodGet, path, nil)
			r.Header.Set("User-Agent", agent)
			got := f.send(r).body
			require.Equal(t, lines, strings.Count(string(got), "\n") > 1, "%s for %q: %s", path, agent, got)
		}
	}
}
