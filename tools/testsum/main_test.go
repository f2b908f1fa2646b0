package main

import (
	"fmt"
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
			name: "a failed test is shown whole, and FAIL closes the run though others passed after it",
			in: `{"Action":"output","Package":"m/b","Test":"TestY","Output":"chatter of one that passed\n"}
{"Action":"pass","Package":"m/b","Test":"TestY"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"    x_test.go:3: why\n"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"--- FAIL: TestX (0.00s)\n"}
{"Action":"fail","Package":"m/b","Test":"TestX"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t0.2s\n"}
{"Action":"fail","Package":"m/b"}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a"}
`,
			has: []string{
				"    x_test.go:3: why\n--- FAIL: TestX (0.00s)\nFAIL\tm/b\t0.2s\nok  \tm/a\t0.1s\n",
				"ok  \tm/a\t0.1s\n\n1 failed:\n    m/b.TestX\n            x_test.go:3: why\n\nFAIL\tm/b\t0.2s\nFAIL\n",
			},
			hasNo: []string{"chatter", "=== RUN"}, last: "FAIL",
		},
		{
			name: "the cause is what is repeated at the end, and the subtest that failed is named, not its parent",
			in: `{"Action":"output","Package":"m/b","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"m/b","Test":"TestX/one","Output":"=== RUN   TestX/one\n"}
{"Action":"output","Package":"m/b","Test":"TestX/one","Output":"a log line\n"}
{"Action":"output","Package":"m/b","Test":"TestX/one","Output":"    x_test.go:3: \n"}
{"Action":"output","Package":"m/b","Test":"TestX/one","Output":"        \tError Trace:\t/x_test.go:3\n"}
{"Action":"output","Package":"m/b","Test":"TestX/one","Output":"        \t            \t--- Expected\n"}
{"Action":"fail","Package":"m/b","Test":"TestX/one"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"--- FAIL: TestX (0.00s)\n"}
{"Action":"fail","Package":"m/b","Test":"TestX"}
{"Action":"fail","Package":"m/b"}
`,
			has: []string{
				"a log line\n    x_test.go:3: \n",
				"1 failed:\n    m/b.TestX/one\n            x_test.go:3: \n" +
					"                \tError Trace:\t/x_test.go:3\n                \t            \t--- " +
					"Expected\n\nFAIL\t",
			},
			last: "FAIL",
		},
		{
			name: "a test that the process took with it is a failed one, one that waited its turn is not named",
			in: `{"Action":"output","Package":"m/b","Test":"TestW","Output":"=== RUN   TestW\n"}
{"Action":"output","Package":"m/b","Test":"TestW","Output":"=== PAUSE TestW\n"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"pan"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"ic: boom\n"}
{"Action":"fail","Package":"m/b"}
`,
			has:   []string{"panic: boom\nFAIL\tm/b", "1 failed:\n    m/b.TestX\n        panic: boom\n\nFAIL\tm/b"},
			hasNo: []string{"TestW"}, last: "FAIL",
		},
		{
			name: "what is printed after a test has passed, or outside of tests, is shown where no test failed",
			in: `{"Action":"output","Package":"m/b","Test":"TestX","Output":"--- PASS: TestX (0.00s)\n"}
{"Action":"pass","Package":"m/b","Test":"TestX"}
{"Action":"output","Package":"m/b","Test":"TestX","Output":"late\n"}
{"Action":"output","Package":"m/b","Output":"PASS\n"}
{"Action":"output","Package":"m/b","Output":"goleak: Errors on successful test run: found unexpected goroutines:\n"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t0.2s\n"}
{"Action":"fail","Package":"m/b"}
`,
			has: []string{
				"late\nPASS\ngoleak: ", "1 failed:\n    m/b, outside of tests\n        goleak: ",
			},
			hasNo: []string{"--- PASS"}, last: "FAIL",
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

// TestRunManyFailures is about the end of a log: whatever has failed, its last
// lines stay few, and name what they can.
func TestRunManyFailures(t *testing.T) {
	var in, out strings.Builder
	for i := range 100 {
		for line := range 50 {
			fmt.Fprintf(&in, `{"Action":"output","Package":"m/b","Test":"Test%d","Output":"line %d\n"}`+"\n", i, line)
		}
		fmt.Fprintf(&in, `{"Action":"fail","Package":"m/b","Test":"Test%d"}`+"\n", i)
	}
	fmt.Fprintln(&in, `{"Action":"fail","Package":"m/b"}`)
	ok, err := run(strings.NewReader(in.String()), &out)
	require.NoError(t, err)
	require.False(t, ok)
	_, end, found := strings.Cut(out.String(), "\n100 failed:\n")
	require.True(t, found, out.String())
	require.LessOrEqual(t, strings.Count(end, "\n"), digestLines+4, end)
	require.Contains(t, end, "    m/b.Test0\n")
	require.Contains(t, end, "    and 40 more\n")

	out.Reset()
	five := strings.SplitAfter(in.String(), `"Test":"Test4"}`+"\n")[0] + `{"Action":"fail","Package":"m/b"}`
	_, err = run(strings.NewReader(five), &out)
	require.NoError(t, err)
	_, end, _ = strings.Cut(out.String(), "\n5 failed:\n")
	require.Equal(t, 5, strings.Count(end, "        line 10\n"), end)
	require.Zero(t, strings.Count(end, "        line 11\n"), end)
}
