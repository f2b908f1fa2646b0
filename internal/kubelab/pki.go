package kubelab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// validity of every certificate; a lab started for manual work may run for days.
const validity = 30 * 24 * time.Hour

// authority signs the certificates of one lab and writes the files that the
// programs read, all in one folder.
type authority struct {
	dir    string // of the files
	server string // URL that kubeconfigs name
	cert   *x509.Certificate
	key    crypto.Signer
}

// identity is the user or server that a certificate is for.
type identity struct {
	file   string // base name of the files
	name   string // user name
	groups []string
	hosts  []net.IP // addresses that it may serve on; may be empty
}

func newAuthority(dir, server string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	t := template("kubelab-ca")
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a := &authority{dir: dir, server: server, key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, errors.Join(writeKey(a.path("ca.key"), key), writePEM(a.path("ca.crt"), "CERTIFICATE", der))
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue writes the certificate, the key and the kubeconfig of id, and returns the path
// of the kubeconfig.
func (a *authority) issue(id identity) (string, error) {
	key, err := newKey()
	if err != nil {
		return "", err
	}
	t := template(id.name)
	t.Subject.Organization = id.groups
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(id.hosts) > 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		t.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
		t.IPAddresses = id.hosts
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return "", err
	}
	base := a.path(id.file)
	return base + ".kubeconfig", errors.Join(
		writeKey(base+".key", key),
		writePEM(base+".crt", "CERTIFICATE", der),
		os.WriteFile(base+".kubeconfig", a.kubeconfig(base), 0o600))
}

func (a *authority) kubeconfig(base string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: kubelab
  cluster: {server: %q, certificate-authority: %q}
users:
- name: user
  user: {client-certificate: %q, client-key: %q}
contexts:
- name: kubelab
  context: {cluster: kubelab, user: user}
current-context: kubelab
`, a.server, a.path("ca.crt"), base+".crt", base+".key")
}

// signingKey writes the key pair that signs service-account tokens.
func (a *authority) signingKey(file string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return errors.Join(writeKey(a.path(file+".key"), key), writePEM(a.path(file+".pub"), "PUBLIC KEY", der))
}

// client returns an HTTP client with the certificate of the identity in file. It uses
// no proxy.
func (a *authority) client(file string) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(a.path(file+".crt"), a.path(file+".key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}},
		TLSHandshakeTimeout: 10 * time.Second,
	}}, nil
}

// fileName turns a user name, which may contain slashes and colons, into a file name.
func fileName(user string) string { return "user-" + url.QueryEscape(user) }

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // crypto/rand never fails
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity),
	}
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
