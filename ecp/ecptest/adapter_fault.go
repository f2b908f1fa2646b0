package ecptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// maxSent is how many bytes of an endless answer may be sent before the adapter stops
// reading. It includes what is in buffers.
const maxSent = 64 << 20

// fault is an answer of something that is not a healthy broker.
type fault struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request)
	codes []ecp.Code // allowed codes; nil allows any
	// agrees says that it looks like a success of a call without a result.
	agrees bool
	lasts  bool // it lasts until the time limit
	passes bool // it may be temporary and is worth a retry
	large  bool // it sends as much as it can; only the first request of a method meets it
}

var (
	away  = []ecp.Code{ecp.CodeUnavailable}
	other = []ecp.Code{ecp.CodeUnsupported, ecp.CodeUnavailable}
)

var faults = []fault{
	{name: "accepts and says nothing", serve: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		codes: away, lasts: true},
	{name: "says a byte at a time for ever", serve: dribble, codes: away, lasts: true},
	{name: "sends a body without end", serve: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		pour(w, "[", strings.Repeat("[", 64<<10))
	}, codes: away, large: true},
	{name: "sends a header without end", serve: func(w http.ResponseWriter, _ *http.Request) {
		c := raw(w)
		pour(c, "HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("m", 8<<10)+"\r\n")
		_ = c.Close()
	}, codes: away, large: true},
	{name: "promises more than it sends", serve: say("HTTP/1.1 200 OK\r\nContent-Type: " +
		"application/json\r\nContent-Length: 100\r\n\r\n[{\"no"), codes: away, passes: true},
	{name: "closes at once", serve: say(""), codes: away, passes: true},
	{name: "speaks something else", serve: say("220 mail.example ESMTP\r\n"), codes: away, passes: true},
	{name: "answers with an empty body", serve: status(http.StatusOK, "application/json", ""), codes: away,
		agrees: true},
	{name: "answers with a page", serve: status(http.StatusOK, "text/html", "<html><body>Please log in</body></html>"),
		codes: away},
	{name: "answers with JSON cut short", serve: status(http.StatusOK, "application/json",
		`{"code":0,"data":[{"node":"emqx@10.0`), codes: away, agrees: true},
	{name: "answers with JSON of other types", serve: status(http.StatusOK, "application/json",
		`{"code":0,"data":{"node":{}}}`), codes: away, agrees: true},
	{name: "answers with null", serve: status(http.StatusOK, "application/json", `null`), codes: away, agrees: true},
	{name: "answers with JSON too deep", serve: status(http.StatusOK, "application/json", strings.Repeat("[", 32<<10)),
		codes: away, agrees: true},
	{name: "redirects in a circle", serve: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path,
			http.StatusFound)
	}, codes: other},
	// The gate checks whether the redirect is followed.
	{name: "redirects to another host", serve: func(w http.ResponseWriter, r *http.Request) {
		_, port, _ := net.SplitHostPort(r.Host)
		http.Redirect(w, r, "http://localhost:"+port+r.URL.Path, http.StatusTemporaryRedirect)
	}, codes: other},
	{name: "lacks rights", serve: status(http.StatusForbidden, "application/json", `{"code":"X","message":"no"}`),
		codes: []ecp.Code{ecp.CodeDenied}},
	{name: "knows no such path", serve: status(http.StatusNotFound, "text/plain", "Not found."),
		codes: []ecp.Code{ecp.CodeUnsupported}},
	{name: "fails", serve: status(http.StatusInternalServerError, "text/plain", "Internal Error"), codes: away,
		passes: true},
	{name: "asks to come back tomorrow", serve: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, codes: away, passes: true},
	{name: "echoes the request as a success", serve: echo(http.StatusOK), codes: away, agrees: true},
	{name: "echoes the request as bad", serve: echo(http.StatusBadRequest)},
	{name: "echoes the request as denied", serve: echo(http.StatusUnauthorized), codes: []ecp.Code{ecp.CodeDenied}},
	{name: "echoes the request as unknown", serve: echo(http.StatusNotFound), codes: other},
	{name: "echoes the request as failed", serve: echo(http.StatusInternalServerError), codes: away, passes: true},
	{name: "echoes the request without HTTP", serve: func(w http.ResponseWriter, r *http.Request) {
		say(headersOf(r))(w,
			r)
	}, codes: away, passes: true},
}

