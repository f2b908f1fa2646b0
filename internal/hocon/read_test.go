package hocon

import (
	"encoding/json"
	"strings"
	"testing"

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

func TestRead(t *testing.T) {
	tree, err := Read(printed)
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
		_, err := Read(bad)
		require.ErrorIs(t, err, ErrSyntax, bad)
	}
}

// FuzzRead: whatever is read ends, and is the same when it was written.
func FuzzRead(f *testing.F) {
	f.Add([]byte(printed))
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, err := Read(string(body))
		if err != nil {
			require.Nil(t, tree)
			return
		}
		again, err := Read(Tree(tree))
		require.NoError(t, err)
		require.Equal(t, withoutNulls(tree), withoutNulls(again))
	})
}
