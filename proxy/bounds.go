package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds limit one exchange with a broker. A zero field takes the default that
// stands beside it where they are used.
type Bounds struct {
	Body   int64         // bytes of a request
	Answer int64         // bytes of an answer
	Idle   time.Duration // in which nothing moves, before the answer or in the middle of it
	Total  time.Duration // of the whole exchange
}

func (b Bounds) or(usual Bounds) Bounds {
	if b.Body == 0 {
		b.Body = usual.Body
	}
	if b.Answer == 0 {
		b.Answer = usual.Answer
	}
	if b.Idle == 0 {
		b.Idle = usual.Idle
	}
	if b.Total == 0 {
		b.Total = usual.Total
	}
	return b
}

// watchdog ends an exchange in which nothing moves.
type watchdog struct {
	idle  time.Duration
	timer *time.Timer
	end   context.CancelCauseFunc
}

// watch gives a context that ends with a cause when nothing has moved for too
// long, or when it has taken too long in all. stop frees what it holds.
func watch(ctx context.Context, b Bounds) (_ context.Context, w *watchdog, stop func()) {
	ctx, over := context.WithTimeoutCause(ctx, b.Total, errOverlong)
	ctx, cancel := context.WithCancelCause(ctx)
	w = &watchdog{idle: b.Idle, timer: time.AfterFunc(b.Idle, func() { cancel(errIdle) }), end: cancel}
	return ctx, w, func() {
		w.timer.Stop()
		cancel(nil)
		over()
	}
}

// moved says that something has.
func (w *watchdog) moved() {
	if w.timer.Stop() { // else it has barked already
		w.timer.Reset(w.idle)
	}
}

// bodyIn is a request's body on its way to a broker.
type bodyIn struct {
	io.ReadCloser
	dog     *watchdog
	control *http.ResponseController
	whole   atomic.Bool // it was read to its end
	waits   atomic.Bool // for the client, now
	late    atomic.Bool // the client did not send in time
	large   atomic.Bool // there was more than there may be

	mu  sync.Mutex // orders deadlines
	cut bool       // guarded by mu: nobody waits for the client any more
}

// patience sets how long a read may wait from now on.
func (b *bodyIn) patience() {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := time.Now()
	if !b.cut {
		until = until.Add(b.dog.idle)
	}
	_ = b.control.SetReadDeadline(until) // not every writer can; the watchdog stays
}

// cutOff ends a read that waits for the client, and lets none wait any more.
func (b *bodyIn) cutOff() {
	if b == nil || b.whole.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = true
	_ = b.control.SetReadDeadline(time.Now()) // not every writer can
}

// bound puts bounds around the body of a request; nil = it has none.
func bound(w http.ResponseWriter, r *http.Request, b Bounds, dog *watchdog) *bodyIn {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	in := &bodyIn{ReadCloser: http.MaxBytesReader(w, r.Body, b.Body), dog: dog, control: http.NewResponseController(w)}
	r.Body = in
	return in
}

// done, called before the handler returns, keeps the server from waiting for what
// is left of the body.
func (b *bodyIn) done() {
	if b == nil {
		return
	}
	until := time.Now()
	if b.whole.Load() {
		until = time.Time{} // the connection goes on
	}
	_ = b.control.SetReadDeadline(until) // not every writer can
}

// Read waits for the client no longer than for anybody.
func (b *bodyIn) Read(p []byte) (int, error) {
	b.patience()
	b.waits.Store(true)
	n, err := b.ReadCloser.Read(p)
	var large *http.MaxBytesError
	switch {
	case err == nil:
	case err == io.EOF:
		b.whole.Store(true)
		_ = b.control.SetReadDeadline(time.Time{}) // the server reads on, to see whether the client goes
	case errors.As(err, &large):
		b.large.Store(true)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.late.Store(true)
	}
	if !b.late.Load() {
		b.waits.Store(false)
		b.dog.moved()
	}
	return n, err
}

// fault says what was wrong with the body, as a status; 0 = nothing. What the
// exchange itself says of it depends on who was quicker.
func (b *bodyIn) fault(cause error) int {
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

// bodyOut is an answer's body on its way from a broker.
type bodyOut struct {
	io.ReadCloser
	dog  *watchdog
	left int64
}

// Read gives as much as there may be, and fails where there is more: who reads it
// sees it broken off, which is what it is.
func (b *bodyOut) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.dog.moved()
	if int64(n) > b.left {
		n, err = int(b.left), errTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// answer is where an exchange writes to. It keeps its headers to itself until the
// status is final: what a broker sends before that, and behind the body, does not
// come out.
type answer struct {
	http.ResponseWriter
	header  http.Header
	control *http.ResponseController
	stuck   time.Duration // that the client may take for a piece of it

	mu    sync.Mutex // orders deadlines
	begun bool       // guarded by mu: a final status was sent
	cut   bool       // guarded by mu: nobody waits for the client any more
}

func newAnswer(w http.ResponseWriter, stuck time.Duration) *answer {
	return &answer{ResponseWriter: w, header: http.Header{}, control: http.NewResponseController(w), stuck: stuck}
}

// Header gives those of the answer to come.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sends a final status.
func (a *answer) WriteHeader(status int) {
	if status < http.StatusOK || !a.begin() {
		return
	}
	for k, v := range a.header {
		a.ResponseWriter.Header()[k] = v
	}
	a.patience()
	a.ResponseWriter.WriteHeader(status)
}

// begin reports whether no final status was sent yet, and notes that it is now.
func (a *answer) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := !a.begun
	a.begun = true
	return first
}

// Write sends a piece; a client that does not take it in time is left.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.patience()
	return a.ResponseWriter.Write(p)
}

// done sends what was written, and lets the connection go on without the patience
// that this answer was given.
func (a *answer) done() {
	if !a.begin() {
		_ = a.control.Flush() // the client has gone: the server sees it, too
	}
	_ = a.control.SetWriteDeadline(time.Time{}) // not every writer can
}

func (a *answer) patience() {
	a.mu.Lock()
	defer a.mu.Unlock()
	until := time.Now()
	if !a.cut {
		until = until.Add(a.stuck)
	}
	_ = a.control.SetWriteDeadline(until) // not every writer can
}

// cutOff ends a write that waits for the client, and lets none wait any more. What
// is answered in place of an answer that has not begun does not pass through here.
func (a *answer) cutOff() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cut = true; a.begun {
		_ = a.control.SetWriteDeadline(time.Now()) // not every writer can
	}
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// crowdOut ends an exchange that has lasted and finds no place for that.
func crowdOut(dog *watchdog, in *bodyIn, out *answer) {
	dog.end(errCrowded)
	in.cutOff()
	out.cutOff()
}
