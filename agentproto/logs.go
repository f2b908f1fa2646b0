package agentproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// errNoMark is told of an agent whose page of a log cannot be gone on after.
var errNoMark = errors.New("the agent asks to go on reading a log, and does not say where")

// Logs returns what a query asks for of the log files beside an agent. The first
// element says that the log could be opened (see [LogLine].Passed). The agent sends
// pages, and each is asked for when the one before has been taken: who reads slowly, or
// not at all, holds a page in memory, and nothing grows.
//
// The sequence ends without an error when ctx ends, and when all of a log that is not
// followed was read. Any other end is an error: whoever wants to go on asks again after
// the last mark. Of a text to be found that is longer than 4 KiB only the beginning is
// looked for: who asks with one has to look at the lines again. A [*LogError] says why the agent does not send; with no connection the
// only element is [ErrNotConnected].
func (s *Server) Logs(ctx context.Context, agent string, q LogQuery) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		taking := true
		take := func(l LogLine) bool {
			taking = yield(l, nil)
			return taking
		}
		if len(q.Text) > maxLogSought { // what has all of it has its beginning
			q.Text, _ = clipText(q.Text, maxLogSought)
		}
		for more := true; more; {
			var err error
			if sess, ok := s.session(agent); ok {
				more, err = sess.logPage(ctx, &q, take)
			} else {
				err = ErrNotConnected
			}
			if !taking || ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(LogLine{}, fmt.Errorf("logs of agent %s: %w", agent, err))
				return
			}
		}
	}
}

// logPage reads one page and moves the query behind it; more says that there is
// another. It ends early where take returns false.
func (s *session) logPage(ctx context.Context, q *LogQuery, take func(LogLine) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := controlGet(ctx, pathLogs, q.query())
	if err != nil {
		return false, err
	}
	resp, err := s.bulkTrip(req)
	if err != nil {
		return false, s.broken(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, readLogError(resp)
	}
	moved := false
	for m, err := range decodeLogs(resp.Body) {
		switch {
		case err != nil:
			return false, s.broken(err)
		case m.End == logDone:
			return false, nil
		case m.End == logMore && !moved:
			return false, errNoMark
		case m.End == logMore:
			return true, nil
		}
		if m.Mark != "" && m.Mark != q.After {
			q.After, q.Tail, moved = m.Mark, 0, true
		}
		if !take(m.LogLine) {
			return false, nil
		}
	}
	return false, io.ErrUnexpectedEOF
}

// broken returns what to say of a page that broke off: that the connection has ended
// where it has.
func (s *session) broken(err error) error {
	if _, told := errors.AsType[*LogError](err); !told && !s.live() {
		return fmt.Errorf("%w any more: %w", ErrNotConnected, err)
	}
	return err
}

// readLogError reads why an agent refuses.
func readLogError(resp *http.Response) error {
	if resp.StatusCode == http.StatusNotFound {
		return &LogError{Code: LogUnsupported, Message: "the agent sends no logs: it is too old"}
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxControlBytes))
	var e LogError
	if err != nil || json.Unmarshal(raw, &e) != nil || e.Code == "" {
		return errors.New("the agent answered " + resp.Status)
	}
	return e.cleaned()
}
