package emqxtest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Calls answers some calls, e.g. "PUT /api/v5/x", instead of another handler.
type Calls map[string]http.Handler

// Before returns a handler that falls back to h.
func (c Calls) Before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if other, ok := c[r.Method+" "+r.URL.Path]; ok {
			other.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Requests records the requests to a handler.
type Requests struct {
	mu   sync.Mutex
	sent []string // guarded by mu
}

// Record returns a handler that answers as h does.
func (r *Requests) Record(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		r.mu.Lock()
		r.sent = append(r.sent, strings.TrimSpace(req.Method+" "+req.URL.RequestURI()+" "+string(body)))
		r.mu.Unlock()
		h.ServeHTTP(w, req)
	})
}

// Sent returns the method, URI and body of each request.
func (r *Requests) Sent() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.sent...)
}

// Changes returns the requests other than GET.
func (r *Requests) Changes() []string {
	var all []string
	for _, s := range r.Sent() {
		if !strings.HasPrefix(s, http.MethodGet+" ") {
			all = append(all, s)
		}
	}
	return all
}

// InTurn answers with each handler in turn, and then always with the last.
func InTurn(all ...http.Handler) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// Refusal answers with this status and JSON.
func Refusal(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}
