package agentproto

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A raw stream is a CONNECT request to a virtual host, whose two bodies carry
// HTTP/1.1 in both directions. Upgrades travel on it, and Dial returns one.

// rawGrace is how long the other side has to end a stream that this side ended.
const rawGrace = 5 * time.Second

// bridge copies between one end of a pipe and the two halves of a stream until
// both have ended. A pipe stands in between because streams of HTTP/2 have no
// deadlines, which HTTP/1.1 needs. There is no half-closed state: the end of
// either half closes the pipe.
func bridge(pipe net.Conn, in io.Reader, inEnded func(), out io.Writer, outEnded func()) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(pipe, onlyReader{in})
		_ = pipe.Close()
		inEnded()
	})
	both.Go(func() {
		_, _ = io.Copy(out, onlyReader{pipe})
		_ = pipe.Close()
		outEnded()
	})
	both.Wait()
}

// onlyReader hides WriteTo, which would buffer on its own.
type onlyReader struct{ io.Reader }

// flushWriter sends each piece at once.
type flushWriter struct {
	w io.Writer
	c *http.ResponseController
}

func (f flushWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, f.c.Flush()
}

// serveRaw serves HTTP/1.1 on a raw stream of the agent's side. It returns when
// the stream has ended and its handler has returned.
func serveRaw(w http.ResponseWriter, r *http.Request, srv *http.Server) {
	control := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	if control.Flush() != nil {
		return
	}
	near, far := net.Pipe()
	l := newSingleListener(near)
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(l) })
	stop := context.AfterFunc(r.Context(), func() { _ = far.Close() })
	defer stop()
	bridge(far, r.Body, func() {}, flushWriter{w, control}, func() { _ = r.Body.Close() })
	served.Wait()
}

// openRaw opens a raw stream. trip sends the request; the connection it returns
// is owned by the caller.
func openRaw(ctx context.Context, host Host, trip func(*http.Request) (*http.Response, error),
	run func(func())) (net.Conn, error) {
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel) // until the answer
	body, sink := io.Pipe()
	req, err := http.NewRequestWithContext(streamCtx, http.MethodConnect, "http://"+string(host), body)
	if err != nil {
		cancel()
		return nil, err
	}
	resp, err := trip(req)
	if !stop() && err == nil { // ctx ended just now
		_ = resp.Body.Close()
		err = context.Cause(ctx)
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		err = errors.New("the agent answered " + resp.Status)
	}
	if err != nil {
		cancel()
		_ = sink.Close()
		return nil, err
	}
	near, far := net.Pipe()
	run(func() {
		late := time.AfterFunc(time.Hour, cancel)
		late.Stop()
		bridge(far, resp.Body, cancel, sink, func() {
			_ = sink.Close()
			late.Reset(rawGrace)
		})
		late.Stop()
		cancel()
		_ = resp.Body.Close()
	})
	return near, nil
}

// singleListener accepts one connection and then waits until that has been
// closed.
type singleListener struct {
	conn   net.Conn
	first  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// newSingleListener returns a listener whose only connection is conn.
func newSingleListener(conn net.Conn) *singleListener {
	l := &singleListener{conn: conn, first: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.first <- &closeNotifier{Conn: conn, closed: func() { _ = l.Close() }}
	return l
}

// Accept returns the connection, and net.ErrClosed once it has ended.
func (l *singleListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.first:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept, not the connection.
func (l *singleListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns the connection's local address.
func (l *singleListener) Addr() net.Addr { return l.conn.LocalAddr() }

// closeNotifier calls a function when the connection is closed. It also hides
// a *tls.Conn, which net/http would not take for HTTP/2 without its ALPN name.
type closeNotifier struct {
	net.Conn
	once   sync.Once
	closed func()
}

// Close closes the connection, then notifies.
func (c *closeNotifier) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.closed)
	return err
}
