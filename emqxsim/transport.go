package emqxsim

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// transport is a way to a node without sockets. dial gives what answers on a
// port, "" = the API's, or false where a connection would be refused.
type transport struct {
	dial func(port string) (http.Handler, bool)
}

// dashboardPort is that of the dashboard's listener, in both majors.
const dashboardPort = "18083"

// RoundTrip runs the handler on the caller's goroutine, so that it ends when
// the handler does: at the latest when the request's context ends.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	h, ok := t.dial(r.URL.Port())
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(r.URL.Host), Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	w := &recorder{header: http.Header{}}
	aborted := w.run(h, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if aborted && w.status != 0 { // it broke off in the middle
		res := w.response(r)
		res.ContentLength = -1
		res.Body = io.NopCloser(io.MultiReader(&w.body, brokenOff{}))
		return res, nil
	}
	if aborted {
		return nil, &net.OpError{Op: "read", Net: "tcp", Addr: address(r.URL.Host), Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return w.response(r), nil
}

// recorder is a ResponseWriter that keeps what is written.
type recorder struct {
	header http.Header
	sent   http.Header // as of WriteHeader
	status int
	body   bytes.Buffer
}

// run calls the handler; true = it ended the connection instead of answering.
func (w *recorder) run(h http.Handler, r *http.Request) (aborted bool) {
	defer func() {
		switch e := recover(); e {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(e)
		}
	}()
	in := r.Clone(r.Context()) // the caller's request is not ours to hand on
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	h.ServeHTTP(w, in)
	return false
}

// Header is what the next WriteHeader sends.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader counts once, as on a real connection.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write keeps b.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	for k, v := range w.sent {
		if len(v) == 0 {
			delete(w.sent, k)
		}
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}
}

// address is a host and port as an error of package net names them.
type address string

// Network is TCP: HTTP over anything else is not simulated.
func (address) Network() string { return "tcp" }

// String gives host and port.
func (a address) String() string { return string(a) }

// hostOf is the part of a node's name behind the "@".
func hostOf(node string) string {
	_, host, ok := strings.Cut(node, "@")
	if !ok {
		return node
	}
	return host
}

// brokenOff is where a body ends that a node did not finish.
type brokenOff struct{}

// Read says that more was to come.
func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
