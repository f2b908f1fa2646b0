package emqxv5

import (
	"context"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// TestSettings asks for what is below words, and leaves out what there is not. An
// answer that cannot be read is not repeated: it may hold secrets.
func TestSettings(t *testing.T) {
	said := map[string]string{"mqtt": "mqtt {max_packet_size = \"1MB\"}\n", "bad": "bad { password = hunter2"}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := said[r.URL.Query().Get("key")]
		if !ok {
			http.Error(w, `{"code":"NOT_FOUND","message":"Config key not found"}`, http.StatusNotFound)
			return
		}
		require.Equal(t, "text/plain", r.Header.Get("Accept"))
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(text))
	})
	b, err := New(Config{}).Open(emqxtest.Serve(t, h, ecp.Credentials{Username: "k", Password: "s-0123456789"}))
	require.NoError(t, err)
	defer b.Close()
	ask := func(roots ...string) (ecp.BrokerSettings, error) {
		return b.(ecp.SettingsSource).Settings(context.Background(), roots)
	}
	got, err := ask("mqtt", "nonesuch")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"mqtt": map[string]any{"max_packet_size": "1MB"}}, got.InForce)
	require.Equal(t, "15s", got.Defaults["mqtt.idle_timeout"])
	require.Equal(t, "infinity", got.Defaults["listeners.wss.default.max_connections"])
	_, err = ask("bad")
	require.Equal(t, ecp.CodeUnavailable, ecp.CodeOf(err))
	require.NotContains(t, err.Error(), "hunter2")
	_, err = ask("")
	require.Equal(t, ecp.CodeInvalid, ecp.CodeOf(err))
}
