package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
)

// Bounds of requests through the tunnel. How many run at once is more than the server
// lets one cluster have of each (package proxy there), so that what it asks for
// itself finds room, too; together with what the agent asks they are fewer than the
// 512 connections that EMQX takes.
const (
	apiAtOnce       = 120
	dashboardAtOnce = 256
	mostBody        = 256 << 20 // bytes of a request
	mostReply       = 4 << 30   // bytes of an answer
	longest         = 15 * time.Minute
	// mostKept is how many bytes of a request's body are kept, so that it can be
	// sent again where a login had ended.
	mostKept = 256 << 10
	// copyBuffer is as large as a frame of the tunnel: smaller ones cost it a third
	// of its throughput.
	copyBuffer = 64 << 10
)

// gate limits how many requests run at once.
type gate chan struct{}

// bounded lets requests through the gate and bounds their time; an upgraded
// connection lasts as long as both sides want.
func bounded(g gate, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case g <- struct{}{}:
			defer func() { <-g }()
		default:
			w.Header().Set("Retry-After", "1")
			answer(w, http.StatusServiceUnavailable, agentproto.AnswerTooMany,
				"too many requests to EMQX run already; try again soon")
			return
		}
		if r.Header.Get("Upgrade") == "" {
			ctx, cancel := context.WithTimeout(r.Context(), longest)
			defer cancel()
			r = r.WithContext(ctx)
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		h.ServeHTTP(w, r)
	})
}

var errReplyTooLong = errors.New("the answer is longer than may pass")

// shortened cuts off an answer that is too long.
type shortened struct {
	io.ReadCloser
	left int64
}

func (s *shortened) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errReplyTooLong
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.ReadCloser.Read(p)
	s.left -= int64(n)
	return n, err
}

// buffers are what bodies are copied through.
type buffers struct{ pool sync.Pool }

// Get returns a buffer, new or reused.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, copyBuffer)
}

// Put returns a buffer for reuse.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
