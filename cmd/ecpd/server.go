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

// How long the end of the program may take after its drain of [maxDrain] at most,
// in all less than the 15 s after which others lose patience.
const (
	requestsMayTake = 2 * time.Second // until the context of those that still run ends
	serverMayTake   = 4 * time.Second // until connections are closed, whoever uses them
	workMayTake     = 5 * time.Second // until we go without the Manager's goodbye
)

// server is one listener with what it serves.
type server struct {
	listener net.Listener
	http     *http.Server
	tls      func(net.Listener) net.Listener // makes TLS of the listener's connections; nil = net/http does
	cut      context.CancelFunc              // ends every request that still runs
	scheme   string
}

// listen opens an address. Nothing is served before serve is called, but
// clients can connect from here on.
func listen(ctx context.Context, setting, address string, pair *certificate, handler http.Handler, log *slog.Logger) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{listener: l, cut: cut, scheme: "http", http: &http.Server{
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

// connKey is where a request's context has its connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// streamBuffer is how much the system keeps for a client that does not read its
// stream, in bytes. By itself it lets that grow to megabytes for each.
const streamBuffer = 128 << 10

// shrinkBuffer bounds what the system keeps for the client of a request.
func shrinkBuffer(ctx context.Context) {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = b.SetWriteBuffer(streamBuffer) // it is slower to notice who does not read, otherwise
	}
}

// withStrictTransport lets browsers come back over TLS only (RFC 6797), for a
// year from their last visit.
func withStrictTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

// url is where the server is reached from here.
func (s *server) url() string { return s.scheme + "://" + s.listener.Addr().String() }

// serve answers until shut is called; nil then.
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

// shut takes no new connection, lets requests come to their end for a moment,
// cuts those that go on, and closes what is left.
func (s *server) shut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, serverMayTake)
	defer cancel()
	timer := time.AfterFunc(requestsMayTake, s.cut)
	defer timer.Stop()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // nothing can be done about a connection that does not close
	}
	s.cut()
}

// close gives the address back where serve was never called.
func (s *server) close() {
	_ = s.listener.Close()
	s.cut()
}
