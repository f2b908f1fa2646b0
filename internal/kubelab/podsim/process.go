package podsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// errExited is a process that ended while it started.
var errExited = errors.New("the process exited")

// running is a started process: its listeners and everything they accepted.
type running struct {
	cancel  context.CancelFunc // of the factory's context and of every request's
	ended   <-chan error       // of Process
	exit    func()
	servers []*http.Server
	ports   []net.Listener
	serving sync.WaitGroup // of listeners
	handled sync.WaitGroup // of connections
	once    sync.Once

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // guarded by mu
	closed bool                  // guarded by mu; take no more
}

// launch calls the factory and opens the ports of the process. Either all of
// them are open when it returns, or none.
func launch(ctx context.Context, p Pod, make Factory) (*running, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, conns: map[net.Conn]struct{}{}}
	proc, err := make(ctx, p)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%w: %w", errExited, err)
	}
	r.exit, r.ended = proc.Exit, proc.Ended
	for _, port := range slices.Sorted(maps.Keys(proc.HTTP)) {
		err = errors.Join(err, r.serveHTTP(ctx, p.IP, port, proc.HTTP[port]))
	}
	for _, port := range proc.TCP {
		err = errors.Join(err, r.serveTCP(ctx, p.IP, port, proc.Clients[port]))
	}
	if err != nil {
		r.kill()
		return nil, err
	}
	return r, nil
}

func (r *running) listen(ctx context.Context, ip string, port int) (net.Listener, error) {
	l, err := (&net.ListenConfig{Control: anyAddress}).Listen(ctx, "tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	t := &tracked{l, r}
	r.ports = append(r.ports, t)
	return t, nil
}

func (r *running) serveHTTP(ctx context.Context, ip string, port int, h http.Handler) error {
	l, err := r.listen(ctx, ip, port)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0), // resets are our trade
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				r.handled.Add(1)
			case http.StateClosed, http.StateHijacked:
				r.handled.Done()
			case http.StateActive, http.StateIdle:
			}
		},
	}
	r.servers = append(r.servers, srv)
	r.serving.Go(func() { _ = srv.Serve(l) }) // ends when kill closes l
	return nil
}

func (r *running) serveTCP(ctx context.Context, ip string, port int, speak func(net.Conn)) error {
	l, err := r.listen(ctx, ip, port)
	if err != nil {
		return err
	}
	r.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.handled.Go(func() {
				defer conn.Close()
				if speak != nil {
					speak(conn)
				}
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	return nil
}

// kill closes the listeners, resets the connections, waits for the handlers and
// calls Exit. Further calls wait for the first one. The receiver may be nil.
func (r *running) kill() {
	if r == nil {
		return
	}
	r.once.Do(func() {
		for _, l := range r.ports {
			_ = l.Close()
		}
		r.mu.Lock()
		r.closed = true
		for c := range r.conns {
			reset(c)
		}
		r.mu.Unlock()
		r.cancel() // after the resets: what a handler answers now must not reach a client
		r.serving.Wait()
		for _, srv := range r.servers {
			_ = srv.Close()
		}
		r.handled.Wait()
		if r.exit != nil {
			r.exit()
		}
	})
}

// reset closes a connection as the kernel does for a process that was killed.
func reset(c net.Conn) {
	if t, ok := c.(*trackedConn); ok {
		c = t.Conn
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// tracked is a listener that remembers what it accepted.
type tracked struct {
	net.Listener
	r *running
}

// Accept waits for a connection. One that comes after kill is reset.
func (l *tracked) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &trackedConn{conn, l.r}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if l.r.closed {
		reset(conn)
		return nil, net.ErrClosed
	}
	l.r.conns[c] = struct{}{}
	return c, nil
}

type trackedConn struct {
	net.Conn
	r *running
}

// Close also forgets the connection.
func (c *trackedConn) Close() error {
	c.r.mu.Lock()
	delete(c.r.conns, c)
	c.r.mu.Unlock()
	return c.Conn.Close()
}

// anyServer accepts every certificate, as the kubelet does for probes.
func anyServer() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
