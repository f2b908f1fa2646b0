package catalog

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serials int64

// issue makes a certificate; a nil issuer makes it its own.
func issue(t *testing.T, name string, by *issued, key crypto.Signer, edit func(*x509.Certificate)) *issued {
	t.Helper()
	serials++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true,
	}
	if edit != nil {
		edit(c)
	}
	if key == nil {
		key = ecKey(t)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &issued{made, key}
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.DNSNames = true, x509.KeyUsageCertSign, nil
}

func chainOf(of ...*issued) string {
	var b strings.Builder
	for _, i := range of {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw}))
	}
	return b.String()
}

func (i *issued) pem(t *testing.T) ecp.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	require.NoError(t, err)
	return ecp.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestCertificatesThatAreRefused names the field and the reason of each.
func TestCertificatesThatAreRefused(t *testing.T) {
	root := issue(t, "root", nil, nil, authority)
	middle := issue(t, "middle", root, nil, authority)
	leaf := issue(t, "mqtt.example.com", middle, nil, nil)
	other := issue(t, "other.example.com", middle, nil, nil)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	until := func(at time.Time) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = at }
	}
	old := issue(t, "old.example.com", nil, nil, until(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)))
	early := issue(t, "early.example.com", nil, nil, func(c *x509.Certificate) {
		c.NotBefore = c.NotBefore.AddDate(0, 1, 0)
	})
	client := issue(t, "client", nil, nil, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	weak, foreign := issue(t, "weak", nil, small, nil), issue(t, "foreign", nil, edwards, nil)
	key := string(leaf.pem(t))
	for name, c := range map[string]struct {
		chain string
		key   ecp.Secret
		want  string
	}{
		"nothing":          {"", leaf.pem(t), "chain: has no certificate in it"},
		"no key":           {chainOf(leaf), "", "key: is missing"},
		"key of another":   {chainOf(leaf, middle), other.pem(t), "key: is not that of the first certificate"},
		"reversed":         {chainOf(middle, leaf), leaf.pem(t), "certificate 1 of it, CN=middle, is not signed by"},
		"a gap":            {chainOf(leaf, root), leaf.pem(t), "certificate 1 of it, CN=mqtt.example.com, is not"},
		"expired":          {chainOf(old), old.pem(t), "chain: certificate 1 of it, CN=old.example.com, ended on 2"},
		"not yet":          {chainOf(early), early.pem(t), "is not valid before 2026-02-01T00:00:00Z"},
		"few bits":         {chainOf(weak), weak.pem(t), "has a key of RSA with 1024 bits"},
		"another kind":     {chainOf(foreign), foreign.pem(t), "has a key of another kind than RSA and ECDSA"},
		"for clients":      {chainOf(client), client.pem(t), "is not one for servers"},
		"key in the chain": {chainOf(leaf) + key, leaf.pem(t), "chain: has a private key in it"},
		"something else": {
			chainOf(leaf) + "-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n", leaf.pem(t),
			`chain: has a block "X509 CRL"`,
		},
		"torn": {
			"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n", leaf.pem(t),
			"chain: has a certificate that cannot be read",
		},
		"encrypted key": {
			chainOf(leaf), "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n",
			"key: is encrypted with a password",
		},
		"key encrypted as it used to be": {
			chainOf(leaf), "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n" +
				"aGVsbG8=\n-----END RSA PRIVATE KEY-----\n", "key: is encrypted with a password",
		},
		"no PEM":        {chainOf(leaf), "hush", "key: has no private key in it"},
		"two keys":      {chainOf(leaf), ecp.Secret(key + key), "key: has more than one private key"},
		"chain as key":  {chainOf(leaf), ecp.Secret(chainOf(leaf)), "key: has something else than a private key"},
		"torn key":      {chainOf(leaf), ecp.Secret(strings.Replace(key, "M", "N", 1)), "key: cannot be read"},
		"much too much": {strings.Repeat("x", MaxSecret+1), leaf.pem(t), "chain: has 262145 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newRig(t)
			_, err := o.c.Certificates.Create(asSystem, ecp.Certificate{Name: "shops", Chain: c.chain}, c.key)
			require.ErrorIs(t, err, ecp.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), strings.Split(key, "\n")[1], "nothing of a key is told")
			require.Empty(t, o.s.Records[ecp.KindSecret])
		})
	}
}

// TestCertificatesThatAreTaken: what they say is shown, and texts between blocks are left out.
func TestCertificatesThatAreTaken(t *testing.T) {
	o := newRig(t)
	var told []string
	o.begin(func(c *Config) {
		c.Hooks.CertificateChanged = func(_ context.Context, name string) { told = append(told, name) }
	})
	root := issue(t, "root", nil, nil, authority)
	middle := issue(t, "middle", root, nil, func(c *x509.Certificate) {
		authority(c)
		c.NotAfter = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	})
	leaf := issue(t, "mqtt.example.com", middle, nil, nil)
	der, err := x509.MarshalECPrivateKey(leaf.key.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	key := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" +
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	made, err := o.c.Certificates.Create(asSystem,
		ecp.Certificate{Name: "shops", Chain: "Bag Attributes\n" + chainOf(leaf, middle)}, ecp.Secret(key))
	require.NoError(t, err)
	require.Equal(t, chainOf(leaf, middle), made.Chain)
	require.Equal(t, []string{"CN=mqtt.example.com", "CN=middle"}, made.Subjects)
	require.Equal(t, "CN=root", made.Issuer)
	require.Equal(t, []string{"mqtt.example.com"}, made.DNSNames)
	require.Equal(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), made.NotAfter, "the first of the chain that ends")
	require.Len(t, made.SHA256, 64)
	o.requireHidden(t, ecp.Secret(strings.Split(key, "\n")[4]))

	renewed := issue(t, "mqtt.example.com", root, leaf.key, nil)
	made.Chain = chainOf(renewed)
	next, err := o.c.Certificates.Update(asSystem, made, nil)
	require.NoError(t, err, "with the key that it had")
	require.NotEqual(t, made.SHA256, next.SHA256)
	require.Equal(t, "CN=root", next.Issuer)
	another := issue(t, "mqtt.example.com", root, nil, nil)
	next.Chain = chainOf(another)
	_, err = o.c.Certificates.Update(asSystem, next, nil)
	require.ErrorContains(t, err, "key: is not that of the first certificate")
	empty, both := ecp.Secret(""), another.pem(t)
	_, err = o.c.Certificates.Update(asSystem, next, &empty)
	require.ErrorContains(t, err, "key: is missing")
	_, err = o.c.Certificates.Update(asSystem, next, &both)
	require.NoError(t, err)
	require.Equal(t, []string{"shops", "shops", "shops"}, told)

	got, err := o.c.CertificateInfos(asSystem)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Empty(t, got[0].Clusters)
}
