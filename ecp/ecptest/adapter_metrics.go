package ecptest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// The size of an exposition that is too large to be held in memory, and the most that may
// be in buffers between server and writer.
const (
	manyMetrics = 64 << 20
	mostOnWay   = 24 << 20
)

// line is a line of an exposition.
const line = `emqx_messages_received{node="emqx@10.0.0.1"} 1234567` + "\n"

// metricsFrom opens a broker whose expositions come from h and all other answers from the
// healthy cluster. ok is false if the broker has no expositions.
// is to be had.
func metricsFrom(t *testing.T, s AdapterSuite, h http.HandlerFunc) (b ecp.Metrics, ok bool) {
	t.Helper()
	var seen, trial atomic.Bool
	var g *gate
	g = gateTo(t, s.Open(t), func(w http.ResponseWriter, r *http.Request, _ int) bool {
		a := g.answerOf(r)
		if a.Code == http.StatusOK && strings.Contains(a.Body.String(), "# TYPE ") {
			seen.Store(true)
			if !trial.Load() {
				w.Header().Set("Content-Type", "text/plain; version=0.0.4")
				h(w, r)
				return true
			}
		}
		copyAnswer(w, a.Code, a.Header(), a.Body.Bytes())
		return true
	})
	b, ok = asMetrics.of(subjectAt(t, s, g))
	if !ok || s.lacks("WriteMetrics") {
		return b, false
	}
	trial.Store(true)
	_, err := b.WriteMetrics(t.Context(), io.Discard, ecp.MetricsOfNode)
	trial.Store(false)
	if !seen.Load() && s.Metrics != nil {
		t.Fatalf("the healthy cluster gave no exposition: %v", err)
	}
	return b, seen.Load()
}

func copyAnswer(w http.ResponseWriter, code int, header http.Header, body []byte) {
	for k, v := range header {
		w.Header()[k] = v
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// told is a writer that reports its first write, and may then wait.
type told struct {
	first chan struct{} // closed at the first write
	once  sync.Once
	wait  <-chan struct{} // the first write waits for it, if it is not nil
	err   error           // returned by every write
	n     atomic.Int64
}

// Write counts the bytes.
func (w *told) Write(b []byte) (int, error) {
	w.once.Do(func() {
		close(w.first)
		if w.wait != nil {
			<-w.wait
		}
	})
	if w.err != nil {
		return 0, w.err
	}
	w.n.Add(int64(len(b)))
	return len(b), nil
}

func newTold() *told { return &told{first: make(chan struct{})} }

func testMetricsStream(t *testing.T, s AdapterSuite) {
	t.Run("the first are there before the last are made", func(t *testing.T) {
		w := newTold()
		b, ok := metricsFrom(t, s, func(far http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(far, strings.Repeat(line, 1000))
			_ = http.NewResponseController(far).Flush()
			select {
			case <-w.first:
			case <-r.Context().Done():
				t.Error("the first lines were not passed on before the last had come")
			}
			_, _ = io.WriteString(far, line)
		})
		if !ok {
			return
		}
		n, err := b.WriteMetrics(t.Context(), w, ecp.MetricsOfNode)
		must(t, "WriteMetrics", err)
		if want := int64(1001 * len(line)); n != want || w.n.Load() != want {
			t.Errorf("%d bytes were written, and %d said to be; want %d", w.n.Load(), n, want)
		}
	})
	t.Run("no more is held than is on its way", func(t *testing.T) {
		goOn := make(chan struct{})
		w := newTold()
		w.wait = goOn
		var sent atomic.Int64
		b, ok := metricsFrom(t, s, func(far http.ResponseWriter, _ *http.Request) {
			chunk := []byte(strings.Repeat(line, 64<<10/len(line)))
			for sent.Load() < manyMetrics {
				n, err := far.Write(chunk)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		})
		if !ok {
			return
		}
		var all sync.WaitGroup
		all.Go(func() { // releases the writer as soon as the server is blocked
			defer close(goOn)
			<-w.first
			stalled(t.Context(), &sent)
			if ahead := sent.Load(); ahead > mostOnWay {
				t.Errorf("the far side could send %d MiB before any of it was written: it is held in memory", ahead>>20)
			}
		})
		n, err := b.WriteMetrics(t.Context(), w, ecp.MetricsOfNode)
		w.once.Do(func() { close(w.first) })
		all.Wait()
		must(t, "WriteMetrics", err)
		if n < manyMetrics || n != w.n.Load() {
			t.Errorf("%d bytes were written, and %d said to be, of %d", w.n.Load(), n, sent.Load())
		}
	})
}

// stalled waits until a count has not grown for a while.
func stalled(ctx context.Context, count *atomic.Int64) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := int64(-1); last != count.Load(); {
		last = count.Load()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

var errWriter = errors.New("the writer has had enough")

// badMetrics are expositions that end badly.
var badMetrics = []struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request)
	begun bool // a part of it reaches the writer
	lasts bool // it lasts until the time limit
}{
	{"cut in the middle", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.WriteString(w, line)
	}, true, false},
	{"silent in the middle", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, line)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, true, true},
	{"without end", func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(line, 1<<20/len(line)))
		for n := 0; n < ecp.MaxMetrics+64<<20; n += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, true, false},
	{"of another type", status(http.StatusOK, "text/html; charset=utf-8", "<html>Please log in</html>"), false, false},
	{"of JSON", status(http.StatusOK, "application/json", `{"code":"X","message":"no"}`), false, false},
}

