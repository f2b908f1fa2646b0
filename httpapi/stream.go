package httpapi

import (
	"context"
	"iter"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

// each is one value of a sequence, or how it ended.
type each[T any] struct {
	value T
	err   error
}

// handOver runs a sequence on a goroutine of its own and hands its values over
// one by one: a client that does not read holds up this one goroutine and
// nothing else. wait returns when it has ended.
func handOver[T any](ctx context.Context, seq iter.Seq2[T, error]) (values <-chan each[T], wait func()) {
	out := make(chan each[T])
	var group sync.WaitGroup
	group.Go(func() {
		for v, err := range seq {
			select {
			case out <- each[T]{v, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	return out, group.Wait
}

// pass sends what comes until the stream ends, with signs of life between.
func pass[T any](ctx context.Context, a *api, s *stream, r *http.Request, values <-chan each[T], send func(each[T])) {
	beat := time.NewTicker(a.heartbeat)
	defer beat.Stop()
	for s.err == nil && ctx.Err() == nil {
		select {
		case v := <-values:
			send(v)
		case <-beat.C:
			a.beat(ctx, s, r)
		case <-ctx.Done():
		}
	}
	a.farewell(s)
}

// fail ends a stream with what went wrong: the client learns why, and comes
// back.
func (a *api) fail(ctx context.Context, s *stream, err error) {
	if ctx.Err() != nil {
		return
	}
	s.event("", "problem", a.failed(ctx, err))
	s.end()
}

// beat is a sign of life, and asks again who reads: a stream ends with the
// token, and where rights have changed it has to be begun anew.
func (a *api) beat(ctx context.Context, s *stream, r *http.Request) {
	was, _ := ecp.ActorFrom(ctx)
	now, p := a.authenticate(r)
	switch {
	case ctx.Err() != nil:
	case p != nil:
		s.event("", "problem", p)
		s.end()
	case !reflect.DeepEqual(was, now):
		s.event("", "problem", newProblem(ecp.CodeUnavailable, "your rights have changed; "+s.again))
		s.end()
	default:
		s.write([]byte(":\n\n"))
	}
}

// farewell tells a client why its stream ends where that is for us to say, and
// that it may come back.
func (a *api) farewell(s *stream) {
	select {
	case <-a.done:
		s.event("", "problem", newProblem(ecp.CodeUnavailable, "the daemon is ending; "+s.again))
	default:
	}
}

// stream writes server-sent events. After the first error it writes nothing.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stuck   time.Duration
	again   string // how a client goes on after the stream has ended
	err     error
}

// begin answers with the head of a stream; first is what stands in it before
// all events. again tells a client how to go on when it has ended.
func (a *api) begin(w http.ResponseWriter, first, again string) *stream {
	s := &stream{w: w, control: http.NewResponseController(w), stuck: a.stuck, again: again}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's own would end the stream
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s.write([]byte("retry: 2000\n" + first + "\n"))
	return s
}

func (s *stream) event(id, name string, data any) {
	text, err := eventText(id, name, data)
	if err != nil {
		s.err = err
		return
	}
	s.write(text)
}

// write sends bytes at once; a client that does not take them in time is left.
func (s *stream) write(b []byte) {
	if s.err != nil {
		return
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.stuck)) // not every writer can
	if _, s.err = s.w.Write(b); s.err == nil {
		s.err = s.control.Flush()
	}
}

func (s *stream) end() {
	if s.err == nil {
		s.err = http.ErrAbortHandler
	}
}
