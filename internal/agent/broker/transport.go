package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Bounds of one exchange with the broker.
const (
	dialTime   = 3 * time.Second
	headerTime = time.Minute     // until an answer begins: EMQX up to 5.6 holds /status for 20 s
	idleTime   = 4 * time.Second // EMQX before 4.4.24 drops connections after 5 s
	// mostConns is how many connections there are at once: reports find one, however
	// many requests through the tunnel hold theirs.
	mostConns = apiAtOnce + dashboardAtOnce + 24
	mostIdle  = 4
)

// newTransport makes the transport of all exchanges with the broker. It takes no
// proxy from the environment: that is the way to the server.
func newTransport(s Settings) (*http.Transport, error) {
	roots, err := rootsOf(s)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTime}
	return &http.Transport{
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 2*dialTime)
			defer cancel()
			return (&tls.Dialer{NetDialer: dialer, Config: tlsConfig(s, roots, addr)}).DialContext(ctx, network, addr)
		},
		ResponseHeaderTimeout:  headerTime,
		IdleConnTimeout:        idleTime,
		MaxConnsPerHost:        mostConns,
		MaxIdleConnsPerHost:    mostIdle,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // bytes pass as they are
	}, nil
}

func rootsOf(s Settings) (*x509.CertPool, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificates for EMQX: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the certificates for EMQX: %s has none in PEM form", s.CAFile)
	}
	return roots, nil
}

// tlsConfig verifies who answers, except on loopback where no certificates are
// given: only this host answers there, and EMQX's own certificates name no host.
func tlsConfig(s Settings, roots *x509.CertPool, addr string) *tls.Config {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	return &tls.Config{
		ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: s.SkipVerify || roots == nil && loopback(host),
	}
}

// to makes a request go to a base, with path and query as they are.
func to(base *url.URL, r *http.Request) {
	u := *r.URL
	u.Scheme, u.Host, u.User, u.Opaque = base.Scheme, base.Host, nil, ""
	r.URL, r.Host = &u, ""
}
