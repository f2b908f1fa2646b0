package agentproto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testCA is an authority, or a certificate that one has signed.
type testCA struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	parent *testCA // nil means signed by itself
}

// certOptions are what differs from a CA, or a server's certificate, that is
// valid from an hour ago for a year.
type certOptions struct {
	names     []string
	notBefore time.Time
	notAfter  time.Time
	noCA      bool

	forClients bool // instead of servers
}

// newTestCA returns an authority that signs itself.
func newTestCA(t testing.TB, name string) *testCA { return issue(t, nil, name, certOptions{}) }

// server returns a certificate for names and addresses.
func (ca *testCA) server(t testing.TB, names ...string) *testCA {
	return issue(t, ca, "server", certOptions{names: names, noCA: true})
}

func issue(t testing.TB, parent *testCA, name string, o certOptions) *testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: !o.noCA, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if o.noCA {
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if o.forClients {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if !o.notBefore.IsZero() {
		template.NotBefore = o.notBefore
	}
	if !o.notAfter.IsZero() {
		template.NotAfter = o.notAfter
	}
	for _, n := range o.names {
		if addr, err := netip.ParseAddr(n); err == nil {
			template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	signer := &testCA{cert: template, key: key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &testCA{cert: cert, key: key, parent: parent}
}

// chain returns the certificate and those above it, with the root.
func (ca *testCA) chain() []*x509.Certificate {
	var out []*x509.Certificate
	for c := ca; c != nil; c = c.parent {
		out = append(out, c.cert)
	}
	return out
}

// pair returns the certificate as a server shows it: with the chain above it.
func (ca *testCA) pair() tls.Certificate {
	return tls.Certificate{Certificate: rawCertificates(ca.chain()), PrivateKey: ca.key, Leaf: ca.cert}
}