// testFaults tests every method with every fault, at each of its requests: the call must
// end in time, must not read more than it may, and must return an error of the right code
// without secrets.
func testFaults(t *testing.T, s AdapterSuite) {
	quick := newTurns(t, 4) // they need the processor
	long := newTurns(t, 64) // they mostly wait
	methods := plan(t, s)
	for _, f := range faults {
		for _, p := range methods {
			for n := range f.among(p.requests) {
				turn, s := quick, s
				switch {
				case f.lasts:
					turn, s = long, s.impatient()
				case f.large:
					s = s.frugal()
				case f.passes:
					turn = long
				}
				turn.run("that "+f.name+": "+name(p, n), func(t *testing.T) { testFault(t, s, f, p.call, n) })
			}
		}
	}
	for _, f := range s.Faults {
		for _, p := range methods {
			if p.works(s) || !p.is(changes) {
				turn, s := long, s.impatient()
				if f.Large {
					turn, s = quick, s.frugal()
				}
				turn.run(f.Name+": "+p.name, func(t *testing.T) { testOwnFault(t, s, f, p.call) })
			}
		}
	}
	quick.wait()
	long.wait()
}

// among returns how many of a method's requests meet the fault.
func (f fault) among(requests int) int {
	if f.large {
		return 1
	}
	return requests
}

// turns runs cases, some at once.
type turns struct {
	t     *testing.T
	most  int
	cases []func()
}

func newTurns(t *testing.T, most int) *turns { return &turns{t: t, most: most} }

func (q *turns) run(name string, test func(t *testing.T)) {
	q.cases = append(q.cases, func() { q.t.Run(name, test) })
}

// wait runs the cases that are left.
func (q *turns) wait() {
	var all sync.WaitGroup
	var next atomic.Int64
	for range q.most {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(q.cases)); i = next.Add(1) - 1 {
				q.cases[i]()
			}
		})
	}
	all.Wait()
}

// testFault makes the requests of a call after the first few meet a fault.
func testFault(t *testing.T, s AdapterSuite, f fault, c call, after int) {
	g := gateTo(t, s.way(t, c), func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > after {
			f.serve(w, r)
		}
		return n > after
	})
	a := subjectAt(t, s, g)
	start := time.Now()
	v, err := c.do(t.Context(), a)
	checkBound(t, s, start)
	if n := g.sent.Load(); n > maxSent {
		t.Errorf("the far side got rid of %d MiB; the adapter should stop reading earlier", n>>20)
	}
	if err != nil {
		checkCode(t, err, g.secrets(s), f.codesFor(c, s)...)
		c.checkNothing(t, v)
		return
	}
	h, isHealth := v.(ecp.Health)
	switch {
	case isHealth && after == 0 && h.Running:
		t.Errorf("%+v is running, although it answers like nothing that is", h)
	case isHealth, after > 0, c.check == nil && f.agrees:
		if c.check != nil {
			c.check(t, s, v)
		}
	default:
		t.Errorf("there is no error, but %+v", v)
	}
}

// codesFor returns the codes that a call's error may have.
func (f fault) codesFor(c call, s AdapterSuite) []ecp.Code {
	if f.codes == nil {
		return nil
	}
	codes := slices.Clone(f.codes)
	if !c.wanted(s) {
		codes = append(codes, ecp.CodeInvalid) // the argument is one of the suite's defaults
	}
	if c.name == "Detect" {
		codes = append(codes, ecp.CodeUnsupported) // another server answers
	}
	if c.is(byID) && slices.Contains(codes, ecp.CodeUnsupported) {
		codes = append(codes, ecp.CodeNotFound)
	}
	return codes
}

// testOwnFault tests a call with a fault from the suite's field.
func testOwnFault(t *testing.T, s AdapterSuite, f AdapterFault, c call) {
	e := f.Open(t)
	start := time.Now()
	v, err := c.do(t.Context(), subject{s, e, open(t, s, e)})
	checkBound(t, s, start)
	codes := f.Codes
	if len(codes) > 0 && c.name == "RemoveMember" {
		codes = append(slices.Clone(codes), ecp.CodeConflict) // the node may be running in that cluster
	}
	if len(codes) > 0 && c.name == "Detect" && s.Detector != nil && s.Detector.Unmanageable {
		codes = append(slices.Clone(codes), ecp.CodeUnsupported) // the cluster may have answered
	}
	switch {
	case err != nil:
		checkCode(t, err, append(secretsOf(e.Credentials), s.secret()), codes...)
		if errors.Is(err, ecp.ErrInternal) && !slices.Contains(f.Codes, ecp.CodeInternal) {
			t.Errorf("%v is internal; it is the far side that is unwell", err)
		}
		c.checkNothing(t, v)
	case slices.Contains(f.Fails, c.name):
		t.Errorf("there is no error, but %+v", v)
	case c.check != nil:
		c.check(t, s, v)
	}
}

