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

// errNoMark is the error for a page of a log that ends without a place to go on.
var errNoMark = errors.New("the agent asks to go on reading a log, and does not say where")

// Logs returns the lines that a query selects from the log files beside an agent. The
// first element means that the log could be opened; see [LogLine].Passed. The agent sends
// pages, and each is requested when the one before has been read: a caller that reads
// slowly, or not at all, holds one page in memory.
//
// The sequence ends without an error when ctx ends, and at the end of a log that is not
// followed. It ends with an error otherwise; to go on, call Logs again with the last mark.
// The error is a [*LogError] if the agent refuses. If the agent is not connected, the only
// element is [ErrNotConnected].
//
// If the query's Text is longer than 4 KiB, only its beginning is looked for, so that the
// caller has to check the lines again.
func (s *Server) Logs(ctx context.Context, agent string, q LogQuery) iter.Seq2[LogLine, error] {
	page := func(q *LogQuery, take func(LogLine) bool) (more bool, err error) {
		sess, ok := s.session(agent)
		if !ok {
			return false, ErrNotConnected
		}
		more, err = readLogPage(ctx, q, sess.bulkTrip, take)
		return more, sess.broken(err)
	}
	return logPages(ctx, agent, q, page)
}

// ReadLogs is [Server.Logs] for a server in another process. control leads to the agent's
// [HostControl]: what [Server.Transport] of that server returns.
func ReadLogs(ctx context.Context, agent string, q LogQuery, control http.RoundTripper) iter.Seq2[LogLine, error] {
	return logPages(ctx, agent, q, func(q *LogQuery, take func(LogLine) bool) (more bool, err error) {
		return readLogPage(ctx, q, control.RoundTrip, take)
	})
}

// logPages reads one page after the other.
func logPages(ctx context.Context, agent string, q LogQuery,
	page func(q *LogQuery, take func(LogLine) bool) (more bool, err error)) iter.Seq2[LogLine, error] {
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
			more, err = page(&q, take)
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

// readLogPage reads one page, moves the query behind it, and reports whether there is another.
// It ends early if take returns false.
func readLogPage(ctx context.Context, q *LogQuery, trip func(*http.Request) (*http.Response, error),
	take func(LogLine) bool) (more bool, err error) {
	moved := false
	for m, err := range requestLines(ctx, pathLogs, q.parameters(), trip, readLogError, decodeLogs) {
		switch {
		case err != nil:
			return false, err
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

// broken returns the error of a page that broke off. If the connection has ended, that is
// [ErrNotConnected].
func (s *session) broken(err error) error {
	if _, told := errors.AsType[*LogError](err); err != nil && !told && !s.live() {
		return fmt.Errorf("%w any more: %w", ErrNotConnected, err)
	}
	return err
}

// readLogError returns the error of an agent's refusal.
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