func testMetricsEnds(t *testing.T, s AdapterSuite) {
	all := newTurns(t, 64)
	for _, c := range badMetrics {
		s := s
		if c.lasts {
			s = s.impatient()
		}
		all.run(c.name, func(t *testing.T) {
			b, ok := metricsFrom(t, s, c.serve)
			if !ok {
				return
			}
			w, start := newTold(), time.Now()
			n, err := b.WriteMetrics(t.Context(), w, ecp.MetricsOfNode)
			checkBound(t, s, start)
			checkCode(t, err, []string{s.secret()}, ecp.CodeUnavailable, ecp.CodeUnsupported)
			if n != w.n.Load() || (n > 0) != c.begun || n > ecp.MaxMetrics+1 {
				t.Errorf("%d bytes were written, and %d said to be; that something was should be %t", w.n.Load(), n,
					c.begun)
			}
		})
	}
	all.wait()
	t.Run("a writer that fails", func(t *testing.T) { testWriterFails(t, s) })
}

func testWriterFails(t *testing.T, s AdapterSuite) {
	gone := make(chan struct{})
	var sent atomic.Int64
	b, ok := metricsFrom(t, s, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for r.Context().Err() == nil && sent.Load() < manyMetrics {
			n, err := io.WriteString(w, strings.Repeat(line, 1000))
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	if !ok {
		return
	}
	w, start := newTold(), time.Now()
	w.err = errWriter
	n, err := b.WriteMetrics(t.Context(), w, ecp.MetricsOfNode)
	checkCode(t, err, []string{s.secret()})
	if !errors.Is(err, errWriter) {
		t.Errorf("got %v (cause: %v); the writer's own error should be in the chain", err, errors.Unwrap(err))
	}
	if took := time.Since(start); took > noTime || n != 0 {
		t.Errorf("it ended %s after it began, with %d bytes; the writer failed at once", took, n)
	}
	select {
	case <-gone:
	case <-time.After(noTime):
		t.Error("the far side's connection stays open after the writer has failed")
	}
	if n := sent.Load(); n > mostOnWay {
		t.Errorf("the far side got rid of %d MiB although the writer had failed at once", n>>20)
	}
}

// testHealth looks for credentials in everything that is sent.
func testHealth(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	for _, login := range []ecp.Credentials{e.Credentials, {Username: "user-4c1f", Password: "word-93ab"}, {}} {
		e.Credentials = login
		g := gateTo(t, e, func(_ http.ResponseWriter, r *http.Request, _ int) bool {
			var b bytes.Buffer
			_ = r.Write(&b)
			if r.Header.Get("Authorization") != "" || login.Password != "" &&
				strings.Contains(b.String(), login.Password) {
				t.Errorf("%s was sent with credentials", r.URL.Path)
			}
			return false
		})
		b, ok := asHealth.of(subjectAt(t, s, g))
		if !ok || s.lacks("Health") {
			return
		}
		h, err := b.Health(t.Context())
		must(t, "Health", err)
		checkHealth(t, s, h)
		if s.Health != nil {
			checkWanted(t, "Health", h, *s.Health)
		}
	}
}
