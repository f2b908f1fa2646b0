package agentproto

import (
	"context"
	"errors"
	"iter"
	"net/http"
)

// HistorySource reads the history that an agent keeps. Several goroutines may call it at
// once.
type HistorySource interface {
	// History returns the records that a query selects, in the order of their
	// positions. If records after the query's position are lost, the sequence MUST
	// begin with a gap that ends before the first record that is left. An error ends
	// the sequence. ErrNoHistory in place of the first record means that no history is
	// kept.
	History(ctx context.Context, q HistoryQuery) iter.Seq2[HistoryRecord, error]
}

// historyHandler answers with the records that a query selects. It makes only a few
// answers at once, since each of them reads files. A server that reads slowly delays only
// its own answer.
func (s *served) historyHandler() http.Handler {
	places := make(chan struct{}, maxHistories)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := s.agent.cfg.History
		if source == nil {
			http.Error(w, "this agent keeps no history", http.StatusNotFound)
			return
		}
		var q HistoryQuery
		if err := q.parameters().parse(r.URL.Query()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			http.Error(w, "too many answers are under way; ask again", http.StatusServiceUnavailable)
			return
		}
		s.sendHistory(w, r, source, q)
	})
}

// sendHistory writes the records. If they cannot be read to the end, it aborts the answer,
// which would look complete otherwise.
func (s *served) sendHistory(w http.ResponseWriter, r *http.Request, source HistorySource, q HistoryQuery) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	sent := 0
	for record, err := range source.History(r.Context(), q) {
		if errors.Is(err, ErrNoHistory) && sent == 0 {
			http.Error(w, "this agent keeps no history", http.StatusNotFound)
			return
		}
		if err != nil {
			s.agent.cfg.Logger.WarnContext(r.Context(), "history cannot be read", "error", err)
			panic(http.ErrAbortHandler)
		}
		line, err := EncodeHistory(record)
		if err != nil {
			continue // it is too large, which no record of ours is
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return
		}
		if sent++; sent == maxHistoryRecords {
			return // the server asks again after the last record
		}
		select {
		case <-s.stop:
			panic(http.ErrAbortHandler)
		default:
		}
	}
}
