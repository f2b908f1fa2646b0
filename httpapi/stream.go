package httpapi

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

// item is one value of a sequence, or the error that ended it.
type item[T any] struct {
	value T
	err   error
}

// produce runs a sequence on a goroutine of its own and sends its values one by one, so
// that a client that does not read blocks this one goroutine and nothing else. wait
// returns when the goroutine has ended.
func produce[T any](ctx context.Context, seq iter.Seq2[T, error]) (values <-chan item[T], wait func()) {
	out := make(chan item[T])
	var group sync.WaitGroup
	group.Go(func() {
		for v, err := range seq {
			select {
			case out <- item[T]{v, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	return out, group.Wait
}

// forward sends what comes until the stream ends, with heartbeats between.
func forward[T any](
	ctx context.Context, a *api, s *stream, r *http.Request, values <-chan item[T], send func(item[T]),
) {
	beat := time.NewTicker(a.heartbeat)
	defer beat.Stop()
	for s.err == nil && ctx.Err() == nil {
		select {
		case v := <-values:
			send(v)
		case <-beat.C:
			a.sendHeartbeat(ctx, s, r)
		case <-ctx.Done():
		}
	}
	a.sendShutdown(s)
}

// fail ends a stream with an error: the client learns the reason, and can begin a new
// one.
func (a *api) fail(ctx context.Context, s *stream, err error) {
	if ctx.Err() != nil {
		return
	}
	s.event("", "problem", a.failed(ctx, err))
	s.stop()
}

// sendHeartbeat shows that the stream is alive, and checks its token again: a stream
// ends with its token, and a new one has to be begun when rights have changed.
func (a *api) sendHeartbeat(ctx context.Context, s *stream, r *http.Request) {
	was, _ := ecp.ActorFrom(ctx)
	now, p := a.authenticate(r)
	switch {
	case ctx.Err() != nil:
	case p != nil:
		s.event("", "problem", p)
		s.stop()
	case !reflect.DeepEqual(was, now):
		s.event("", "problem", newProblem(ecp.CodeUnavailable, "your rights have changed; "+s.again))
		s.stop()
	default:
		s.write([]byte(":\n\n"))
	}
}

// sendShutdown tells a client that its stream ends because the process does.
func (a *api) sendShutdown(s *stream) {
	select {
	case <-a.done:
		s.event("", "problem", newProblem(ecp.CodeUnavailable, "the server is shutting down; "+s.again))
	default:
	}
}

// stream writes server-sent events. After the first error it writes nothing.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // of one write
	again   string        // how a client goes on after the stream has ended
	err     error
	end     StreamEnd
	ended   func(StreamEnd)
}

// begin answers with the head of a stream. first stands before all events, and again
// tells a client how to go on when the stream has ended. The caller calls finish.
func (a *api) begin(w http.ResponseWriter, r *http.Request, first, again string) *stream {
	s := &stream{w: w, control: http.NewResponseController(w), timeout: a.writeTimeout, again: again}
	if out, ok := w.(*responseRecorder); ok {
		out.stream = true
	}
	if a.streamObserver != nil {
		s.ended = a.streamObserver(r.Context())
	}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's own would end the stream
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s.write([]byte("retry: 2000\n" + first + "\n"))
	return s
}

// finish tells how the stream has ended.
func (s *stream) finish() {
	if s.ended != nil {
		s.ended(s.end)
	}
}

func (s *stream) event(id, name string, data any) {
	text, err := eventText(id, name, data)
	if err != nil {
		s.err = err
		return
	}
	s.write(text)
}

// write sends bytes at once. A client that does not take them in time is cut off.
func (s *stream) write(b []byte) {
	if s.err != nil {
		return
	}
	began := time.Now()
	_ = s.control.SetWriteDeadline(began.Add(s.timeout)) // not every writer can
	if _, s.err = s.w.Write(b); s.err == nil {
		s.err = s.control.Flush()
	}
	switch { // with HTTP/2, the error does not tell that a deadline was the reason
	case s.err == nil:
	case errors.Is(s.err, os.ErrDeadlineExceeded) || time.Since(began) >= s.timeout/3:
		s.end = StreamSlow
	default:
		s.end = StreamGone
	}
}

// stop lets nothing more be written.
func (s *stream) stop() {
	if s.err == nil {
		s.err = http.ErrAbortHandler
	}
}
