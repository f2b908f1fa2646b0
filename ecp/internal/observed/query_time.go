package observed

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/openecp/openecp/ecp"
)

// How long a user's question may take: at each node, and in all with the wait
// for a turn.
const (
	nodeTimeout  = 10 * time.Second
	QueryTimeout = 20 * time.Second
)

// errQueryTimeout is why a question to a node was ended.
var errQueryTimeout = errors.New("the time for the question is over")

// WithTimeout bounds a question, or how long its answer may take to begin. The
// function ends it.
func (q Query) WithTimeout(ctx context.Context, d time.Duration) (context.Context, func()) {
	if q.Out == nil {
		return context.WithTimeoutCause(ctx, d, errQueryTimeout)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(d, func() { cancel(errQueryTimeout) })
	q.Out.late = append(q.Out.late, late)
	return ctx, func() {
		late.Stop()
		cancel(nil)
	}
}

// Stream is what an answer is written to that cannot be taken back.
type Stream struct {
	W    io.Writer
	N    int64
	late []*time.Timer // stopped before anything is written
}

// Write writes on.
func (s *Stream) Write(b []byte) (int, error) {
	for _, t := range s.late {
		t.Stop()
	}
	n, err := s.W.Write(b)
	s.N += int64(n)
	return n, err
}

// begun says that something was written; nil = never.
func (s *Stream) begun() bool { return s != nil && s.N > 0 }

// inTime says of a question that took too long that it did: to the broker's
// client it was given up.
func inTime(ctx context.Context, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errQueryTimeout) {
		return err
	}
	return &ecp.Error{Code: ecp.CodeUnavailable, Message: "no answer in time", Cause: err}
}
