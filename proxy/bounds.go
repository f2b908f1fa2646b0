package proxy

import (
	"cmp"
	"context"
	"time"
)

// Bounds limit one exchange with a broker. A zero field takes a default, which stands
// where the Bounds are used.
type Bounds struct {
	Body   int64         // bytes of a request
	Answer int64         // bytes of a response
	Idle   time.Duration // without any progress, before the response or in the middle of it
	Total  time.Duration // of the whole exchange
}

func (b Bounds) or(usual Bounds) Bounds {
	b.Body, b.Answer = cmp.Or(b.Body, usual.Body), cmp.Or(b.Answer, usual.Answer)
	b.Idle, b.Total = cmp.Or(b.Idle, usual.Idle), cmp.Or(b.Total, usual.Total)
	return b
}

// watchdog ends an exchange without progress.
type watchdog struct {
	idle  time.Duration
	timer *time.Timer
	end   context.CancelCauseFunc
}

// watch returns a context that ends, with a cause, when there was no progress for too
// long or when the exchange has taken too long in all. stop frees its resources.
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

// progress starts the time without progress anew. It does nothing after the end.
func (w *watchdog) progress() {
	if w.timer.Stop() {
		w.timer.Reset(w.idle)
	}
}

// endOverload ends an exchange that has lasted and has no long slot.
func endOverload(guard *watchdog, in *requestBody, out *response) {
	guard.end(errOverload)
	in.abort()
	out.abort()
}
