package agentproto

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// HistorySource is what an agent has kept of its broker. It may be called by several
// goroutines at once.
type HistorySource interface {
	// History returns the records that a query selects, in the order of their
	// positions. Where records behind the position are lost it MUST begin with a gap
	// that ends in front of the first that is left. An error ends the sequence;
	// ErrNoHistory as the first error means that nothing is kept.
	History(ctx context.Context, q HistoryQuery) iter.Seq2[HistoryRecord, error]
}

const pathHistory = "/v1/history" // GET ?epoch=&seq=&since=&until=&kind=: records, one JSON object a line

// historyHandler answers with the records that are asked for. A server that reads
// slowly holds up nobody but itself, and no more than a few answers are made at once:
// each reads files.
func (s *served) historyHandler() http.Handler {
	places := make(chan struct{}, maxHistories)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := s.agent.cfg.History
		if source == nil {
			http.Error(w, "this agent keeps no history", http.StatusNotFound)
			return
		}
		q, err := parseHistoryQuery(r)
		if err != nil {
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

// sendHistory writes the records. An answer that cannot be read to its end is cut: it
// must not pass for all there is.
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
			continue // larger than a record may be: none of ours is
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return
		}
		if sent++; sent == maxHistoryRecords {
			return // the server asks again behind the last
		}
		select {
		case <-s.stop:
			panic(http.ErrAbortHandler)
		default:
		}
	}
}

func parseHistoryQuery(r *http.Request) (q HistoryQuery, err error) {
	if q.After, err = parsePosition(r); err != nil {
		return q, errBadHistoryQuery
	}
	values := r.URL.Query()
	for name, field := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := values.Get(name); text != "" {
			if *field, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return q, errBadHistoryQuery
			}
		}
	}
	for _, kind := range values["kind"][:min(len(values["kind"]), maxHistoryKinds)] {
		q.Kinds = append(q.Kinds, HistoryKind(kind))
	}
	return q, nil
}

// maxHistoryKinds is how many kinds a query may name: more than there are.
const maxHistoryKinds = 16

// values returns the query as it travels.
func (q HistoryQuery) values() url.Values {
	v := url.Values{"epoch": {strconv.FormatUint(q.After.Epoch, 10)}, "seq": {strconv.FormatUint(q.After.Seq, 10)}}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	for _, k := range q.Kinds {
		v.Add("kind", string(k))
	}
	return v
}
