package adopt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// Logs returns what an agent of a cluster reads of the log files beside it; see
// [ecp.LogLink].
func (h *Hub) Logs(ctx context.Context, id ecp.ID, agent ecp.AgentID,
	q ecp.AgentLogQuery) iter.Seq2[ecp.AgentLogLine, error] {
	return func(yield func(ecp.AgentLogLine, error) bool) {
		host, known := h.hostOf(id, agent)
		if !known {
			yield(ecp.AgentLogLine{}, logError(host, agentproto.ErrNotConnected))
			return
		}
		asked := agentproto.LogQuery{
			After: q.After, Since: q.Since, Until: q.Until, Tail: q.Tail, Level: string(q.Level), Text: q.Text,
			Follow: q.Follow,
		}
		for l, err := range h.logs(ctx, agent, asked) {
			if err != nil {
				yield(ecp.AgentLogLine{}, logError(host, err))
				return
			}
			if !yield(ecp.AgentLogLine{At: l.At, Text: l.Text, Mark: l.Mark, Cut: l.Cut, Gap: l.Gap, Passed: l.Passed},
				nil) {
				return
			}
		}
	}
}

// hostOf names the host of an agent for people; known reports whether it is one of the
// cluster's that has connected.
func (h *Hub) hostOf(id ecp.ID, agent ecp.AgentID) (host string, known bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	a := h.findLocked(agent)
	if a == nil || a.cluster.id != id {
		return string(agent), false
	}
	return cmp.Or(text(a.connection.Hello.Hostname, maxName), string(agent)), true
}

// logErrors are the words for what an agent refuses, with the host's name and what the
// agent says, and whether it can work later.
var logErrors = map[agentproto.LogCode]struct {
	code   ecp.Code
	format string
}{
	agentproto.LogUnsupported: {ecp.CodeUnsupported, "the agent on %s is too old for logs: upgrade it%.0s"},
	agentproto.LogDisabled:    {ecp.CodeUnsupported, "the agent on %s does not read logs: %s"},
	agentproto.LogBusy:        {ecp.CodeUnavailable, "the agent on %s is busy: %s; it is asked again"},
	agentproto.LogStopped:     {ecp.CodeUnavailable, "the agent on %s stops%.0s"},
	agentproto.LogUnreadable:  {ecp.CodeUnavailable, "the agent on %s cannot read the log: %s"},
	agentproto.LogBadQuery:    {ecp.CodeUnavailable, "the agent on %s does not understand what it is asked: %s"},
}

// logError says for people why a log of an agent cannot be read.
func logError(host string, err error) error {
	if e, ok := errors.AsType[*agentproto.LogError](err); ok {
		words, known := logErrors[e.Code]
		if !known {
			words = logErrors[agentproto.LogUnreadable]
		}
		return &ecp.Error{Code: words.code, Message: fmt.Sprintf(words.format, host, e.Error()), Cause: err}
	}
	if errors.Is(err, agentproto.ErrNotConnected) {
		return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the agent on " + host +
			" is not connected: its log goes on once it is", Cause: err}
	}
	return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the log of the agent on " + host +
		" broke off; it is asked again", Cause: err}
}