// checkNothing checks that an error came without a result. Detect and metrics may have a
// partial one.
func (c call) checkNothing(t *testing.T, v any) {
	t.Helper()
	switch v.(type) {
	case nil, ecp.Detection, exposition:
		return
	}
	r := reflect.ValueOf(v)
	if empty := r.IsZero() || r.Kind() == reflect.Slice && r.Len() == 0; !empty {
		t.Errorf("there is an error, but a result too: %+v", v)
	}
}

// dribble sends white space without end.
func dribble(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// pour writes first, then more until the client stops reading or far too much was sent.
func pour(w io.Writer, first, more string) {
	_, err := io.WriteString(w, first)
	for n := 0; err == nil && n < 4*maxSent; n += len(more) {
		_, err = io.WriteString(w, more)
	}
}

// say sends bytes instead of an HTTP answer and closes the connection.
func say(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		c := raw(w)
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

func status(code int, kind, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// echo answers with the whole request, in every place that could become part of an error.
func echo(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-User", user)
		w.Header().Set("X-Password", password)
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"code":%q,"message":%q,"reason":%q}`, user+password, password, headersOf(r))
	}
}

// headersOf returns headers and body, with the credentials in both forms.
func headersOf(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	var b bytes.Buffer
	_ = r.Header.Write(&b)
	_, _ = io.Copy(&b, r.Body)
	return user + ":" + password + " " + b.String()
}

// raw takes the connection from the server.
func raw(w http.ResponseWriter) net.Conn {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return countingConn{c, w.(counting).sent}
}

// counting counts the bytes of an endless answer that were sent.
type counting struct {
	http.ResponseWriter
	sent *atomic.Int64
}

// Write counts the bytes that were sent.
func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// Unwrap returns the server's own writer, for flushing and hijacking.
func (c counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

type countingConn struct {
	net.Conn
	sent *atomic.Int64
}

// Write counts the bytes that were sent.
func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

func checkBound(t *testing.T, s AdapterSuite, start time.Time) {
	t.Helper()
	if took := time.Since(start); took > s.Bound {
		t.Errorf("the call took %s, more than %s", took, s.Bound)
	}
}

// checkFailure checks that an error is an [ecp.Error] with one of the codes (any, if there
// are none), with a message and without credentials.
func checkFailure(t *testing.T, err error, login ecp.Credentials, codes ...ecp.Code) {
	t.Helper()
	checkCode(t, err, secretsOf(login), codes...)
}

// checkCode is checkFailure with a list of secrets.
func checkCode(t *testing.T, err error, secrets []string, codes ...ecp.Code) {
	t.Helper()
	var e *ecp.Error
	if !errors.As(err, &e) || e.Message == "" {
		t.Fatalf("got %v; want an ecp.Error with a message", err)
	}
	if len(codes) > 0 && !slices.Contains(codes, e.Code) {
		t.Errorf("got code %s (%v, cause %v), want one of %v", e.Code, e, e.Cause, codes)
	}
	checkSecret(t, err, secrets)
	if n := len(fmt.Sprint(e, e.Cause)); n > 4<<10 {
		t.Errorf("the error is %d bytes long; it should not carry the answer", n)
	}
}

// secretsOf returns the forms in which credentials are sent and echoed.
func secretsOf(c ecp.Credentials) []string {
	if c == (ecp.Credentials{}) {
		return nil
	}
	return []string{c.Username, c.Password, basic(c)}
}

// checkSecret looks for secrets in every printed form of an error.
func checkSecret(t *testing.T, err error, secrets []string) {
	t.Helper()
	for _, e := range chain(err) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, secret := range secrets {
				if quoted := strings.Trim(strconv.Quote(secret), `"`); secret != "" &&
					(strings.Contains(text, secret) ||
						strings.Contains(text, quoted)) {
					t.Errorf("an error holds credentials: %s", text)
				}
			}
		}
	}
}

// chain returns an error and all errors below it.
func chain(err error) []error {
	if err == nil {
		return nil
	}
	out := []error{err}
	switch e := err.(type) { //nolint:errorlint // the chain itself is needed
	case interface{ Unwrap() error }:
		out = append(out, chain(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, below := range e.Unwrap() {
			out = append(out, chain(below)...)
		}
	}
	return out
}

// noTime limits what takes no time except on a loaded machine. It is less than an adapter's
// own time limit of 10 s.
const noTime = 7 * time.Second

// checkEnded checks the error of a call whose context ended, and that it returned soon
// afterwards.
func checkEnded(t *testing.T, err, want error, after time.Duration) {
	t.Helper()
	if !errors.Is(err, want) || !errors.Is(err, ecp.ErrUnavailable) {
		t.Errorf("got %v (cause %v), want unavailable because of %v", err, errors.Unwrap(err), want)
	}
	if after > noTime {
		t.Errorf("the call returned %s after its context had ended", after)
	}
}
