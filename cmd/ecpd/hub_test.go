package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
)

// Wrong registration tokens are counted by address: behind a trusted proxy by that
// of the client, and nobody else can choose whom they are counted against.
func TestAddressesOfAgents(t *testing.T) {
	for name, c := range map[string]struct{ peer, told, want string }{
		"behind a proxy":         {"10.0.0.9:4711", "203.0.113.7", "203.0.113.7"},
		"behind two":             {"10.0.0.9:4711", "198.51.100.1, 203.0.113.7, 10.0.0.8", "203.0.113.7"},
		"IPv6":                   {"10.0.0.9:4711", "2001:db8::7", "2001:db8::7"},
		"no word of the proxy":   {"10.0.0.9:4711", "", "10.0.0.9:4711"},
		"garbage of the proxy":   {"10.0.0.9:4711", "unknown", "10.0.0.9:4711"},
		"one that nobody trusts": {"192.0.2.1:4711", "203.0.113.7", "192.0.2.1:4711"},
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			hub, err := adopt.NewHub(adopt.Config{Name: "ecp.example.com", Logger: log})
			require.NoError(t, err)
			d := &daemon{hub: hub, downloads: newDownloads(t.TempDir(), log)}
			r := httptest.NewRequest(http.MethodGet, "/agent/v1/register", nil)
			r.RemoteAddr = c.peer
			if c.told != "" {
				r.Header.Set("X-Forwarded-For", c.told)
			}
			w := httptest.NewRecorder()
			d.withAgents(http.NotFoundHandler(), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}).ServeHTTP(w, r)
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)
			require.Regexp(t, `remote="?`+c.want+`"?( |\n)`, logged.String())
		})
	}
}
