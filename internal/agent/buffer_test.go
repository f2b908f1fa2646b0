package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
)

// transitions reads what an agent has kept behind a position, but for samples.
func (w *world) transitions(id string, after agentproto.Position) (words []string, last agentproto.Position) {
	w.Helper()
	last = after
	for r, err := range w.server.History(w.Context(), id, agentproto.HistoryQuery{After: after,
		Kinds: []agentproto.HistoryKind{
			agentproto.HistoryAlarm, agentproto.HistoryState, agentproto.HistoryGap}}) {
		require.NoError(w, err)
		last = r.Position()
		switch {
		case r.State != nil:
			words = append(words, strings.TrimSpace(string(r.State.About)+" "+r.State.Name)+" "+r.State.To)
		case r.Gap != nil:
			words = append(words, "gap "+string(r.Gap.Why))
		case r.Alarm != nil:
			words = append(words, "alarm "+r.Alarm.Name)
		}
	}
	return words, last
}

// TestBuffer: what happens to the broker while the server is away, and while the agent
// is, is there when both are back: once, in order, with the gap.
func TestBuffer(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.WriteFile(w.dir.Settings(),
		[]byte("monitoring: {interval: 1s}\nopenecp: {buffer: {size: 2MiB}}\n"), 0o600))
	w.broker("key-77", "canary-secret")
	other := w.cluster.Join("emqx@10.0.0.2")
	w.register("agent-1")
	stop := w.run()
	w.until("a report", complete)
	words, at := w.transitions("agent-1", agentproto.Position{})
	require.Empty(t, words)

	w.stopServer()
	other.Kill()
	w.until("the loss of a node", func(s agent.Status) bool {
		return len(s.Report.Members) == 2 && s.Report.Members[1].Status == agentproto.MemberStopped
	})
	stop() // before anybody has fetched it
	other.Revive()
	w.startServer()
	w.register("agent-1")
	w.run()
	s := w.until("a report", complete)
	require.Equal(t, int64(2<<20), s.Buffer.Size)
	require.Positive(t, s.Buffer.Used)
	words, at = w.transitions("agent-1", at)
	require.Equal(t, []string{"member emqx@10.0.0.2 stopped", "gap not_running", "member emqx@10.0.0.2 running"}, words,
		"also what the other run does not see")
	words, _ = w.transitions("agent-1", at)
	require.Empty(t, words, "once")
	w.noSecrets(s, w.buffered())

	// Off: what was kept goes, and the server is told that there is nothing.
	require.NoError(t, os.WriteFile(w.dir.Settings(),
		[]byte("monitoring: {interval: 1s}\nopenecp: {buffer: {age: 0}}\n"),
		0o600))
	w.until("nothing kept", func(s agent.Status) bool {
		_, err := os.Stat(w.dir.Buffer())
		return s.Buffer.Used == 0 && os.IsNotExist(err)
	})
	for _, err := range w.server.History(t.Context(), "agent-1", agentproto.HistoryQuery{}) {
		require.ErrorIs(t, err, agentproto.ErrNoHistory)
	}

	// A disk that takes nothing is told, and the agent goes on without.
	require.NoError(t, os.WriteFile(w.dir.Settings(), []byte("monitoring: {interval: 1s}\n"), 0o600))
	require.NoError(t, os.WriteFile(w.dir.Buffer(), nil, 0o600))
	s = w.until("the fault", func(s agent.Status) bool { return s.Buffer.Error != "" && complete(s) })
	require.Contains(t, strings.Join(s.Problems, " "), "cannot be written")
}

// buffered returns all that is in the buffer.
func (w *world) buffered() (text string) {
	files, err := filepath.Glob(filepath.Join(w.dir.Buffer(), "*"))
	require.NoError(w, err)
	require.NotEmpty(w, files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(w, err)
		text += string(b)
	}
	return text
}
