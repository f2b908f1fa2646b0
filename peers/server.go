package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Limits of what other daemons send.
const (
	handshakePatience = 10 * time.Second
	maxHeader         = 128 << 10
	maxStreams        = 2000 // requests at once on one connection: all dashboards of a fleet
)

// The protocols that are offered, as ALPN names them.
const http2, http1 = "h2", "http/1.1"

// newServer returns the server for connections of other daemons.
func (m *Mesh) newServer(ctx context.Context) *http.Server {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	return &http.Server{
		Handler: http.HandlerFunc(m.serve), TLSConfig: m.serverTLS(), Protocols: p,
		ReadHeaderTimeout: handshakePatience, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: 10 * time.Second,
			PingTimeout: 10 * time.Second, MaxReceiveBufferPerConnection: 64 << 20,
			MaxReceiveBufferPerStream: 256 << 10},
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
}

// serverTLS is the side that is dialled.
func (m *Mesh) serverTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{http2, http1},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			leaf, err := m.certificate()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{http2, http1}, Time: m.cfg.Now,
				Certificates: []tls.Certificate{*leaf}, ClientAuth: tls.RequireAndVerifyClientCert,
				ClientCAs: m.authority.pool(), SessionTicketsDisabled: true,
				VerifyConnection: func(s tls.ConnectionState) error {
					err := m.admit(s.PeerCertificates)
					if err == nil {
						m.accepted.admit(hello.Conn)
					}
					return err
				},
			}, nil
		},
	}
}

// admit returns an error unless a verified certificate is that of a daemon which the Store
// lists.
func (m *Mesh) admit(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the caller shows no certificate")
	}
	id := daemonIn(chain[0])
	if id == "" || !m.lists(id) {
		return errors.New("the caller is no daemon that the database lists")
	}
	return nil
}

// HeaderError is the header of an answer that is the daemon's own, where the caller expects
// that of somebody behind it. Handlers that pass answers on must remove it from those.
const HeaderError = "Ecp-Peer-Error"

// refusedHere stands in the header of answers that no handler has given.
const refusedHere = "refused"

type callerKey struct{}

// CallerOf returns the id of the daemon that sent a request which a handler of a Mesh got.
func CallerOf(r *http.Request) string {
	id, _ := r.Context().Value(callerKey{}).(string)
	return id
}

// serve passes a request on to its handler. The connection may be older than the list of
// daemons.
func (m *Mesh) serve(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || m.admit(r.TLS.PeerCertificates) != nil {
		w.Header().Set(HeaderError, refusedHere)
		http.Error(w, "the caller is no daemon that the database lists", http.StatusForbidden)
		return
	}
	h, done := m.begin(r.URL.EscapedPath())
	if h == nil {
		w.Header().Set(HeaderError, refusedHere)
		http.NotFound(w, r)
		return
	}
	defer done()
	id := daemonIn(r.TLS.PeerCertificates[0])
	h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, id)))
}

// begin finds the handler of a path, and lets Run wait for it until done is called.
func (m *Mesh) begin(path string) (h http.Handler, done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil
	}
	for _, r := range m.handlers {
		if strings.HasPrefix(path, r.prefix) {
			m.requests.Add(1)
			return r.handler, m.requests.Done
		}
	}
	return nil, nil
}
