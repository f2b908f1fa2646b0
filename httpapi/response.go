package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// responseRecorder remembers what has been answered, and indents JSON for people.
type responseRecorder struct {
	http.ResponseWriter
	status int
	broken bool // the client does not take it
	indent bool // a person reads it as it is
	stream bool // of events
}

// peoplesAgents are how the User-Agent of programs begins that show an answer as it is;
// the API server of Kubernetes uses the same list.
var peoplesAgents = []string{"curl/", "Wget/", "HTTPie/", "Mozilla/"}

func readByPeople(r *http.Request) bool {
	agent := r.UserAgent()
	for _, p := range peoplesAgents {
		if strings.HasPrefix(agent, p) {
			return true
		}
	}
	return false
}

// WriteHeader remembers the status.
func (o *responseRecorder) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write remembers whether it worked.
func (o *responseRecorder) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	shown := b
	if o.indent {
		shown = o.indented(b)
	}
	n, err := o.ResponseWriter.Write(shown)
	o.broken = o.broken || err != nil
	if err == nil {
		n = len(b)
	}
	return n, err
}

// indented returns a JSON body with line ends and indents. Bodies that are
// written in pieces, or whose length was announced, stay as they are.
func (o *responseRecorder) indented(b []byte) []byte {
	head := o.Header()
	media := head.Get("Content-Type")
	if !strings.HasSuffix(media, "json") || strings.Contains(media, "ndjson") || head.Get("Content-Length") != "" {
		return b
	}
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return b
	}
	return out.Bytes()
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (o *responseRecorder) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// headerOnly records the header that the mux would have sent.
type headerOnly struct{ header http.Header }

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(int)             {}
