package emqxsim_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
)

// A recording named 60-* asked the same calls over and over while a node
// restarted. What counts is which answers each of them gave one after another.

var transitionLine = regexp.MustCompile(`^t= *[0-9.]+ +GET (\S+) -> (.+)$`)

// readTransitions gives, for each call, its answers in turn: the status with
// the content type, or "refused".
func readTransitions(t *testing.T, name string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		m := transitionLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		var answer string
		switch f := strings.Fields(m[2]); {
		case strings.HasPrefix(m[2], "TimeoutError"):
			continue // it was asked while the node went down
		case strings.HasPrefix(m[2], "ConnectionRefused"):
			answer = refused
		default:
			answer = f[0] + " " + f[1]
		}
		out[m[1]] = appendChange(out[m[1]], answer)
	}
	require.NotEmpty(t, out, name)
	return out
}

const refused = "refused"

// appendChange adds an answer unless it is the last one again.
func appendChange(list []string, answer string) []string {
	if len(list) > 0 && list[len(list)-1] == answer {
		return list
	}
	return append(list, answer)
}

// transitionFiles are the recordings of restarts, those of the tree and all.
func transitionFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, folder := range []string{ownRecordings, allRecordings} {
		files, err := filepath.Glob(filepath.Join(folder, "*", "60-*.txt"))
		require.NoError(t, err)
		if folder == allRecordings && len(files) == 0 {
			t.Logf("no %s: replayed only those of the tree", allRecordings)
		}
		out = append(out, files...)
	}
	return out
}

// restart is how a recorded one came about.
type restart struct {
	files   string // what the recordings' names begin with
	version string
	page    time.Duration // see BootPage
	at      string        // the node that was asked
	do      func(t *testing.T, c *emqxsim.Cluster)
}

var restarts = []restart{
	{"v4/", "4.4.19", time.Second, "emqx@127.0.0.4",
		func(_ *testing.T, c *emqxsim.Cluster) { c.Node("emqx@127.0.0.4").Restart() }},
	{"v5/", "5.8.9", time.Second, "emqx@127.0.0.1",
		func(_ *testing.T, c *emqxsim.Cluster) { c.Node("emqx@127.0.0.1").Restart() }},
	// The page is there for a moment only; here nobody asked then.
	{"v5-cluster/60-joining", "5.8.9", 0, "emqx@127.0.0.2", invite2},
	{"v5-cluster/60-inviting", "5.8.9", 0, "emqx@127.0.0.1", invite2},
}

// invite2 makes the second node a member; to that end it starts anew.
func invite2(t *testing.T, c *emqxsim.Cluster) {
	t.Helper()
	h := c.Node("emqx@127.0.0.1").Handler()
	require.Equal(t, http.StatusOK, ask(t, h, http.MethodPut, "/api/v5/cluster/emqx@127.0.0.2/invite", "", true).Code)
}

// TestRestarts lets nodes restart by a clock of its own and asks what was asked
// of real ones all the while.
func TestRestarts(t *testing.T) {
	for _, file := range transitionFiles(t) {
		name := filepath.ToSlash(file)
		for _, folder := range []string{ownRecordings, allRecordings} {
			name = strings.TrimPrefix(name, folder+"/")
		}
		t.Run(name, func(t *testing.T) {
			want := readTransitions(t, file)
			i := slices.IndexFunc(restarts, func(r restart) bool { return strings.HasPrefix(name, r.files) })
			require.GreaterOrEqual(t, i, 0, "no row for it")
			r := restarts[i]
			now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
			c := emqxsim.NewCluster(emqxsim.ClusterConfig{
				Version: r.version, BootTime: 3 * time.Second, BootPage: r.page, Now: func() time.Time { return now },
			})
			nodes := map[string]*emqxsim.Node{}
			if strings.HasPrefix(name, "v5-cluster/") {
				nodes["emqx@127.0.0.1"] = c.Join("emqx@127.0.0.1")
				nodes["emqx@127.0.0.2"] = c.Standalone("emqx@127.0.0.2")
			} else {
				nodes[r.at] = c.Join(r.at)
			}
			now = now.Add(time.Minute)
			got := map[string][]string{}
			look := func() {
				for call := range want {
					got[call] = appendChange(got[call], answerOf(t, nodes[r.at], call))
				}
			}
			look()
			r.do(t, c)
			for range 100 {
				look()
				now = now.Add(100 * time.Millisecond)
			}
			require.Equal(t, want, got)
		})
	}
}

// answerOf is the status and content type a node gives, or that it takes no
// connection.
func answerOf(t *testing.T, n *emqxsim.Node, call string) string {
	t.Helper()
	e := n.Endpoint()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.BaseURL+call, http.NoBody)
	require.NoError(t, err)
	req.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	res, err := e.Transport.RoundTrip(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused
	}
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return strconv.Itoa(res.StatusCode) + " " + res.Header.Get("Content-Type")
}
