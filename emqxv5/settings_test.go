package emqxv5

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// printed is what EMQX prints of parts of its configuration; the first lines are
// those of a recording of 5.8.9.
const printed = `authorization {
  cache {enable = true, excludes = [], max_size = 32, ttl = "1m"}
  deny_action = ignore
  sources = [
    {
      enable = true
      path = "${EMQX_ETC_DIR}/acl.conf"
      type = file
    }
  ]
}
listeners {
  tcp {
    default {
      access_rules = [
        "allow all"
      ]
      max_connections = infinity
      "max conn rate" : 1.5
      mountpoint = ""
    }
  }
}
alarm {actions = [log, publish]}
connectors {}
x {
  a = "q\"uo\\te\n"
  b = """~
    one
      two
  ~"""
  c = """as it is"""
}
`

func TestReadHOCON(t *testing.T) {
	tree, err := readHOCON(printed)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"authorization": map[string]any{
			"cache": map[string]any{
				"enable": true, "excludes": []any{}, "max_size": json.Number("32"), "ttl": "1m",
			},
			"deny_action": "ignore",
			"sources":     []any{map[string]any{"enable": true, "path": "${EMQX_ETC_DIR}/acl.conf", "type": "file"}},
		},
		"listeners": map[string]any{"tcp": map[string]any{"default": map[string]any{
			"access_rules": []any{"allow all"}, "max_connections": "infinity", "max conn rate": json.Number("1.5"),
			"mountpoint": "",
		}}},
		"alarm":      map[string]any{"actions": []any{"log", "publish"}},
		"connectors": map[string]any{},
		"x":          map[string]any{"a": "q\"uo\\te\n", "b": "one\n  two", "c": "as it is"},
	}, tree)
	for _, bad := range []string{
		"a", "a {", "a = [", `a = "`, "a = [1", "}", "a = ", "= 1", `a = """x`,
		strings.Repeat("a {", 100), "a = " + strings.Repeat("[", 100),
	} {
		_, err := readHOCON(bad)
		require.ErrorIs(t, err, errNoHOCON, bad)
	}
}

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

// FuzzHOCON: whatever is read ends, and can be written.
func FuzzHOCON(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Add([]byte(printed))
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, err := readHOCON(string(body))
		if err != nil {
			require.Nil(t, tree)
			return
		}
		_, err = json.Marshal(tree)
		require.NoError(t, err)
	})
}
