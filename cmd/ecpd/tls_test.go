package main_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, pool := certificate(t)
	p := launch(t, t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=0123456789abcdef"},
		"--dev", "--listen", "127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile)
	url := p.Line(t, readyLine)
	require.True(t, strings.HasPrefix(url, "https://127.0.0.1:"), url)
	client := func(c *tls.Config) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
	}
	d := &daemon{process: p, url: url, token: "0123456789abcdef", http: client(&tls.Config{RootCAs: pool})}
	a := d.call(t, http.MethodGet, "/api/v1/clusters", "", nil, 200)
	require.Equal(t, "max-age=31536000", a.header.Get("Strict-Transport-Security"))

	d.http = client(&tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	_, err := d.try(http.MethodGet, "/healthz", "")
	assert.Error(t, err, "TLS 1.1 is too old")

	require.NoError(t, os.WriteFile(keyFile, []byte("no key"), 0o600))
	line := refuses(t, 1, nil, "--dev", "--listen", "127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile)
	assert.Contains(t, line, "--tls-key")
}

// TestCertificateIsRenewed replaces the certificate of a running daemon: it is
// shown to new connections without a restart, by looking and by SIGHUP; one that
// is broken changes nothing and is complained of once.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := certificate(t)
	p := launch(t, t.TempDir(), nil, "--dev", "--listen", "127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile,
		"--tls-check", "1s")
	address := strings.TrimPrefix(p.Line(t, readyLine), "https://")
	first := shown(t, address)

	// By looking: a pair put in place as tools for certificates do, by renaming.
	newCert, newKey, _ := certificate(t)
	require.NoError(t, os.Rename(newKey, keyFile))
	require.NoError(t, os.Rename(newCert, certFile))
	var second []byte
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		second = shown(t, address)
		return !bytes.Equal(first, second), "the first certificate is shown"
	})
	p.Logs(t, "certificate renewed")

	// A broken one is not taken, and said once however often it is looked at.
	require.NoError(t, os.WriteFile(certFile, []byte("no certificate"), 0o600))
	const message = "the certificate was not renewed, the one before stays in use"
	p.Logs(t, message)
	require.Equal(t, second, shown(t, address))

	// By SIGHUP, at once.
	newCert, newKey, _ = certificate(t)
	require.NoError(t, os.Rename(newKey, keyFile))
	require.NoError(t, os.Rename(newCert, certFile))
	p.Signal(t, syscall.SIGHUP)
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		return !bytes.Equal(second, shown(t, address)), p.Stderr.String()
	})
	code, _ := p.Terminate(t)
	require.Zero(t, code)
}

// TestOwnAuthority serves TLS with nothing but --tls-auto: whoever has ca.pem trusts
// the daemon under each of its names, also after a restart.
func TestOwnAuthority(t *testing.T) {
	t.Parallel()
	data, agents := filepath.Join(t.TempDir(), "data"), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(agents, "emqxee-agent-linux-arm"), []byte("program"), 0o755))
	var authority []byte
	for range 2 {
		p := launch(t, t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=0123456789abcdef"}, "--dev", "--listen",
			"127.0.0.1:0", "--data-dir", data,
			"--tls-auto", "--cluster-agent", "https://ecp.example.com:8443/api", "--agents-dir", agents)
		url := p.Line(t, readyLine)
		content, err := os.ReadFile(filepath.Join(data, "tls", "ca.pem"))
		require.NoError(t, err)
		if authority != nil {
			require.Equal(t, string(authority), string(content), "it stays the same")
		}
		authority = content
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(authority))
		for _, name := range []string{"", "localhost", "ecp.example.com", "127.0.0.1", "::1"} {
			d := &daemon{process: p, url: url, token: "0123456789abcdef", http: &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}, DisableKeepAlives: true,
				ForceAttemptHTTP2: true,
			}}}
			d.call(t, http.MethodGet, "/api/v1/clusters", "", nil, 200)
			require.Equal(t, "program", string(d.call(t, http.MethodGet, "/dl/emqxee-agent-linux-arm", "", nil,
				200).body))
			d.call(t, http.MethodGet, "/dl/emqxee-agent-linux-amd64", "", nil, 404)
		}
		code, _ := p.Terminate(t)
		require.Zero(t, code)
	}
	key := filepath.Join(data, "tls", "authority.pem")
	require.NoError(t, os.WriteFile(key, []byte("x"), 0o600))
	require.Contains(t, refuses(t, 1, nil, "--dev", "--listen", "127.0.0.1:0", "--data-dir", data, "--tls-auto"), key)
}

// shown gives the certificate that a new connection is shown, in DER.
func shown(t *testing.T, address string) []byte {
	t.Helper()
	// which one it is, is the question
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
}

// certificate makes a certificate for loopback and who trusts it.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, b []byte) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
		return file
	}
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", keyDER), pool
}
