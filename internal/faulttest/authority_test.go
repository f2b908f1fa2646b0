package faulttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newAuthority makes a certificate authority: its certificate is written into a file
// for agents, certificate and key are returned as the daemon keeps them.
func newAuthority(t *testing.T, public string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority of " +
			filepath.Base(public)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(public, cert, 0o600))
	return append(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

// moveAuthority gives the daemon, which does not run, another authority: it makes
// itself a certificate of it when it starts.
func moveAuthority(t *testing.T, s *server, authority []byte) {
	t.Helper()
	dir := filepath.Join(s.dir, "tls")
	for _, name := range []string{"server.pem", "ca.pem"} {
		_ = os.Remove(filepath.Join(dir, name)) // there may be none yet
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "authority.pem"), authority, 0o600))
}

// inIdentity is how a certificate stands in an agent's identity: as in PEM, on one
// line.
func inIdentity(t *testing.T, certificate []byte) string {
	t.Helper()
	block, _ := pem.Decode(certificate)
	require.NotNil(t, block)
	var out strings.Builder
	for line := range strings.Lines(string(pem.EncodeToMemory(block))) {
		if !strings.HasPrefix(line, "-----") {
			out.WriteString(strings.TrimSpace(line))
		}
	}
	return out.String()
}
