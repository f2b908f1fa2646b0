package agentproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Reports returns the reports of an agent after a position: first those that the
// agent has kept, then each new one as it is made. The sequence ends without an
// error when ctx ends. It ends with an error when the connection has ended or the
// agent sends something that is not a report; to go on, call Reports again with the
// last position. After [Newest] the first element is the newest report. If the agent
// is not connected, the only element is [ErrNotConnected].
func (s *Server) Reports(ctx context.Context, agent string, after Position) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		sess, ok := s.session(agent)
		if !ok {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", agent, ErrNotConnected))
			return
		}
		// streams of their own: a long replay is not in the way of anything else
		for _, path := range []string{pathReports, pathLive} {
			if !sess.readReports(ctx, path, &after, yield) {
				return
			}
		}
		if ctx.Err() == nil {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", agent, ErrNotConnected))
		}
	}
}

// KeptReports returns the reports after a position that an agent has kept.
// [ServerConfig].Reported is called when there are more; unlike with Reports, no
// goroutine has to wait for them.
func (s *Server) KeptReports(ctx context.Context, agent string, after Position) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		sess, ok := s.session(agent)
		if !ok {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", agent, ErrNotConnected))
			return
		}
		sess.readReports(ctx, pathReports, &after, yield)
	}
}

// readReports yields the reports of one stream and moves after. It returns false if
// that ended with an error, or because yield or ctx did.
func (s *session) readReports(ctx context.Context, path string, after *Position, yield func(Report, error) bool) bool {
	for r, err := range s.reports(ctx, path, *after) {
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", s.info.Agent, err))
			return false
		}
		*after = r.Position()
		if !yield(r, nil) {
			return false
		}
	}
	return true
}

// reports reads one stream of reports to its end.
func (s *session) reports(ctx context.Context, path string, after Position) iter.Seq2[Report, error] {
	return requestLines(ctx, path, after.parameters(), s.client.RoundTrip, unexpectedStatus,
		func(in io.Reader) iter.Seq2[Report, error] {
			return decodeReports(in, after)
		})
}

// decodeReports reads reports, one JSON object a line, until the reader ends or a line is
// no report. An agent numbers its reports: those that do not come after the position, or
// come out of order, are an error.
func decodeReports(in io.Reader, after Position) iter.Seq2[Report, error] {
	return decodeLines(in, maxReportBytes, func(line []byte) (Report, error) {
		r, err := decodeReport(line, after)
		if err == nil {
			after = r.Position()
		}
		return r, err
	})
}

func decodeReport(line []byte, after Position) (Report, error) {
	var r Report
	if err := r.UnmarshalJSON(line); err != nil { // json.Unmarshal would read all of it once more before
		return Report{}, fmt.Errorf("not a report: %w", err)
	}
	switch {
	case r.Epoch == 0 || r.Seq == 0:
		return Report{}, errors.New("a report has no position")
	case r.Epoch == after.Epoch && r.Seq <= after.Seq:
		return Report{}, fmt.Errorf("report %d comes after report %d", r.Seq, after.Seq)
	}
	return r.cleaned(), nil
}
