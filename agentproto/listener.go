package agentproto

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Listener returns a listener for the HTTPS server that [Server.ConfigureTLS] has
// prepared; cfg is that server's TLSConfig. Pass it to Serve in place of ServeTLS. It makes
// the TLS handshake itself, keeps the connections of agents and returns all others. It is
// optional: without it net/http holds a goroutine (6 KiB) for each connected agent. Only the
// values of ctx are used; Shutdown ends the connections.
func (s *Server) Listener(ctx context.Context, l net.Listener, cfg *tls.Config) net.Listener {
	ctx = context.WithoutCancel(ctx)
	people := &tlsListener{Listener: l, accepted: make(chan accepted), closed: make(chan struct{})}
	people.greet = func(conn net.Conn) { s.greet(ctx, people, tls.Server(conn, cfg)) }
	return people
}

// tlsListener returns connections whose TLS handshake is done.
type tlsListener struct {
	net.Listener
	greet    func(net.Conn) // brings one connection to where it belongs
	begun    sync.Once
	accepted chan accepted
	ended    sync.Once
	closed   chan struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

// Accept returns the next connection that is not an agent's.
func (l *tlsListener) Accept() (net.Conn, error) {
	l.begun.Do(func() { go l.pump() }) // ends with Close
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// pump accepts connections until Close. It passes errors on to Accept, whose caller pauses.
func (l *tlsListener) pump() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			go l.greet(conn)
		} else if !l.hand(accepted{err: err}) {
			return
		}
	}
}

// hand hands on what was accepted, and returns false after Close.
func (l *tlsListener) hand(a accepted) bool {
	select {
	case l.accepted <- a:
		return true
	case <-l.closed:
		return false
	}
}

// Close ends Accept. Connections that it has returned go on.
func (l *tlsListener) Close() error {
	l.ended.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// greet makes the TLS handshake, which waits at the gate as a proof does. It then serves an
// agent, or hands on any other connection.
func (s *Server) greet(ctx context.Context, people *tlsListener, conn *tls.Conn) {
	done, ok := s.begin()
	if !ok {
		_ = conn.NetConn().Close()
		return
	}
	defer done()
	leave, ok := s.gate.enter(conn.RemoteAddr().String(), conn.NetConn().Close)
	if !ok {
		_ = conn.NetConn().Close()
		return
	}
	err := s.shakeHands(ctx, conn)
	leave()
	switch {
	case err != nil:
		answerPlainHTTP(err)
		s.cfg.Logger.Debug("TLS handshake failed", "remote", conn.RemoteAddr(), "error", err)
		_ = conn.NetConn().Close()
	case conn.ConnectionState().NegotiatedProtocol == ALPN:
		s.serve(ctx, newDirectConn(conn), conn.RemoteAddr().String())
	case !people.hand(accepted{conn: conn}):
		_ = conn.Close()
	}
}

// shakeHands makes the TLS handshake in the time that it has.
func (s *Server) shakeHands(ctx context.Context, conn *tls.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(s.cfg.Timings.Handshake)); err != nil {
		return err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// answerPlainHTTP answers a plain HTTP request with an error, as net/http does.
func answerPlainHTTP(err error) {
	if re, ok := errors.AsType[tls.RecordHeaderError](err); ok && re.Conn != nil {
		switch string(re.RecordHeader[:]) {
		case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
			_, _ = io.WriteString(re.Conn,
				"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		}
	}
}
