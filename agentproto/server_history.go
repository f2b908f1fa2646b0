package agentproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
)

// ErrNoHistory is returned for an agent that keeps no history: its program is older,
// or its settings say so.
var ErrNoHistory = errors.New("the agent keeps no history")

var errBadHistoryQuery = errors.New("epoch and seq have to be numbers, since and until times")

// History returns what an agent has kept that a query selects, in the order of
// positions, through a stream of its own: reports go on beside it. The sequence ends
// without an error when all was told; where the agent had more than one answer takes
// (100,000 records) it is asked again. Memory is that of one record and of what is
// under way; how fast the caller takes records is how fast they are sent. Texts are
// made fit to be shown; times are the agent's own and may be anything. The error is
// [ErrNotConnected], [ErrNoHistory], that of ctx, or one that quotes what the agent sent.
func (s *Server) History(ctx context.Context, agent string, q HistoryQuery) iter.Seq2[HistoryRecord, error] {
	return func(yield func(HistoryRecord, error) bool) {
		for {
			n := 0
			for r, err := range s.historyOnce(ctx, agent, q) {
				if err != nil {
					yield(HistoryRecord{}, fmt.Errorf("history of agent %s: %w", agent, err))
					return
				}
				if !yield(r, nil) {
					return
				}
				q.After = r.Position()
				n++
			}
			if n < maxHistoryRecords {
				return
			}
		}
	}
}

// historyOnce reads one answer.
func (s *Server) historyOnce(ctx context.Context, agent string, q HistoryQuery) iter.Seq2[HistoryRecord, error] {
	return func(yield func(HistoryRecord, error) bool) {
		sess, ok := s.session(agent)
		if !ok {
			yield(HistoryRecord{}, ErrNotConnected)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the stream where the caller has had enough
		req, err := controlGet(ctx, pathHistory, q.values().Encode())
		if err != nil {
			yield(HistoryRecord{}, err)
			return
		}
		resp, err := sess.client.RoundTrip(req)
		if err != nil {
			yield(HistoryRecord{}, err)
			return
		}
		defer resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
		case http.StatusNotFound:
			yield(HistoryRecord{}, ErrNoHistory)
			return
		default:
			yield(HistoryRecord{}, errors.New("the agent answered "+resp.Status))
			return
		}
		for r, err := range decodeHistories(resp.Body, q) {
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// decodeHistories reads records, one JSON object a line, until the reader ends or a
// line is none. What was not asked for, comes twice or out of order is an error, and
// so is more than one answer has.
func decodeHistories(in io.Reader, q HistoryQuery) iter.Seq2[HistoryRecord, error] {
	return func(yield func(HistoryRecord, error) bool) {
		lines := lineReader{in: in, max: maxHistoryBytes}
		after := q.After
		for n := 0; ; n++ {
			line, err := lines.next()
			if errors.Is(err, io.EOF) {
				return
			}
			var r HistoryRecord
			if err == nil {
				r, err = DecodeHistory(line)
			}
			switch {
			case errors.Is(err, errReportTooLarge):
				err = errHistoryTooLarge
			case err != nil:
			case n == maxHistoryRecords:
				err = fmt.Errorf("an answer has more than %d records", maxHistoryRecords)
			case r.Epoch == after.Epoch && r.Seq <= after.Seq:
				err = fmt.Errorf("history record %d comes after %d", r.Seq, after.Seq)
			case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, r.Kind):
				err = fmt.Errorf("a history record of kind %s was not asked for", r.Kind)
			}
			if err != nil {
				yield(HistoryRecord{}, err)
				return
			}
			after = r.Position()
			if !yield(r, nil) {
				return
			}
		}
	}
}
