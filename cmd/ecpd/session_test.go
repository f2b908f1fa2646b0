package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAPISession runs the session of docs/api.md as it stands there, in a directory
// where the daemon has its data as `make run` gives it; only the port is
// another.
func TestAPISession(t *testing.T) {
	printed, readyAt, _ := runSession(t, "docs/api.md")
	type operation struct{ Kind, Phase, EndedAt string }
	var operations []operation
	var last string
	for _, answer := range regexp.MustCompile(`(?ms)^\{$.*?^\}$`).FindAllString(printed, -1) {
		var o operation
		if json.Unmarshal([]byte(answer), &o) == nil && o.Phase != "" {
			operations = append(operations, o)
		}
		last = answer
	}
	require.Len(t, operations, 6)
	for i, kind := range []string{"create", "stop", "start", "update", "update", "delete"} {
		require.Equal(t, kind, operations[i].Kind)
		require.Equal(t, "succeeded", operations[i].Phase)
	}
	created, err := time.Parse(time.RFC3339, operations[0].EndedAt)
	require.NoError(t, err)
	require.Less(t, created.Sub(readyAt), time.Minute, "from the ready line to running")
	require.Contains(t, printed, "\nevent: cluster\n")

	var booked pool
	require.NoError(t, json.Unmarshal([]byte(last), &booked))
	require.Equal(t, pool{}, booked)
}

// runSession runs the one block of sh in a document as it stands there, in a
// directory where the daemon has its data as `make run` gives it, and holds what
// it prints to the lines that follow "#> ".
func runSession(t *testing.T, document string) (printed string, readyAt time.Time, p *process) {
	t.Helper()
	session := sessionOf(t, document)
	t.Parallel()
	const address = "http://127.0.0.1:18180"
	require.Contains(t, session, address)

	dir := t.TempDir()
	p = launch(t, dir, nil, "serve", "--dev", "--listen", "127.0.0.1:0")
	url := p.Line(t, readyLine)
	readyAt = time.Now()

	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "bash", "-u")
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, strings.NewReader(
		strings.ReplaceAll(session, address, url)), &stdout, &stderr
	err := cmd.Run()
	t.Logf("%s%s", &stdout, &stderr)
	require.NoError(t, err)
	keepsPromises(t, document, session, stdout.String())
	return stdout.String(), readyAt, p
}

// sessionOf returns the one block of sh in a document.
func sessionOf(t *testing.T, document string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs bash and curl; run without -short")
	}
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("the session of %s needs %s: %v; install it", document, tool, err)
		}
	}
	content, err := os.ReadFile("../../" + document)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(content), "\n```sh\n")
	require.True(t, found, "%s has no block of sh", document)
	session, rest, found := strings.Cut(rest, "\n```\n")
	require.True(t, found)
	require.NotContains(t, rest, "```sh\n", "one block of sh is run; mark others otherwise")
	return session
}

// keepsPromises holds what a session printed to its lines that follow "#> ".
func keepsPromises(t *testing.T, document, session, printed string) {
	t.Helper()
	at := 0
	for line := range strings.Lines(session) {
		want, ok := strings.CutPrefix(strings.TrimSpace(line), "#> ")
		if !ok {
			continue
		}
		i := strings.Index(printed[at:], want)
		require.GreaterOrEqual(t, i, 0, "%s promises %s; what came then is\n%s", document, want, printed[at:])
		at += i + len(want)
	}
}
