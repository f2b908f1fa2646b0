package ecptest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// planned is a method and the number of its requests to a healthy cluster.
type planned struct {
	call
	requests int
}

// plan counts the requests of each method. It does not call methods that change a cluster
// of which nothing is known, and counts them as one.
func plan(t *testing.T, s AdapterSuite) (out []planned) {
	t.Helper()
	for _, c := range callsOf(t, s, func(c call) bool { return !s.lacks(c.name) }) {
		p := planned{c, 1}
		if c.works(s) || !c.is(changes) {
			g := gateTo(t, s.way(t, c), nil)
			_, _ = c.do(t.Context(), subjectAt(t, s, g))
			p.requests = max(int(g.asked.Load()), 1)
		}
		out = append(out, p)
	}
	return out
}

func testWrongCredentials(t *testing.T, s AdapterSuite) {
	for _, c := range callsOf(t, s, func(c call) bool { return c.works(s) || !c.is(changes) }) {
		t.Run(c.name, func(t *testing.T) {
			e := s.way(t, c)
			e.Credentials = ecp.Credentials{Username: "user-4c1f", Password: "word-93ab", Kind: e.Credentials.Kind}
			_, err := c.do(t.Context(), subject{s, e, open(t, s, e)})
			switch secrets := append(secretsOf(e.Credentials), s.secret()); {
			case c.is(unsigned):
				must(t, "without credentials", err)
			case c.is(public) && err == nil:
			case !c.works(s):
				checkCode(t, err, secrets, ecp.CodeDenied, ecp.CodeUnsupported)
			default:
				checkCode(t, err, secrets, ecp.CodeDenied)
			}
		})
	}
}

func testContextEnded(t *testing.T, s AdapterSuite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range callsOf(t, s, func(call) bool { return true }) {
		t.Run(c.name, func(t *testing.T) {
			g := gateTo(t, s.Open(t), nil)
			start := time.Now()
			_, err := c.do(ctx, subjectAt(t, s, g))
			if !c.wanted(s) && errors.Is(err, ecp.ErrInvalid) {
				return // the argument is one of the suite's defaults
			}
			checkEnded(t, err, context.Canceled, time.Since(start))
			if n := g.asked.Load(); n > 0 {
				t.Errorf("%d requests were sent all the same", n)
			}
		})
	}
}

// testContextEnds makes each request of a method hang and ends the context.
func testContextEnds(t *testing.T, s AdapterSuite) {
	for _, p := range plan(t, s) {
		for n := range p.requests {
			t.Run(name(p, n), func(t *testing.T) {
				hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
				testCancelled(t, s, p.call, n, hang)
				testDeadline(t, s, p.call, n, hang)
			})
		}
	}
}

// name returns the name of a case about the request n of a method.
func name(p planned, n int) string {
	if n == 0 {
		return p.name
	}
	return p.name + ", request " + string(rune('1'+min(n, 8)))
}

func testCancelled(t *testing.T, s AdapterSuite, c call, after int, hang http.HandlerFunc) {
	asked := make(chan struct{}, 64)
	g := gateTo(t, s.way(t, c), func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n <= after {
			return false
		}
		asked <- struct{}{}
		hang(w, r)
		return true
	})
	a := subjectAt(t, s, g)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var gone time.Time
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-asked:
			gone = time.Now()
		case <-ctx.Done():
		}
		cancel()
	})
	_, err := c.do(ctx, a)
	cancel()
	waiting.Wait()
	switch {
	case !gone.IsZero():
		checkEnded(t, err, context.Canceled, time.Since(gone))
	case after == 0 && (!errors.Is(err, ecp.ErrInvalid) || c.wanted(s)):
		t.Errorf("got %v (cause: %v) without a request", err, errors.Unwrap(err))
	}
}

// testDeadline checks a call that meets its deadline. A call that can do without the answer
// that hangs may succeed just before the deadline, which cannot be distinguished from a late
// success. Such a call is repeated: a call that ignores its deadline is late each time.
func testDeadline(t *testing.T, s AdapterSuite, c call, after int, hang http.HandlerFunc) {
	const tries = 10
	for n := 1; ; n++ {
		over, err := meetDeadline(t, s, c, after, hang)
		succeeded := err == nil && after > 0
		if succeeded && over <= 0 {
			return // it did not come so far, or went on without what hangs
		}
		if !succeeded || over > noTime || n == tries {
			checkEnded(t, err, context.DeadlineExceeded, over)
			return
		}
	}
}

