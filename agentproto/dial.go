package agentproto

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// stepTimeout is how long each step of the way to a server may take: a
// connection (DNS included), the proxy's answer, TLS.
const stepTimeout = 15 * time.Second

var errNoAnswer = fmt.Errorf("no answer within %s", stepTimeout)

// dialFunc is the DialContext of a [net.Dialer].
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// serverDialer opens connections to the server of an identity, through a proxy if one is
// configured. It is safe for use by several goroutines. Its errors are of type *[Failure],
// or those of the context.
type serverDialer struct {
	server *url.URL
	trust  trust
	proxy  func(*url.URL) (*url.URL, error) // nil means HTTPS_PROXY and NO_PROXY
	dial   dialFunc                         // nil means that of the operating system
}

// newServerDialer returns a dialer for the server of an identity, which during registration
// has only Server and CASHA256.
func newServerDialer(id Identity, proxy func(*url.URL) (*url.URL, error), now func() time.Time,
	buildTime time.Time) (*serverDialer, error) {
	if now == nil {
		now = time.Now
	}
	if proxy == nil {
		proxy = proxyFromEnvironment
	}
	t, err := newTrust(id, now, buildTime)
	if err != nil {
		return nil, err
	}
	return &serverDialer{server: t.server, trust: t, proxy: proxy,
		dial: (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext}, nil
}

// opened is a connection to the server. Over http Conn is a plain one and chain
// is empty; otherwise Conn is a *tls.Conn whose handshake is done.
type opened struct {
	net.Conn
	protocol string              // that ALPN selected; may be empty
	chain    []*x509.Certificate // as verified, the server's own first
}

// open connects to the server and makes the TLS handshake, in which it offers protocols.
func (d *serverDialer) open(ctx context.Context, alpn ...string) (*opened, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if d.server.Scheme == "http" {
		return &opened{Conn: conn}, nil
	}
	o := new(opened)
	secured := tls.Client(conn, d.trust.config(alpn, func(chain []*x509.Certificate) { o.chain = chain }))
	step, cancel := context.WithTimeoutCause(ctx, stepTimeout, errNoAnswer)
	defer cancel()
	if err := secured.HandshakeContext(step); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, d.explainTLS(errors.Join(err, context.Cause(step)))
	}
	o.Conn, o.protocol = secured, secured.ConnectionState().NegotiatedProtocol
	return o, nil
}

// connect opens a TCP connection to the server, or a proxy's tunnel.
func (d *serverDialer) connect(ctx context.Context) (net.Conn, error) {
	target := hostPort(d.server)
	proxy, err := d.proxy(d.server)
	if err != nil { // its text may hold the proxy's password
		return nil, &Failure{Step: StepProxy, Code: FailedProxy,
			Message: "the proxy that the environment names cannot be read as a URL",
			Hint:    "Set HTTPS_PROXY to http://HOST:PORT, or list the server in NO_PROXY"}
	}
	if proxy == nil {
		return dialStep(ctx, d.dial, target, target)
	}
	conn, err := dialProxy(ctx, d.dial, proxy, target)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return conn, err
}

// dialStep opens a TCP connection within stepTimeout. what is the other side as
// messages name it.
func dialStep(ctx context.Context, dial dialFunc, address, what string) (net.Conn, error) {
	step, cancel := context.WithTimeoutCause(ctx, stepTimeout, errNoAnswer)
	defer cancel()
	conn, err := dial(step, "tcp", address)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, explainDial(err, address, what)
}

// explainDial returns the error for a failed TCP connection.
func explainDial(err error, address, what string) *Failure {
	host, port, _ := net.SplitHostPort(address)
	f := &Failure{Step: StepTCP, Code: FailedUnreachable, Err: err}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case isDNS && dns.IsNotFound:
		f.Step, f.Code = StepDNS, FailedDNS
		f.Message = fmt.Sprintf("connect to %s: DNS knows no host %q", what, host)
		f.Hint = "Check the name for a typing error, and the name server of this host (/etc/resolv.conf)"
	case isDNS:
		f.Step, f.Code = StepDNS, FailedDNS
		f.Message = fmt.Sprintf("connect to %s: the host %q cannot be looked up: %s", what, host, dns.Err)
		f.Hint = "Check the name server of this host (/etc/resolv.conf)"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Code = FailedRefused
		f.Message = fmt.Sprintf("connect to %s: connection refused: nobody listens on port %s there", what, port)
		f.Hint = "Check host and port, and that what listens there runs"
	case isTimeout && timeout.Timeout():
		f.Message = fmt.Sprintf("connect to %s: %v", what, errNoAnswer)
		f.Hint = fmt.Sprintf("A firewall may drop what goes to port %s: allow it for this host, or set HTTPS_PROXY",
			port)
	default:
		f.Message = fmt.Sprintf("connect to %s: %v", what, cause(err))
		f.Hint = "Check the network of this host: its route to the server, and firewalls between"
	}
	return f
}

// cause returns the innermost error: "no route to host" without "dial tcp …".
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

// explainTLS returns the error for a failed TLS handshake. Errors of trust explain
// themselves.
func (d *serverDialer) explainTLS(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	host := hostPort(d.server)
	f := &Failure{Step: StepTLS, Code: FailedTLS, Err: err}
	record, notTLS := errors.AsType[tls.RecordHeaderError](err)
	alert, isAlert := errors.AsType[tls.AlertError](err)
	switch {
	case notTLS && strings.HasPrefix(string(record.RecordHeader[:]), "HTTP"):
		f.Code = FailedNotTLS
		f.Message = fmt.Sprintf("%s speaks plain HTTP where TLS was expected", host)
		f.Hint = "Use the server's port for HTTPS; agents need TLS"
	case notTLS:
		f.Code = FailedNotTLS
		f.Message = fmt.Sprintf("%s does not speak TLS", host)
		f.Hint = "Check the port: it has to be the server's port for HTTPS"
	case errors.Is(err, errNoAnswer):
		f.Code = FailedUnreachable
		f.Message = fmt.Sprintf("TLS with %s: %v", host, errNoAnswer)
		f.Hint = "The port takes connections and says nothing: check that it is the server's, and what stands in " +
			"between"
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		f.Code = FailedInterruption
		f.Message = fmt.Sprintf("TLS with %s: the connection was closed in the middle", host)
		f.Hint = "A firewall or a load balancer without a server behind it does so: check what stands in between"
	case isAlert:
		f.Message = fmt.Sprintf("TLS with %s: the other side refuses: %v", host, alert)
		f.Hint = "The server has to speak TLS 1.2 or newer for this name"
	default:
		f.Message = fmt.Sprintf("TLS with %s: %v", host, err)
	}
	return f
}

// transport returns an HTTP client's transport to the server, and to nothing
// else. trusted, if not nil, is called with the verified chain of each new
// connection before a request is sent on it.
func (d *serverDialer) transport(trusted func(chain []*x509.Certificate)) *http.Transport {
	open := func(ctx context.Context, _, _ string) (net.Conn, error) {
		o, err := d.open(ctx, "http/1.1")
		if err != nil {
			return nil, err
		}
		if trusted != nil {
			trusted(o.chain)
		}
		return o.Conn, nil
	}
	return &http.Transport{
		DialContext: open, DialTLSContext: open, Proxy: nil,
		MaxResponseHeaderBytes: 64 << 10, ResponseHeaderTimeout: 2 * stepTimeout, DisableCompression: true,
		MaxIdleConns: 1, IdleConnTimeout: stepTimeout,
	}
}
