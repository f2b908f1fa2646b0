package proxy

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// responseBody is the body of a response on its way from a broker.
type responseBody struct {
	io.ReadCloser
	guard *watchdog
	left  int64 // bytes that are still allowed
}

// Read fails where the body is larger than is allowed: the client then sees a response
// that was broken off.
func (b *responseBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.guard.progress()
	if int64(n) > b.left {
		n, err = int(b.left), errTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// response is what an exchange writes to. It holds headers back until the status is
// final, so that what a broker sends before that, and after the body, is dropped.
type response struct {
	http.ResponseWriter
	header  http.Header
	control *http.ResponseController
	maxWait time.Duration // for the client to take a piece

	mu      sync.Mutex // orders deadlines
	begun   bool       // guarded by mu: a final status was sent
	aborted bool       // guarded by mu: no write waits any more
}

func newResponse(w http.ResponseWriter, maxWait time.Duration) *response {
	return &response{ResponseWriter: w, header: http.Header{}, control: http.NewResponseController(w), maxWait: maxWait}
}

// Header returns the headers that are sent with the final status.
func (r *response) Header() http.Header { return r.header }

// WriteHeader sends a final status.
func (r *response) WriteHeader(status int) {
	if status < http.StatusOK || !r.begin() {
		return
	}
	for k, v := range r.header {
		r.ResponseWriter.Header()[k] = v
	}
	r.extendDeadline()
	r.ResponseWriter.WriteHeader(status)
}

// begin reports whether no final status was sent before this call.
func (r *response) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.begun
	r.begun = true
	return first
}

// Write sends a piece. It fails if the client does not take that in time.
func (r *response) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.extendDeadline()
	return r.ResponseWriter.Write(p)
}

// finish sends what was written, and removes the deadline from the connection, which
// can be used again.
func (r *response) finish() {
	if !r.begin() {
		_ = r.control.Flush() // net/http sees, too, that the client has closed
	}
	_ = r.control.SetWriteDeadline(time.Time{}) // not every writer can
}

// extendDeadline sets how long the next write may wait.
func (r *response) extendDeadline() {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := time.Now()
	if !r.aborted {
		until = until.Add(r.maxWait)
	}
	_ = r.control.SetWriteDeadline(until) // not every writer can
}

// abort ends a write that waits for the client, and lets none wait any more. It does
// not touch the error that is sent in place of a response that has not begun.
func (r *response) abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.aborted = true; r.begun {
		_ = r.control.SetWriteDeadline(time.Now()) // not every writer can
	}
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
