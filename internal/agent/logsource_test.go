package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
)

const logHead = "2026-11-29T08:00:00.000000+00:00 "

// logFile is an EMQX's log, and its directory.
func (w *world) logFile() (dir string, write func(text string)) {
	dir = w.TempDir()
	return dir, func(text string) {
		w.Helper()
		f, err := os.OpenFile(filepath.Join(dir, "emqx.log.1"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(w, err)
		_, err = f.WriteString(text)
		require.NoError(w, err)
		require.NoError(w, f.Close())
	}
}

// read reads what the agent sends, until so many lines or its end.
func (w *world) read(id string, q agentproto.LogQuery, enough int, also func(n int)) (texts []string, mark string,
	err error) {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	for l, err := range w.server.Logs(ctx, id, q) {
		if err != nil {
			return texts, mark, err
		}
		if mark = l.Mark; l.Passed {
			continue
		}
		texts = append(texts, l.Text+l.Gap)
		if also != nil {
			also(len(texts))
		}
		if len(texts) == enough {
			return texts, mark, nil
		}
	}
	return texts, mark, ctx.Err()
}

// TestLogsThroughTheTunnel: the log files beside the agent, by the settings that count
// now, and without the secrets that their host knows.
func TestLogsThroughTheTunnel(t *testing.T) {
	w := newWorld(t)
	id := w.register("a").Agent
	dir, write := w.logFile()
	write(logHead + "[info] login of op with canary-word-1\n" + logHead +
		"[error] crash\n  Y2FuYXJ5LXdvcmQtMQ== canary-word-\n")
	settings := agent.BrokerSettings{DashboardURL: w.emqx.URL, APIURL: w.emqx.URL, Username: "op",
		Password: "canary-word-1", LogDir: dir}
	require.NoError(t, agent.SaveBroker(string(w.dir), settings))
	w.run()
	w.until("it reports", complete)
	_, _, err := w.read(id, agentproto.LogQuery{}, 0, nil)
	refused, ok := errors.AsType[*agentproto.LogError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, agentproto.LogDisabled, refused.Code)
	require.Contains(t, refused.Message, "--emqx-log-collection-enabled")

	settings.LogCollection = true
	require.NoError(t, agent.SaveBroker(string(w.dir), settings))
	w.until("it reads logs", func(s agent.Status) bool { return complete(s) && s.Logs.Dir == dir })
	got, mark, err := w.read(id, agentproto.LogQuery{}, 0, nil)
	require.NoError(t, err)
	require.Equal(t, []string{logHead + "[info] login of op with [redacted]", logHead + "[error] crash",
		"  [redacted]Q== canary-word-"}, got)
	got, _, err = w.read(id, agentproto.LogQuery{Level: "error", Text: "CRASH"}, 0, nil)
	require.NoError(t, err)
	require.Len(t, got, 2)
	for _, q := range []agentproto.LogQuery{{After: "nonsense"}, {Level: "loud"}} {
		_, _, err := w.read(id, q, 0, nil)
		refused, ok := errors.AsType[*agentproto.LogError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, agentproto.LogBadQuery, refused.Code)
	}

	write(logHead + "[info] one\n")
	got, mark, err = w.read(id, agentproto.LogQuery{After: mark, Follow: true}, 2, func(n int) {
		if n == 1 {
			write(logHead + "[info] two\n")
		}
	})
	require.NoError(t, err)
	require.Equal(t, []string{logHead + "[info] one", logHead + "[info] two"}, got)

	settings.LogCollection = false
	require.NoError(t, agent.SaveBroker(string(w.dir), settings))
	w.until("it reads no logs any more", func(s agent.Status) bool { return complete(s) && !s.Logs.Collect })
	_, _, err = w.read(id, agentproto.LogQuery{After: mark}, 0, nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, agentproto.LogDisabled, refused.Code)
}
