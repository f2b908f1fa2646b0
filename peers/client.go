package peers

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// dialPatience bounds a connection to another daemon with its TLS handshake.
const dialPatience = 5 * time.Second

// Transport returns a RoundTripper to another daemon. It ignores scheme and host of a
// request's URL. A daemon that is not known, or cannot be reached, is an error. A request
// that asks for an upgrade is sent on a connection of its own; if it is answered with 101,
// the body of the answer is an [io.ReadWriteCloser].
func (m *Mesh) Transport(daemon string) http.RoundTripper { return &transport{m, daemon} }

type transport struct {
	mesh   *Mesh
	daemon string
}

// RoundTrip sends the request to the daemon.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.WithContext(r.Context())
	out.URL = &url.URL{Scheme: "https", Host: nameOf(t.daemon), Path: r.URL.Path, RawPath: r.URL.RawPath,
		RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	out.Host, out.RequestURI = "", ""
	by := t.mesh.plain
	if r.Header.Get("Upgrade") != "" {
		by = t.mesh.upgrades
	}
	resp, err := by.RoundTrip(out)
	if err != nil {
		return nil, fmt.Errorf("daemon %s: %w", t.daemon, err)
	}
	resp.Request = r
	return resp, nil
}

// newTransports returns a client for HTTP/2 and one for HTTP/1.1.
func (m *Mesh) newTransports() (plain, upgrades *http.Transport) {
	one := func(proto string, set func(*http.Protocols)) *http.Transport {
		p := new(http.Protocols)
		set(p)
		return &http.Transport{
			DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return m.dial(ctx, address, proto)
			},
			Protocols: p, DisableCompression: true, MaxResponseHeaderBytes: 2 * maxHeader,
			IdleConnTimeout: time.Minute,
			HTTP2:           &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
		}
	}
	plain = one(http2, func(p *http.Protocols) { p.SetHTTP2(true) })
	upgrades = one(http1, func(p *http.Protocols) { p.SetHTTP1(true) })
	upgrades.DisableKeepAlives = true
	return plain, upgrades
}

// dial connects to the daemon that a name in a URL stands for.
func (m *Mesh) dial(ctx context.Context, name, proto string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(name)
	if err != nil {
		return nil, err
	}
	id, _ := strings.CutSuffix(host, domain)
	d, ok := m.find(id)
	if !ok || d.Address == "" {
		return nil, fmt.Errorf("the database lists no daemon %s with an address", id)
	}
	leaf, err := m.certificate()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", d.Address)
	if err != nil {
		return nil, err
	}
	if raw, err = m.dialled.add(raw); err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{proto}, ServerName: host, RootCAs: m.authority.pool(),
		Certificates: []tls.Certificate{*leaf}, Time: m.cfg.Now,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// connections are those that are open, so that Run can close them.
type connections struct {
	mu     sync.Mutex
	open   map[*tracked]struct{}
	closed bool // guarded by mu, as open
}

func newConnections() *connections { return &connections{open: map[*tracked]struct{}{}} }

// tracked is a connection that is forgotten when it is closed.
type tracked struct {
	net.Conn
	of *connections
}

// Close closes the connection.
func (c *tracked) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// add takes a connection, and closes it if Run has ended.
func (c *connections) add(conn net.Conn) (net.Conn, error) {
	t := &tracked{conn, c}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.open[t] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	return t, nil
}

// closeAll closes all connections, and those that are added from now on.
func (c *connections) closeAll() {
	c.mu.Lock()
	c.closed = true
	all := c.open
	c.open = map[*tracked]struct{}{}
	c.mu.Unlock()
	for t := range all {
		_ = t.Conn.Close()
	}
}

// listener returns a TLS listener whose connections are kept.
func (c *connections) listener(l net.Listener, config *tls.Config) net.Listener {
	return tls.NewListener(&trackedListener{l, c}, config)
}

type trackedListener struct {
	net.Listener
	of *connections
}

// Accept takes a connection.
func (l *trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.of.add(conn)
}
