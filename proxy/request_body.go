package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is the body of a request on its way to a broker.
type requestBody struct {
	io.ReadCloser
	guard   *watchdog
	control *http.ResponseController
	whole   atomic.Bool // it was read to its end
	waits   atomic.Bool // a read waits for the client now
	late    atomic.Bool // the client did not send in time
	large   atomic.Bool // it is larger than is allowed

	mu      sync.Mutex // orders deadlines
	aborted bool       // guarded by mu: no read waits any more
}

// boundBody limits the body of a request. It returns nil if the request has none.
func boundBody(w http.ResponseWriter, r *http.Request, b Bounds, guard *watchdog) *requestBody {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	in := &requestBody{
		ReadCloser: http.MaxBytesReader(w, r.Body, b.Body), guard: guard, control: http.NewResponseController(w),
	}
	r.Body = in
	return in
}

// extendDeadline sets how long the next read may wait.
func (b *requestBody) extendDeadline() {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := time.Now()
	if !b.aborted {
		until = until.Add(b.guard.idle)
	}
	_ = b.control.SetReadDeadline(until) // not every writer can; the watchdog stays
}

// abort ends a read that waits for the client, and lets none wait any more.
func (b *requestBody) abort() {
	if b == nil || b.whole.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aborted = true
	_ = b.control.SetReadDeadline(time.Now()) // not every writer can
}

// finish is called before the handler returns. It keeps the server from waiting for
// the rest of the body.
func (b *requestBody) finish() {
	if b == nil {
		return
	}
	until := time.Now()
	if b.whole.Load() {
		until = time.Time{} // the connection can be used again
	}
	_ = b.control.SetReadDeadline(until) // not every writer can
}

// Read reads from the client, for which it waits no longer than the watchdog does.
func (b *requestBody) Read(p []byte) (int, error) {
	b.extendDeadline()
	b.waits.Store(true)
	n, err := b.ReadCloser.Read(p)
	var large *http.MaxBytesError
	switch {
	case err == nil:
	case err == io.EOF:
		b.whole.Store(true)
		_ = b.control.SetReadDeadline(time.Time{}) // net/http reads on, to see whether the client closes
	case errors.As(err, &large):
		b.large.Store(true)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.late.Store(true)
	}
	if !b.late.Load() {
		b.waits.Store(false)
		b.guard.progress()
	}
	return n, err
}

// faultStatus returns the status for what was wrong with the body, and 0 if nothing
// was. The error of the exchange itself depends on which side was quicker.
func (b *requestBody) faultStatus(cause error) int {
	switch {
	case b == nil:
		return 0
	case b.large.Load():
		return http.StatusRequestEntityTooLarge
	case b.late.Load(), b.waits.Load() && errors.Is(cause, errIdle):
		return http.StatusRequestTimeout
	}
	return 0
}
