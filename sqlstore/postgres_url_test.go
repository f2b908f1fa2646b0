package sqlstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	bigint "math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A connection is made with the certificate that is in its file by then.
func TestCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write := func(name string) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		c := &x509.Certificate{SerialNumber: bigint.NewInt(1), Subject: pkix.Name{CommonName: name},
			NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, c, c, own.Public(), own)
		require.NoError(t, err)
		private, err := x509.MarshalPKCS8PrivateKey(own)
		require.NoError(t, err)
		for file, block := range map[string]*pem.Block{
			cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private},
		} {
			require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		}
	}
	write("first")
	url := "postgres://u@h/x?sslmode=require&sslcert=" + cert + "&sslkey=" + key
	c, err := parseURL(url)
	require.NoError(t, err)
	connect := (&pgEngine{}).credentials(url)
	for _, name := range []string{"first", "second"} {
		write(name)
		require.NoError(t, connect(t.Context(), c))
		require.Len(t, c.TLSConfig.Certificates, 1)
		require.Equal(t, name, c.TLSConfig.Certificates[0].Leaf.Subject.CommonName)
	}
	require.NoError(t, os.Remove(key))
	require.ErrorContains(t, connect(t.Context(), c), "unable to read sslkey: open "+key)
}
