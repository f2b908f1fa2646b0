package emqxsim_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
