package agentproto

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
)

// ServeHTTP answers the paths of the protocol: [PathConnect], [PathRegister] and
// [PathUnregister]. Anything else is 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case PathConnect:
		s.connect(w, r)
	case PathRegister:
		s.paths.register(w, r)
	case PathUnregister:
		s.paths.unregister(w, r)
	default:
		http.NotFound(w, r)
	}
}

// ConfigureTLS adds the direct carrier to an HTTPS server: TLS selects [ALPN] for
// agents, which offer it, and HTTP/2 or HTTP/1.1 for all others. It must be called
// before h serves, and h.Handler must pass the paths of the protocol to the Server.
// Connections that have not sent anything yet count as handshakes. If
// h.ReadHeaderTimeout is not set, it becomes Timings.Handshake, which also bounds
// the TLS handshake.
func (s *Server) ConfigureTLS(h *http.Server) {
	if h.TLSConfig == nil {
		h.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	// The server's order decides. Agents offer http/1.1 as well, so ALPN has to
	// stand before what the configuration lists already.
	protos := []string{ALPN}
	for _, proto := range append(slices.Clone(h.TLSConfig.NextProtos), "h2", "http/1.1") {
		if !slices.Contains(protos, proto) {
			protos = append(protos, proto)
		}
	}
	h.TLSConfig.NextProtos = protos
	if h.Protocols == nil { // else TLSNextProto would switch HTTP/2 off
		h.Protocols = new(http.Protocols)
		h.Protocols.SetHTTP1(true)
		h.Protocols.SetHTTP2(true)
	}
	if h.ReadHeaderTimeout == 0 {
		h.ReadHeaderTimeout = s.cfg.Timings.Handshake
	}
	if h.TLSNextProto == nil {
		h.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	h.TLSNextProto[ALPN] = s.serveDirect
	next := h.ConnState
	h.ConnState = func(conn net.Conn, state http.ConnState) {
		s.watchConn(conn, state)
		if next != nil {
			next(conn, state)
		}
	}
}

// watchConn keeps a connection at the gate until it has sent something.
func (s *Server) watchConn(conn net.Conn, state http.ConnState) {
	if state != http.StateNew {
		s.gate.leaveConn(conn)
		return
	}
	if !s.gate.enterConn(conn) {
		_ = conn.Close()
	}
}

// serveDirect serves a connection whose TLS handshake selected [ALPN]. It
// returns when the connection has ended: net/http closes it then.
func (s *Server) serveDirect(_ *http.Server, conn *tls.Conn, h http.Handler) {
	base, ok := h.(interface{ BaseContext() context.Context })
	if !ok {
		return // not called by net/http
	}
	s.gate.leaveConn(conn)
	if sess := s.serve(base.BaseContext(), newDirectConn(conn), conn.RemoteAddr().String()); sess != nil {
		<-sess.gone
	}
}
