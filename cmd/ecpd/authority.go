package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/openecp/openecp/internal/atomicfile"
)

// How long the certificates of --tls-auto are valid. They begin a day before they are
// made, for clients whose clocks are slow.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 90 * 24 * time.Hour
	slowClocks    = 24 * time.Hour
)

// Files of --tls-auto, below [authorityDir]. Certificate and key are one file
// each, so that they are replaced together.
const (
	authorityFile = "authority.pem" // certificate and key of the authority; 0600
	publicFile    = "ca.pem"        // its certificate alone, for clients
	serverFile    = "server.pem"    // certificate and key of the listeners; 0600
)

// authorityDir is where --tls-auto keeps its files.
func authorityDir(dataDir string) string { return filepath.Join(dataDir, "tls") }

// authority is the certificate authority of one daemon, which signs only the daemon's own
// certificate. One goroutine uses it.
type authority struct {
	dir   string
	names []string // of the server's certificate
	ca    tls.Certificate
}

// openAuthority reads the authority from its folder, or makes one if there is none. A
// broken one is an error and is never replaced, because agents trust no other and would
// be lost.
func openAuthority(dir string, names []string, now time.Time) (*authority, error) {
	a := &authority{dir: dir, names: slices.Compact(slices.Sorted(slices.Values(names)))}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the certificate authority: %w", err)
	}
	file := filepath.Join(dir, authorityFile)
	pair, err := loadPair(file, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if pair, err = a.create(now); err != nil {
			return nil, fmt.Errorf("make the certificate authority: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("the certificate authority in %s cannot be used; restore the file from a backup, "+
			"because agents trust no other: %w", file, err)
	}
	a.ca = *pair
	public := filepath.Join(dir, publicFile)
	if was, err := os.ReadFile(public); err != nil || !bytes.Equal(was, certificatePEM(a.ca.Leaf.Raw)) {
		if err := atomicfile.Write(public, certificatePEM(a.ca.Leaf.Raw), 0o644); err != nil {
			return nil, fmt.Errorf("make the certificate authority: %w", err)
		}
	}
	return a, nil
}

// create makes the authority and stores it.
func (a *authority) create(now time.Time) (*tls.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			Organization: []string{"OpenECP"}, CommonName: fmt.Sprintf("OpenECP %x", serial.Bytes()[:4]),
		},
		NotBefore: now.Add(-slowClocks), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	content, err := signed(template, nil)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(a.dir, authorityFile)
	if err := atomicfile.Write(file, content, 0o600); err != nil {
		return nil, err
	}
	return loadPair(file, file)
}

// serverPair is the file with certificate and key of the listeners.
func (a *authority) serverPair() string { return filepath.Join(a.dir, serverFile) }

// renew makes a new certificate for the server if the present one ends soon, has other
// names, is another authority's, or cannot be read.
func (a *authority) renew(now time.Time) error {
	pair, err := loadPair(a.serverPair(), a.serverPair())
	if err == nil && a.serves(pair.Leaf, now) {
		return nil
	}
	serial, err := newSerial()
	if err != nil {
		return fmt.Errorf("renew the server's certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"OpenECP"}, CommonName: "ecpd"},
		NotBefore: latest(now.Add(-slowClocks), a.ca.Leaf.NotBefore),
		NotAfter:  earliest(now.Add(serverLife), a.ca.Leaf.NotAfter),
		KeyUsage:  x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range a.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	content, err := signed(template, &a.ca)
	if err == nil {
		err = atomicfile.Write(a.serverPair(), content, 0o600)
	}
	if err != nil {
		return fmt.Errorf("renew the server's certificate: %w", err)
	}
	return nil
}

// serves reports whether a certificate fits this server now and for some time: it is
// renewed when a third of its life is left.
func (a *authority) serves(leaf *x509.Certificate, now time.Time) bool {
	if leaf.CheckSignatureFrom(a.ca.Leaf) != nil || now.Before(leaf.NotBefore) {
		return false
	}
	left, life := leaf.NotAfter.Sub(now), leaf.NotAfter.Sub(leaf.NotBefore)
	if left < life/3 && leaf.NotAfter.Before(a.ca.Leaf.NotAfter) {
		return false
	}
	for _, name := range a.names {
		ip := net.ParseIP(name)
		if ip == nil && !slices.Contains(leaf.DNSNames, name) ||
			ip != nil && !slices.ContainsFunc(leaf.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

// signed makes a key and a certificate for it, signed by an authority, or by the key
// itself if by is nil. The result is one file for both. The chain has the authority's
// certificate, for clients that know only its SHA-256.
func signed(template *x509.Certificate, by *tls.Certificate) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	parent, signer, chain := template, any(key), []byte(nil)
	if by != nil {
		parent, signer, chain = by.Leaf, by.PrivateKey, certificatePEM(by.Leaf.Raw)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return slices.Concat(certificatePEM(der), chain, keyPEM), nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// newSerial draws a serial number of 127 bits that begins with no zero byte.
func newSerial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b), nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
