package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"
)

// standBetween makes this program, when WAY says so, what stands on the way between
// agents and their server instead of what tests: WAY is connect (a proxy that passes
// CONNECT to whoever has WAY_USER, user:password) or reverse (a proxy that ends TLS
// before WAY_TO and writes its authority to WAY_CA), or dashboard (a simulated one at
// WAY_TO, with what real ones do beside it). Hosts in namespaces of their own
// need one that runs there. It returns if WAY is empty.
func standBetween() {
	ways := map[string]func() error{"connect": connectProxy, "reverse": reverseProxy, "dashboard": fullDashboard}
	way, ok := ways[os.Getenv("WAY")]
	if !ok {
		return
	}
	fmt.Fprintln(os.Stderr, way())
	os.Exit(1)
}

func connectProxy() error {
	wanted := "Basic " + base64.StdEncoding.EncodeToString([]byte(os.Getenv("WAY_USER")))
	server := &http.Server{Addr: os.Getenv("WAY_LISTEN"), ReadHeaderTimeout: time.Minute}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodConnect:
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		case r.Header.Get("Proxy-Authorization") != wanted:
			w.Header().Set("Proxy-Authenticate", `Basic realm="fleet"`)
			http.Error(w, "who are you", http.StatusProxyAuthRequired)
		default:
			pass(w, r)
		}
	})
	return server.ListenAndServe()
}

// pass connects a client to the host it asks for, until either ends.
func pass(w http.ResponseWriter, r *http.Request) {
	there, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() { _, _ = io.Copy(there, buffered); _ = there.Close() }()
	_, _ = io.Copy(here, there)
}

func reverseProxy() error {
	to, err := url.Parse(os.Getenv("WAY_TO"))
	if err != nil {
		return err
	}
	listen := os.Getenv("WAY_LISTEN")
	host, _, _ := net.SplitHostPort(listen)
	pair, ca, err := ownAuthority(net.ParseIP(host))
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", listen)
	if err != nil {
		return err
	}
	if err := os.WriteFile(os.Getenv("WAY_CA"), ca, 0o600); err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.SetXForwarded() }}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Protocols: http1,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if upgrade := r.Header.Get("Upgrade"); upgrade != "" && !strings.EqualFold(upgrade, "websocket") {
			http.Error(w, "no "+upgrade, http.StatusBadRequest)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	return server.ServeTLS(listener, "", "")
}

// ownAuthority makes a certificate for an address, and the authority that vouches
// for it.
func ownAuthority(address net.IP) (pair tls.Certificate, ca []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the authority of a proxy"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a proxy"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		IPAddresses: []net.IP{address}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		return pair, nil, err
	}
	own, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{own, root},
		PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}), err
}
