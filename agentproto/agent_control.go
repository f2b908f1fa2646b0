package agentproto

import (
	"encoding/json"
	"io"
	"net/http"
)

// control returns the handler of the control host.
func (s *served) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathPing, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST "+pathGoodbye, s.takeGoodbye)
	mux.HandleFunc("POST "+pathTrust, s.takeAuthorities)
	mux.HandleFunc("GET "+pathReports, func(w http.ResponseWriter, r *http.Request) { s.sendReports(w, r, false) })
	mux.HandleFunc("GET "+pathLive, func(w http.ResponseWriter, r *http.Request) { s.sendReports(w, r, true) })
	mux.Handle("GET "+pathHistory, s.historyHandler())
	if s.agent.cfg.Logs != nil {
		mux.HandleFunc("GET "+pathLogs, s.sendLogs)
	}
	return mux
}

// takeGoodbye keeps the reason for which the server is about to close the connection.
func (s *served) takeGoodbye(w http.ResponseWriter, r *http.Request) {
	refusal, err := decodeRefusal(r.Body)
	if err != nil {
		http.Error(w, "not a goodbye", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.goodbye = refusal
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// decodeRefusal reads a refusal and makes it printable.
func decodeRefusal(in io.Reader) (*Refusal, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxControlBytes))
	if err != nil {
		return nil, err
	}
	var r Refusal
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	return r.cleaned(), nil
}

// sendReports writes the reports after a position. If live is true, new reports follow until
// the stream or the agent ends. Reports are sent as fast as the server reads; others stay in
// the log.
func (s *served) sendReports(w http.ResponseWriter, r *http.Request, live bool) {
	var after Position
	if err := after.parameters().parse(r.URL.Query()); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	for {
		reports, changed := s.agent.cfg.Reports.since(after)
		for _, report := range reports {
			if lines.Encode(report) != nil { //nolint:errchkjson // only the connection can fail
				return
			}
			after = report.Position()
		}
		if control.Flush() != nil || !live {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-s.stop:
			return
		}
	}
}
