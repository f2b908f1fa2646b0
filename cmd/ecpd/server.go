package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// How long the end of the program may take after the drain, which is bounded by
// [maxDrain]. In all it is less than the 15 s after which service managers kill it.
const (
	requestTimeout = 2 * time.Second // until the contexts of running requests end
	serverTimeout  = 4 * time.Second // until connections are closed
	workTimeout    = 5 * time.Second // until the program ends without the Manager
)

// server is one listener with what it serves.
type server struct {
	listener net.Listener
	http     *http.Server
	tls      func(net.Listener) net.Listener // does TLS; if it is nil, net/http does
	cancel   context.CancelFunc              // ends every running request
	scheme   string
}

// listen opens an address. Clients can connect from then on; they are served after the
// call of serve.
func listen(
	ctx context.Context, setting, address string, pair *certificate, handler http.Handler, log *slog.Logger,
) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{listener: l, cancel: cancel, scheme: "http", http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	if pair != nil {
		s.scheme = "https"
		s.http.TLSConfig = pair.config()
	}
	return s, nil
}

// connKey is the context key of a request's connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// streamBuffer is how much the kernel buffers for a client that does not read its
// stream, in bytes. By default that grows to megabytes for each.
const streamBuffer = 128 << 10

// shrinkBuffer bounds what the kernel buffers for the client of a request.
func shrinkBuffer(ctx context.Context) {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = b.SetWriteBuffer(streamBuffer) // without it, a client that does not read is noticed later
	}
}

// withStrictTransport makes browsers use TLS only (RFC 6797), for a year after their last
// request.
func withStrictTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

// url returns the address of the listener as a URL.
func (s *server) url() string { return s.scheme + "://" + s.listener.Addr().String() }

// serve serves until shut is called, and then returns nil.
func (s *server) serve() error {
	var err error
	if s.tls != nil {
		err = s.http.Serve(s.tls(s.listener))
	} else if s.scheme == "https" {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
}

// shut accepts no new connection, waits a moment for running requests, cancels those
// that go on, and closes the connections that are left.
func (s *server) shut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	timer := time.AfterFunc(requestTimeout, s.cancel)
	defer timer.Stop()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // nothing can be done about a connection that does not close
	}
	s.cancel()
}

// close frees the address if serve was never called.
func (s *server) close() {
	_ = s.listener.Close()
	s.cancel()
}
