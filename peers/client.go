package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// dialPatience bounds a connection to another daemon with its TLS handshake.
const dialPatience = 5 * time.Second

// Transport returns a RoundTripper to another daemon. It ignores scheme and host of a
// request's URL. A daemon that is not known, or cannot be reached, is an error. A request
// that asks for an upgrade is sent on a connection of its own; if it is answered with 101,
// the body of the answer is an [io.ReadWriteCloser]. What no handler has answered, since the
// daemon ends or does not know this one, is an error, too.
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
	if resp.Header.Get(HeaderError) == refusedHere {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("daemon %s answers for itself: %s", t.daemon, resp.Status)
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
	dialled, err := new(net.Dialer).DialContext(ctx, "tcp", d.Address)
	if err != nil {
		return nil, unreached(d, err)
	}
	raw, err := m.dialled.add(dialled)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{proto}, ServerName: host, RootCAs: m.authority.pool(),
		Certificates: []tls.Certificate{*leaf}, Time: m.cfg.Now,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, unreached(d, err)
	}
	return conn, nil
}

// unreached says why no connection to a daemon came about, and what people can do about it.
func unreached(d Daemon, err error) error {
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	var plain tls.RecordHeaderError
	advice := "check that it runs, that its address for other daemons leads to it, and that no firewall is between"
	switch {
	case errors.As(err, &name) && strings.Contains(err.Error(), domain):
		advice = "another daemon answers there: each needs an address of its own"
	case errors.As(err, &name), errors.As(err, &unknown), errors.As(err, &plain):
		advice = "what answers there is no daemon that shares this database: check its address for other daemons"
	case errors.As(err, &invalid):
		advice = "the clocks of the two daemons may be a day apart at most"
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error"):
		advice = "it does not take this daemon for one that shares its database: its list of them may be old, since " +
			"it does not reach the database, or its clock wrong"
	}
	return fmt.Errorf("%s: %w; %s", d.Address, err, advice)
}

// maxStrangers is how many connections may be open that have not shown yet whose they are: a
// handshake takes milliseconds.
const maxStrangers = 256

// connections are those that are open, so that Run can close them.
type connections struct {
	mu        sync.Mutex
	open      map[*tracked]struct{} // guarded by mu, as all below
	strangers []*tracked            // of open, those that have not shown yet whose they are; oldest first
	closed    bool
}

func newConnections() *connections { return &connections{open: map[*tracked]struct{}{}} }

// tracked is a connection that is forgotten when it is closed.
type tracked struct {
	net.Conn
	of *connections
}

// Close closes the connection.
func (c *tracked) Close() error {
	c.of.admit(c)
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// from is the host at the other end.
func (c *tracked) from() string {
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	return host
}

// await takes note of a connection that has to show whose it is. Where there are too many of
// them it closes the oldest one of the host that has most, so that nobody keeps the daemons
// out.
func (c *connections) await(t *tracked) {
	var least *tracked
	c.mu.Lock()
	if c.strangers = append(c.strangers, t); len(c.strangers) > maxStrangers {
		counts, most := map[string]int{}, 0
		for _, s := range c.strangers {
			counts[s.from()]++
			most = max(most, counts[s.from()])
		}
		least = c.strangers[slices.IndexFunc(c.strangers, func(s *tracked) bool { return counts[s.from()] == most })]
	}
	c.mu.Unlock()
	if least != nil {
		_ = least.Close()
	}
}

// admit takes note that a connection has shown whose it is.
func (c *connections) admit(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.strangers, func(t *tracked) bool { return net.Conn(t) == conn }); i >= 0 {
		c.strangers = slices.Delete(c.strangers, i, i+1)
	}
}

// add takes a connection, and closes it if Run has ended.
func (c *connections) add(conn net.Conn) (*tracked, error) {
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
	t, err := l.of.add(conn)
	if err != nil {
		return nil, err
	}
	l.of.await(t)
	return t, nil
}