// meetDeadline makes a call all of whose requests after the first few hang. It returns how
// long after its deadline the call ended, and its error.
func meetDeadline(t *testing.T, s AdapterSuite, c call, after int,
	hang http.HandlerFunc) (over time.Duration, err error) {
	t.Helper()
	g := gateTo(t, s.way(t, c), func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > after {
			hang(w, r)
		}
		return n > after
	})
	a := subjectAt(t, s, g)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.do(ctx, a)
	end, _ := ctx.Deadline()
	return time.Since(end), err
}

func testNobodyListens(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	e.Transport, e.BaseURL = nil, "http://"+deadAddress
	a := subject{s, e, open(t, s, e)}
	all := newTurns(t, 64)
	for _, c := range callsOf(t, s, func(call) bool { return true }) {
		all.run(c.name, func(t *testing.T) {
			start := time.Now()
			v, err := c.do(t.Context(), a)
			checkBound(t, s, start)
			codes := []ecp.Code{ecp.CodeUnavailable}
			if s.lacks(c.name) {
				codes = append(codes, ecp.CodeUnsupported) // which may be known without a request
			}
			if !c.wanted(s) {
				codes = append(codes, ecp.CodeInvalid) // the argument is one of the suite's defaults
			}
			checkCode(t, err, append(secretsOf(e.Credentials), s.secret()), codes...)
			c.checkNothing(t, v)
		})
	}
	all.wait()
}

func testClose(t *testing.T, s AdapterSuite) {
	g := gateTo(t, s.Open(t), nil)
	a := subjectAt(t, s, g)
	for _, c := range callsOf(t, s, func(c call) bool { return !c.is(changes) }) {
		if c.name != "Detect" {
			_, _ = c.do(t.Context(), a)
		}
	}
	a.broker.Close()
	a.broker.Close()
	g.open.wait(t, 0)

	d, ok := asDetector.of(a)
	if !ok {
		return
	}
	g = gateTo(t, s.Open(t), nil)
	_, _ = d.Detect(t.Context(), g.Endpoint)
	g.open.wait(t, 0) // nothing is left that could be closed later
}

// lost are ways in which the answer to a change is lost. answer forwards the request to the
// cluster.
var lost = []struct {
	name  string
	acts  bool
	serve func(w http.ResponseWriter, answer func() []byte)
}{
	{"and it was not made", false, func(w http.ResponseWriter, _ func() []byte) { _ = raw(w).Close() }},
	{"and it was made", true, func(w http.ResponseWriter, answer func() []byte) {
		answer()
		_ = raw(w).Close()
	}},
	{"in a proxy that says so", true, func(w http.ResponseWriter, answer func() []byte) {
		answer()
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
	}},
	{"in the middle", true, func(w http.ResponseWriter, answer func() []byte) {
		body := answer()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(body[:len(body)/2])
	}},
}

// maxAttempts is how often a change that may be made twice may be sent.
const maxAttempts = 4

// testLostAnswers counts the requests that arrive for each change. Afterwards the same call
// must succeed, whether the change had been made or not.
func testLostAnswers(t *testing.T, s AdapterSuite) {
	all := newTurns(t, 16) // they pause before they try again
	for _, c := range callsOf(t, s, func(c call) bool { return c.is(changes) && c.works(s) }) {
		for _, l := range lost {
			all.run(c.name+" "+l.name, func(t *testing.T) {
				var lose atomic.Bool
				lose.Store(true)
				var g *gate
				g = gateTo(t, s.way(t, c), func(w http.ResponseWriter, r *http.Request, _ int) bool {
					if !lose.Load() || !g.isChange(r) {
						return false
					}
					l.serve(w, func() []byte { return g.answerOf(r).Body.Bytes() })
					return true
				})
				a := subjectAt(t, s, g)
				start := time.Now()
				_, err := c.do(t.Context(), a)
				checkBound(t, s, start)
				if err != nil {
					checkCode(t, err, g.secrets(s), ecp.CodeUnavailable)
				}
				sent := g.changes()
				if err == nil && !l.acts && len(sent) > 0 {
					t.Error("it succeeded although nothing was changed")
				}
				for what, n := range sent {
					if n > maxAttempts || n > 1 && c.is(once) && strings.HasPrefix(what, http.MethodPost) {
						t.Errorf("a change arrived %d times, and its answer was lost: %.60s", n, what)
					}
				}
				lose.Store(false)
				_, err = c.do(t.Context(), a)
				must(t, "the same call again", err)
			})
		}
	}
	all.wait()
}
