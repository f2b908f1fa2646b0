package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLogFile: it is put aside when it is full, and what cannot be written is counted
// and told until it can.
func TestLogFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	now := time.Unix(1, 0)
	l := &logFile{path: filepath.Join(dir, "agent.log"), most: 100, now: func() time.Time { return now }}
	line := []byte(strings.Repeat("x", 39) + "\n")
	write := func() {
		n, err := l.Write(line)
		require.NoError(t, err)
		require.Equal(t, len(line), n)
	}
	write() // there is no directory
	write()
	require.Contains(t, l.problem(), "2 lines were lost")
	require.NoError(t, os.Mkdir(dir, 0o700))
	write() // it is not tried for a moment
	require.NotEmpty(t, l.problem())
	now = now.Add(time.Second)
	write()
	require.Empty(t, l.problem())
	text, err := os.ReadFile(l.path)
	require.NoError(t, err)
	require.Contains(t, string(text), "lost=3")
	for range 3 {
		write()
	}
	info, err := os.Stat(l.path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(100))
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.NoError(t, l.Close())
	require.Empty(t, (*logFile)(nil).problem())
}

// TestTodo: what a person is told, most urgent first.
func TestTodo(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := Status{Phase: PhaseConnected, Problems: []string{"the log is full"}}
	s.Server.ClockSkewMS = (-2 * time.Hour).Milliseconds()
	s.Server.TLS.NotAfter = now.Add(time.Hour)
	require.Equal(t, []string{
		"set this host's clock: it is 2h0m0s behind the server's",
		"let the server's certificate be renewed: it ends 2026-01-01T01:00:00Z",
		"the log is full",
		"credentials of EMQX were looked for in vain: a; b",
	}, todo(s, now, []string{"a", "b"}))
	require.Empty(t, todo(Status{Phase: PhaseConnected}, now, nil))
	leaving := Status{Phase: PhaseWaiting, Server: ServerStatus{Refusal: "going_away", Error: "the server stops"}}
	require.Empty(t, todo(leaving, now, nil), "nobody has to do anything")
	refused := Status{Phase: PhaseRefused, Server: ServerStatus{Refusal: "bad_signature",
		Error: "the proof does not fit; register it again"}}
	require.Equal(t, []string{"the server refuses this agent: the proof does not fit; register it again"},
		todo(refused, now, nil), "the way to the server is well")
}

// TestPanics: one costs the part it happened in, which begins anew, and is told.
func TestPanics(t *testing.T) {
	a, err := New(Config{Home: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	a.log = a.config.Logger
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	a.keepRunning(ctx, "x", func(context.Context) {
		if runs++; runs == 1 {
			panic("canary")
		}
		cancel()
	})
	require.Equal(t, 2, runs)
	require.Contains(t, a.Status().Problems[0], "part x")
	require.NotContains(t, a.Status().Problems[0], "canary")
}
