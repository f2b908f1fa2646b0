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

// ErrNoHistory is returned for an agent that keeps no history: its program is older, or
// its settings disable it.
var ErrNoHistory = errors.New("the agent keeps no history")

// History returns the records of an agent that a query selects, in the order of their
// positions. It uses a stream of its own, so that reports are not delayed. The sequence
// ends without an error after the last record; an agent that has more records than fit in
// one answer (100,000) is asked again. History holds one record in memory, and the agent
// sends records as fast as the caller takes them. Texts are bounded and printable. Times
// are those of the agent's clock and may be wrong. The error is [ErrNotConnected],
// [ErrNoHistory], that of ctx, or one that quotes what the agent sent.
func (s *Server) History(ctx context.Context, agent string, q HistoryQuery) iter.Seq2[HistoryRecord, error] {
	return historyPages(ctx, agent, q, func(r *http.Request) (*http.Response, error) {
		sess, ok := s.session(agent)
		if !ok {
			return nil, ErrNotConnected
		}
		return sess.client.RoundTrip(r)
	})
}

// ReadHistory is [Server.History] for a server in another process. control leads to the
// agent's [HostControl]: what [Server.Transport] of that server returns.
func ReadHistory(ctx context.Context, agent string, q HistoryQuery,
	control http.RoundTripper) iter.Seq2[HistoryRecord, error] {
	return historyPages(ctx, agent, q, control.RoundTrip)
}

func historyPages(ctx context.Context, agent string, q HistoryQuery,
	trip func(*http.Request) (*http.Response, error)) iter.Seq2[HistoryRecord, error] {
	return func(yield func(HistoryRecord, error) bool) {
		for {
			n := 0
			for r, err := range historyOnce(ctx, q, trip) {
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
func historyOnce(ctx context.Context, q HistoryQuery,
	trip func(*http.Request) (*http.Response, error)) iter.Seq2[HistoryRecord, error] {
	refused := func(resp *http.Response) error {
		if resp.StatusCode == http.StatusNotFound {
			return ErrNoHistory
		}
		return unexpectedStatus(resp)
	}
	return requestLines(ctx, pathHistory, q.parameters(), trip, refused,
		func(in io.Reader) iter.Seq2[HistoryRecord, error] {
			return decodeHistories(in, q)
		})
}

// decodeHistories reads records, one JSON object a line, until the reader ends or a line
// is no record. A record that the query does not select, that comes twice or out of
// order is an error, and so are more records than one answer may have.
func decodeHistories(in io.Reader, q HistoryQuery) iter.Seq2[HistoryRecord, error] {
	n, after := 0, q.After
	return decodeLines(in, maxHistoryBytes, func(line []byte) (HistoryRecord, error) {
		r, err := DecodeHistory(line)
		switch {
		case err != nil:
			return HistoryRecord{}, err
		case n == maxHistoryRecords:
			return HistoryRecord{}, fmt.Errorf("an answer has more than %d records", maxHistoryRecords)
		case r.Epoch == after.Epoch && r.Seq <= after.Seq:
			return HistoryRecord{}, fmt.Errorf("history record %d comes after %d", r.Seq, after.Seq)
		case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, r.Kind):
			return HistoryRecord{}, fmt.Errorf("a history record of kind %s was not asked for", r.Kind)
		}
		n, after = n+1, r.Position()
		return r, nil
	})
}
