package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// answer remembers what has been answered, and indents JSON for people.
type answer struct {
	http.ResponseWriter
	status int
	broken bool // the client does not take it
	people bool // somebody reads it as it is
}

// readByPeople begin the User-Agent of what shows an answer as it comes; the
// API server of Kubernetes goes by the same words.
var readByPeople = []string{"curl/", "Wget/", "HTTPie/", "Mozilla/"}

func isReadByPeople(r *http.Request) bool {
	agent := r.UserAgent()
	for _, p := range readByPeople {
		if strings.HasPrefix(agent, p) {
			return true
		}
	}
	return false
}

// WriteHeader remembers the status.
func (o *answer) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write remembers whether it worked.
func (o *answer) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	shown := b
	if o.people {
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
func (o *answer) indented(b []byte) []byte {
	head := o.Header()
	if media := head.Get("Content-Type"); !strings.HasSuffix(media, "json") || strings.Contains(media, "ndjson") || head.Get("Content-Length") != "" {
		return b
	}
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return b
	}
	return out.Bytes()
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (o *answer) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// headerOnly catches what the mux would have said.
type headerOnly struct{ header http.Header }

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }
func (h *headerOnly) WriteHeader(int)             {}
