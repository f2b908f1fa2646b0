package agentproto

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// way is a carrier to the server.
type way struct {
	conn  *carrierConn
	why   string // why it is this carrier
	tls   *TLSStatus
	trust trust
	chain []*x509.Certificate // as it was verified; empty for plain HTTP
}

// offers are the protocols that the agent offers in TLS. The WebSocket begins with http/1.1.
var offers = map[TunnelMode][]string{
	TunnelAuto:      {ALPN, "http/1.1"},
	TunnelDirect:    {ALPN, "http/1.1"}, // a server that knows none of the protocols would end the handshake
	TunnelWebSocket: {"http/1.1"},
}

// dial opens a carrier to the server: the direct one if TLS selects it.
func (a *Agent) dial(ctx context.Context) (way, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.cfg.Timings.Dial,
		fmt.Errorf("no connection to %s within %s", a.identity.Server, a.cfg.Timings.Dial))
	defer cancel()
	dialer, err := newServerDialer(a.identity, a.cfg.Proxy, a.cfg.Now, a.cfg.BuildTime)
	if err != nil {
		return way{}, err
	}
	o, err := dialer.open(ctx, offers[a.cfg.Tunnel]...)
	if err != nil {
		return way{}, err
	}
	w := way{trust: dialer.trust, chain: o.chain}
	secure, isTLS := o.Conn.(*tls.Conn)
	if isTLS {
		w.tls = tlsStatus(secure.ConnectionState())
	}
	if o.protocol == ALPN {
		w.why = "TLS selected " + ALPN
		w.conn = newDirectConn(secure)
		return w, nil
	}
	no := "TLS did not select " + ALPN +
		": something between agent and server ends TLS, or the server's listener does not offer it"
	if !isTLS {
		no = "plain HTTP has no TLS to select the direct carrier"
	}
	w.why = no
	switch a.cfg.Tunnel {
	case TunnelAuto:
	case TunnelDirect:
		_ = o.Close()
		return way{}, &Failure{Step: StepDirect, Code: FailedTLS,
			Message: fmt.Sprintf("the direct carrier cannot be used to %s: %s", dialer.server.Host, no),
			Hint:    "Use --tunnel auto or --tunnel websocket"}
	case TunnelWebSocket:
		w.why = "it is the carrier that is configured"
	}
	w.conn, err = openWebSocket(ctx, dialer.server, o.Conn)
	return w, err
}

// openWebSocket begins the WebSocket carrier on a connection, which it owns.
func openWebSocket(ctx context.Context, server *url.URL, conn net.Conn) (*carrierConn, error) {
	below := &cork{Conn: conn}
	//nolint:bodyclose // Dial returns no body that has to be closed
	ws, resp, err := websocket.Dial(ctx, server.Scheme+"://"+server.Host+PathConnect, &websocket.DialOptions{
		HTTPClient: clientOn(below), CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		_ = conn.Close()
		return nil, explainUpgrade(ctx, server, resp, err)
	}
	return newWebSocketConn(context.WithoutCancel(ctx), ws, below), nil
}

// clientOn returns an HTTP client whose only connection is conn.
func clientOn(conn net.Conn) *http.Client {
	first := make(chan net.Conn, 1)
	first <- conn
	take := func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-first:
			return c, nil
		default:
			return nil, net.ErrClosed
		}
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{DialContext: take, DialTLSContext: take, Protocols: http1, DisableKeepAlives: true,
			DisableCompression: true, MaxResponseHeaderBytes: maxAnswerBody},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// explainUpgrade returns why the WebSocket did not begin.
func explainUpgrade(ctx context.Context, server *url.URL, resp *http.Response, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f := &Failure{Step: StepWebSocket, Code: FailedHTTP, Err: err}
	if resp == nil {
		f.Code = FailedInterruption
		f.Message = fmt.Sprintf("the WebSocket to %s did not begin: %v", server.Host, cleanText(err.Error(), maxWord))
		return f
	}
	text := resp.Status
	if resp.StatusCode == http.StatusServiceUnavailable {
		return &Refusal{Code: RefusedBusy, Message: "the server answers " + text,
			RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	}
	f.Message = fmt.Sprintf("%s answers %q to GET %s; a WebSocket begins with 101", server.Host, cleanText(text, maxID),
		PathConnect)
	f.Hint = "If a reverse proxy or a load balancer stands before the server, let it pass WebSocket on this path"
	return f
}

func tlsStatus(state tls.ConnectionState) *TLSStatus {
	st := &TLSStatus{
		Version: tls.VersionName(state.Version), CipherSuite: tls.CipherSuiteName(state.CipherSuite),
		ALPN: state.NegotiatedProtocol,
	}
	if len(state.PeerCertificates) > 0 {
		leaf := state.PeerCertificates[0]
		st.Subject, st.Issuer = cleanText(leaf.Subject.String(), maxWord), cleanText(leaf.Issuer.String(), maxWord)
		st.NotAfter = leaf.NotAfter
	}
	return st
}

// retryAfter reads the header Retry-After in its form with seconds.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}
