package adopt

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// Logs are asked of agents of the cluster only, with the whole query, and each error is
// one for people.
func TestLogs(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.register("a", "")
		r.connect("a")
		q := ecp.AgentLogQuery{After: "7", Since: time.Unix(1, 0), Until: time.Unix(2, 0), Tail: 3, Level: "error",
			Text:   "x",
			Follow: true}
		want := agentproto.LogQuery{After: "7", Since: time.Unix(1, 0), Until: time.Unix(2, 0), Tail: 3, Level: "error",
			Text: "x", Follow: true}
		var fault error
		r.server.logs = func(agent string, got agentproto.LogQuery) iter.Seq2[agentproto.LogLine, error] {
			require.Equal(r.t, "a", agent)
			require.Equal(r.t, want, got)
			return func(yield func(agentproto.LogLine, error) bool) {
				_ = yield(agentproto.LogLine{At: time.Unix(1, 5), Text: "t", Mark: "8", Cut: true}, nil) &&
					yield(agentproto.LogLine{Gap: "g", Mark: "9", Passed: true}, nil) &&
					yield(agentproto.LogLine{}, fault)
			}
		}
		read := func(id ecp.ID, agent ecp.AgentID) (lines []ecp.AgentLogLine, err error) {
			for l, e := range r.hub.Logs(r.t.Context(), id, agent, q) {
				if err = e; e == nil {
					lines = append(lines, l)
				}
			}
			return lines, err
		}
		for _, c := range []struct {
			err  error
			code ecp.Code
			says string
		}{
			{&agentproto.LogError{Code: agentproto.LogUnsupported, Message: "x"}, ecp.CodeUnsupported,
				"the agent on host-a is too old for logs: upgrade it"},
			{&agentproto.LogError{Code: agentproto.LogDisabled, Message: "say so"}, ecp.CodeUnsupported,
				"the agent on host-a does not read logs: say so"},
			{&agentproto.LogError{Code: agentproto.LogBusy, Message: "32 already"}, ecp.CodeUnavailable,
				"the agent on host-a is busy: 32 already; it is asked again"},
			{&agentproto.LogError{Code: agentproto.LogStopped}, ecp.CodeUnavailable, "the agent on host-a stops"},
			{&agentproto.LogError{Code: "of a later version", Message: "why"}, ecp.CodeUnavailable,
				"the agent on host-a cannot read the log: why"},
			{fmt.Errorf("x: %w", agentproto.ErrNotConnected), ecp.CodeUnavailable,
				"the agent on host-a is not connected: its log goes on once it is"},
			{errors.New("canary"), ecp.CodeUnavailable, "the log of the agent on host-a broke off; it is asked again"},
		} {
			fault = c.err
			lines, err := read(testCluster, "a")
			require.Equal(r.t, []ecp.AgentLogLine{{At: time.Unix(1, 5), Text: "t", Mark: "8", Cut: true},
				{Gap: "g", Mark: "9", Passed: true}}, lines)
			require.Equal(r.t, c.code, ecp.CodeOf(err))
			require.Equal(r.t, c.says, ecp.MessageOf(err))
		}
		for agent, id := range map[ecp.AgentID]ecp.ID{"a": "emqx-00000002", "b": testCluster} {
			lines, err := read(id, agent)
			require.ErrorIs(r.t, err, ecp.ErrUnavailable)
			require.Empty(r.t, lines)
		}
	})
}
