package ecptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// mostSent is how much an endless answer may get rid of before the adapter
// stops reading: what it uses at most, and what lies in buffers.
const mostSent = 64 << 20

// fault is one way in which something that is no healthy broker answers.
type fault struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request)
	codes []ecp.Code // any of them
}

var (
	away  = []ecp.Code{ecp.CodeUnavailable}
	other = []ecp.Code{ecp.CodeUnsupported, ecp.CodeUnavailable}
)

var faults = []fault{
	{"accepts and says nothing", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, away},
	{"says a byte at a time for ever", dribble, away},
	{"sends a body without end", func(w http.ResponseWriter, _ *http.Request) { pour(w, "[", strings.Repeat("[", 64<<10)) }, away},
	{"sends a header without end", func(w http.ResponseWriter, _ *http.Request) {
		c := raw(w)
		pour(c, "HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("m", 8<<10)+"\r\n")
		_ = c.Close()
	}, away},
	{"promises more than it sends", say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[{\"no"), away},
	{"closes at once", say(""), away},
	{"speaks something else", say("220 mail.example ESMTP\r\n"), away},
	{"answers with an empty body", status(http.StatusOK, "application/json", ""), away},
	{"answers with a page", status(http.StatusOK, "text/html", "<html><body>Please log in</body></html>"), away},
	{"answers with JSON cut short", status(http.StatusOK, "application/json", `{"code":0,"data":[{"node":"emqx@10.0`), away},
	{"answers with JSON of other types", status(http.StatusOK, "application/json", `{"code":0,"data":{"node":{}}}`), away},
	{"answers with null", status(http.StatusOK, "application/json", `null`), away},
	{"answers with JSON too deep", status(http.StatusOK, "application/json", strings.Repeat("[", 1<<20)), away},
	{"redirects in a circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, other},
	{"lacks rights", status(http.StatusForbidden, "application/json", `{"code":"X","message":"no"}`), []ecp.Code{ecp.CodeDenied}},
	{"knows no such path", status(http.StatusNotFound, "text/plain", "Not found."), []ecp.Code{ecp.CodeUnsupported}},
	{"fails", status(http.StatusInternalServerError, "text/plain", "Internal Error"), away},
	{"asks to come back tomorrow", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusServiceUnavailable)
	}, away},
	{"echoes the request as a success", echo(http.StatusOK), away},
	{"echoes the request as bad", echo(http.StatusBadRequest), nil},
	{"echoes the request as denied", echo(http.StatusUnauthorized), []ecp.Code{ecp.CodeDenied}},
	{"echoes the request as unknown", echo(http.StatusNotFound), other},
	{"echoes the request as failed", echo(http.StatusInternalServerError), away},
	{"echoes the request without HTTP", func(w http.ResponseWriter, r *http.Request) { say(headersOf(r))(w, r) }, away},
}

// testFault lets the adapter meet a fault: the call ends in time, has read no
// more than it may, and its error has the right code and no credentials.
func testFault(t *testing.T, s AdapterSuite, f fault) {
	var sent atomic.Int64
	e := serve(t, func(w http.ResponseWriter, r *http.Request) { f.serve(counting{w, &sent}, r) })
	start := time.Now()
	d, err := open(t, s, e).Describe(t.Context())
	checkBound(t, s, start)
	checkFailure(t, err, e.Credentials, f.codes...)
	if len(d.Nodes) > 0 {
		t.Errorf("an error, but a description too: %+v", d)
	}
	if n := sent.Load(); n > mostSent {
		t.Errorf("the far side got rid of %d MiB; the adapter should stop reading earlier", n>>20)
	}
}

// dribble keeps the answer open with white space.
func dribble(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	tick := time.NewTicker(5 * time.Millisecond)
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

// pour writes first, then more until nobody takes it or it is far too much.
func pour(w io.Writer, first, more string) {
	_, err := io.WriteString(w, first)
	for n := 0; err == nil && n < 4*mostSent; n += len(more) {
		_, err = io.WriteString(w, more)
	}
}

// say writes bytes in place of an HTTP answer and closes the connection.
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

// echo answers with everything the request holds, wherever an error might pick
// it up.
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

// headersOf gives the headers as they came, credentials in both forms.
func headersOf(r *http.Request) string {
	user, password, _ := r.BasicAuth()
	var b bytes.Buffer
	_ = r.Header.Write(&b)
	return user + ":" + password + " " + b.String()
}

// raw takes the connection away from the server.
func raw(w http.ResponseWriter) net.Conn {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return countingConn{c, w.(counting).sent}
}

// counting counts what an endless answer gets rid of.
type counting struct {
	http.ResponseWriter
	sent *atomic.Int64
}

// Write counts what was taken.
func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// Unwrap leads to the server's own writer, for flushing and hijacking.
func (c counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

type countingConn struct {
	net.Conn
	sent *atomic.Int64
}

// Write counts what was taken.
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

// checkFailure checks that there is an error of the module's type, of one of
// the codes (none = any), with a message and without credentials.
func checkFailure(t *testing.T, err error, login ecp.Credentials, codes ...ecp.Code) {
	t.Helper()
	var e *ecp.Error
	if !errors.As(err, &e) || e.Message == "" {
		t.Fatalf("got %v; want an ecp.Error with a message", err)
	}
	if len(codes) > 0 && !slices.Contains(codes, e.Code) {
		t.Errorf("got code %s (%v, cause %v), want one of %v", e.Code, e, e.Cause, codes)
	}
	checkSecret(t, err, login)
	if n := len(fmt.Sprint(e, e.Cause)); n > 4<<10 {
		t.Errorf("the error is %d bytes long; it should not carry the answer", n)
	}
}

// checkSecret looks for credentials in everything an error can be printed as.
func checkSecret(t *testing.T, err error, login ecp.Credentials) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, secret := range []string{login.Username, login.Password, strings.Trim(strconv.Quote(login.Password), `"`), basic(login)} {
				if secret != "" && strings.Contains(text, secret) {
					t.Errorf("an error holds credentials: %s", text)
				}
			}
		}
	}
}

// checkEnded checks the error of a call whose context ended, and that it
// returned soon after.
func checkEnded(t *testing.T, err, want error, after time.Duration) {
	t.Helper()
	if !errors.Is(err, want) || !errors.Is(err, ecp.ErrUnavailable) {
		t.Errorf("got %v (cause %v), want unavailable because of %v", err, errors.Unwrap(err), want)
	}
	if after > 2*time.Second {
		t.Errorf("the call returned %s after its context had ended", after)
	}
}
