package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    string
		ok    bool
		has   []string
		hasNo []string
		last  string
	}{
		{
			name: "a passing package is one line and its chatter is dropped",
			in: `{"Action":"output","Package":"m/a","Test":"TestX","Output":"chatter\n"}
{"Action":"pass","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
`,
			ok: true, hasNo: []string{"chatter", "skipped"}, last: "ok  \tm/a\t0.1s",
		},
		{
			name: "a failure is shown whole, and FAIL closes the run though others passed after it",
			in: `{"Action":"output","Package":"m/b","Test":"TestX","Output":"    x_test.go:3: why\n"}
{"Action":"fail","Package":"m/b","Test":"TestX"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t0.2s\n"}
{"Action":"fail","Package":"m/b"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
`,
			has: []string{"x_test.go:3: why", "ok  \tm/a\t0.1s\nFAIL\tm/b\t0.2s\nFAIL\n"}, last: "FAIL",
		},
		{
			name: "a skipped test is named with its reason, above the results",
			in: `{"Action":"output","Package":"m/a","Test":"TestK","Output":"=== RUN   TestK\n"}
{"Action":"output","Package":"m/a","Test":"TestK","Output":"    k_test.go:9: no ip command\n"}
{"Action":"output","Package":"m/a","Test":"TestK","Output":"--- SKIP: TestK (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestK"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
`,
			ok: true, has: []string{"1 skipped:\n    m/a.TestK: k_test.go:9: no ip command\n"}, last: "ok  \tm/a\t0.1s",
		},
		{
			name: "a build that fails fails",
			in: `{"ImportPath":"m/c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"ImportPath":"m/c","Action":"build-fail"}
{"Action":"output","Package":"m/c","Output":"FAIL\tm/c [build failed]\n"}
{"Action":"fail","Package":"m/c"}
`,
			has: []string{"c.go:1: syntax error"}, last: "FAIL",
		},
		{
			name: "a package that dies without its line is still counted",
			in:   `{"Action":"fail","Package":"m/d","Elapsed":1}` + "\n",
			has:  []string{"FAIL\tm/d\t1.000s\nFAIL\n"}, last: "FAIL",
		},
		{
			name: "what is no event is passed on, and no result is a failure",
			in:   "go: cannot find main module\n",
			has:  []string{"go: cannot find main module"}, last: "FAIL\tno package was tested",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := run(strings.NewReader(c.in), &out)
			require.NoError(t, err)
			require.Equal(t, c.ok, ok, out.String())
			for _, s := range c.has {
				require.Contains(t, out.String(), s)
			}
			for _, s := range c.hasNo {
				require.NotContains(t, out.String(), s)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			require.Equal(t, c.last, lines[len(lines)-1], out.String())
		})
	}
}
