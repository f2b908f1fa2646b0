package agentproto

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// control returns the handler of the control host.
func (s *served) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathPing, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
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

// takeGoodbye keeps why the server is about to close the connection.
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

// decodeRefusal reads a refusal that is made fit to be shown.
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

// sendReports writes the reports after the position that was asked for; live
// ones follow until the stream or the agent ends. How fast the server reads is
// how fast they are sent: what it has not taken stays in the log.
func (s *served) sendReports(w http.ResponseWriter, r *http.Request, live bool) {
	after, err := parsePosition(r)
	if err != nil {
		http.Error(w, "epoch and seq have to be numbers", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	for {
		reports, changed := s.agent.cfg.Reports.since(after)
		for _, report := range reports {
			if lines.Encode(report) != nil { //nolint:errchkjson // what fails is the connection
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

func parsePosition(r *http.Request) (p Position, err error) {
	q := r.URL.Query()
	for name, field := range map[string]*uint64{"epoch": &p.Epoch, "seq": &p.Seq} {
		if text := q.Get(name); text != "" {
			if *field, err = strconv.ParseUint(text, 10, 64); err != nil {
				return Position{}, err
			}
		}
	}
	return p, nil
}
