package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseHOCON(t *testing.T) {
	for text, want := range map[string]values{
		"a = 1\nb : two words , c=\"x\\\"y\"":                   {"a": "1", "b": "two words", "c": `x"y`},
		"a { b { c = 1 } d = 2 }\ne.f = 3":                      {"a.b.c": "1", "a.d": "2", "e.f": "3"},
		"# x\n// y\na = 1 # z\nb = 2 // z":                      {"a": "1", "b": "2"},
		"a = [1, {b = 2}, \"]\"]\nc = 3":                        {"c": "3"},
		"a = \"\"\"~\n x = 1\n~\"\"\"\nb = 2":                   {"a": "\n x = 1\n", "b": "2"},
		"include \"x.conf\"\na = 1":                             {"a": "1"},
		"a = ${b}\nc = 1":                                       {"c": "1"},
		"{a = 1, b {c = 2}}":                                    {"a": "1", "b.c": "2"},
		"a = 1\na = 2":                                          {"a": "2"},
		"dashboard.listeners.http { bind = \"0.0.0.0:18083\" }": {"dashboard.listeners.http.bind": "0.0.0.0:18083"},
		"\"a\".b = 1":                                           {"a.b": "1"},
		"}}}\na = 1":                                            {},
		"a += 1\nb = 2":                                         {"b": "2"},
		"node.name = \"emqx@127.0.0.1\"\r\nx = y\r\n":           {"node.name": "emqx@127.0.0.1", "x": "y"},
		strings.Repeat("a {", 100) + "b = 1":                    {},
	} {
		got := parseHOCON(text)
		for k, v := range want {
			require.Equal(t, v, got[k], "%q of %q: %v", k, text, got)
		}
	}
}

func TestLocal(t *testing.T) {
	for bind, want := range map[string]string{
		"18083": "http://127.0.0.1:18083", "0.0.0.0:1": "http://127.0.0.1:1", "[::]:5": "http://127.0.0.1:5",
		"10.0.0.1:80": "http://10.0.0.1:80",
		"0":           "", "x": "", "": "", "[::1]:9": "http://[::1]:9", "a b:1": "",
	} {
		require.Equal(t, want, local("http", bind), bind)
	}
}

// FuzzConfigs: a configuration file of somebody else, whatever is in it, is read in
// bounded time.
func FuzzConfigs(f *testing.F) {
	for _, text := range []string{"a = 1", "a {b = \"x\"", "a = [\"", "\"\"\"", "a = ${x", "{{{{", "a.b.c : {d=e}",
		"x=\\",
		"a = \"\\"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) values{parseHOCON, parseFlat} {
			v := parse(text)
			_ = v.addresses()
			if len(v) > mostKeys+1 {
				t.Fatalf("%d keys", len(v))
			}
			for k := range v {
				if strings.Count(k, "{") > len(text) {
					t.Fatal(fmt.Sprint(k))
				}
			}
		}
		_ = unquote(text)
		_ = checkPath(text)
	})
}
