package emqxsim_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// compared is one line of testdata/compared.
type compared struct {
	how                string // it is sent, or what comes before; "" = as the adapters do
	method, path, body string
	status             int
	has                []string // words of the answer; those with "!" it must not have
	line               string
}

// readCompared reads a file into runs of calls, each for a cluster of its own.
func readCompared(t *testing.T, file string) [][]compared {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var runs [][]compared
	fresh := true
	for i, line := range strings.Split(string(b), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			fresh = true
		default:
			if fresh {
				runs, fresh = append(runs, nil), false
			}
			c := parseCompared(t, fmt.Sprintf("%s:%d", file, i+1), line)
			runs[len(runs)-1] = append(runs[len(runs)-1], c)
		}
	}
	return runs
}

func parseCompared(t *testing.T, at, line string) compared {
	t.Helper()
	c := compared{line: line}
	call, answer, ok := strings.Cut(line, " => ")
	require.True(t, ok, at)
	if rest, with := strings.CutPrefix(call, "["); with {
		c.how, call, ok = strings.Cut(rest, "] ")
		require.True(t, ok, at)
	}
	words := strings.SplitN(call, " ", 3)
	require.GreaterOrEqual(t, len(words), 2, at)
	c.method, c.path = words[0], words[1]
	if len(words) == 3 {
		c.body = words[2]
	}
	parts := strings.Split(answer, " | ")
	_, err := fmt.Sscan(parts[0], &c.status)
	require.NoError(t, err, at)
	c.has = parts[1:]
	return c
}

// prepared5 and prepared4 are what compared calls find.
func prepared5(c *emqxsim.Cluster) {
	c.AddConnector("http", "off", map[string]any{"url": "http://sink"})
}

func prepared4(c *emqxsim.Cluster) { twoClients4(c) }

// replayCompared makes the calls whose answers were compared with those of running
// brokers by hand; bodies were not kept of them, so they are no recordings.
func replayCompared(t *testing.T) {
	for file, s := range map[string]scene{
		"testdata/compared/v5.txt": {files: "v5/", nodes: one5, with: prepared5},
		"testdata/compared/v4.txt": {files: "v4/", nodes: one4, with: prepared4},
	} {
		for _, run := range readCompared(t, file) {
			stage := build(t, s)
			for _, c := range run {
				stage.compare(t, c)
			}
		}
	}
}

// compare makes one call and holds its answer against the line.
func (st *stage) compare(t *testing.T, c compared) {
	t.Helper()
	door := ""
	v4 := strings.HasPrefix(c.path, "/api/v4")
	if c.how == "dashboard" {
		door = "dashboard"
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, st.doors[door].URL+c.path, strings.NewReader(c.body))
	require.NoError(t, err, c.line)
	if c.body != "" && c.how != "no type" {
		req.Header.Set("Content-Type", "application/json")
	}
	switch listener, stopped := strings.CutPrefix(c.how, "stopped "); {
	case stopped:
		st.cluster.SetListener(listener, 0, false)
		req.SetBasicAuth("admin", "public")
	case v4:
		req.SetBasicAuth("admin", "public")
	case c.how == "prepared":
		status, _, body := st.ask(t, "", recording{
			name: "v5/off", method: http.MethodPut, path: "/api/v5/connectors/http:off/enable/false",
		})
		require.Equal(t, http.StatusNoContent, status, body)
		fallthrough
	default:
		req.Header.Set("Authorization", "Bearer "+st.login(t))
	}
	res, err := st.doors[door].Client().Do(req)
	require.NoError(t, err, c.line)
	defer func() { _ = res.Body.Close() }()
	var text strings.Builder
	for name, values := range res.Header {
		fmt.Fprintf(&text, "%s: %s\n", strings.ToLower(name), strings.Join(values, ", "))
	}
	_, err = io.Copy(&text, res.Body)
	require.NoError(t, err)
	require.Equal(t, c.status, res.StatusCode, "%s: %s", c.line, text.String())
	for _, words := range c.has {
		if not, lacks := strings.CutPrefix(words, "!"); lacks {
			require.NotContains(t, text.String(), not, c.line)
			continue
		}
		require.Contains(t, text.String(), words, c.line)
	}
}
