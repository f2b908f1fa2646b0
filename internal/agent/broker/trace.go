package broker

import (
	"context"
	"sync/atomic"
)

// Trace learns whether anything answered the requests that were made with its
// context: an answer that makes no sense is another fault than none.
type Trace struct{ answered atomic.Bool }

// Answered reports whether there was an answer.
func (t *Trace) Answered() bool { return t.answered.Load() }

type traceKey struct{}

// WithTrace returns a context whose requests the trace learns of.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}
