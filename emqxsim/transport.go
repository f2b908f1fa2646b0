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

// transport is a way to a node without sockets. dial returns the handler of a port, where
// "" means the API's port, or false if a connection would be refused.
type transport struct {
	dial func(port string) (http.Handler, bool)
}

// dashboardPort is the port of the dashboard's listener in both majors.
const dashboardPort = "18083"

// RoundTrip runs the handler on the caller's goroutine. So the handler must end when the
// request's context ends.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	h, ok := t.dial(r.URL.Port())
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(r.URL.Host), Err: os.NewSyscallError("connect",
			syscall.ECONNREFUSED)}
	}
	w := &recorder{header: http.Header{}}
	aborted := w.run(h, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if aborted && w.status != 0 { // the node broke off in the middle
		res := w.response(r)
		res.ContentLength = -1
		res.Body = io.NopCloser(io.MultiReader(&w.body, truncatedBody{}))
		return res, nil
	}
	if aborted {
		return nil, &net.OpError{Op: "read", Net: "tcp", Addr: address(r.URL.Host), Err: os.NewSyscallError("read",
			syscall.ECONNRESET)}
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

// run calls the handler and reports whether it aborted the connection.
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
	in := r.Clone(r.Context()) // the handler must not change the caller's request
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	h.ServeHTTP(w, in)
	return false
}

// Header returns the header that the next WriteHeader sends.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader has an effect once, as on a real connection.
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

// address is a host and port in an error of package net.
type address string

// Network returns "tcp".
func (address) Network() string { return "tcp" }

// String returns host and port.
func (a address) String() string { return string(a) }

// hostOf returns the part of a node's name after the "@".
func hostOf(node string) string {
	_, host, ok := strings.Cut(node, "@")
	if !ok {
		return node
	}
	return host
}

// truncatedBody is the end of a body that the node did not finish.
type truncatedBody struct{}

// Read returns io.ErrUnexpectedEOF.
func (truncatedBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
