package peers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
)

// How long certificates are valid. Those of daemons begin in the past and are renewed long
// before their end, so that clocks may differ.
const (
	skew          = 25 * time.Hour
	leafLife      = 72 * time.Hour
	renewEvery    = 24 * time.Hour
	authorityLife = 10 * 365 * 24 * time.Hour
	// succession is how long before its end an authority gets a successor, and settled how
	// long that is known before it issues anything: all daemons have read it by then.
	succession = 365 * 24 * time.Hour
	settled    = 2 * time.Hour
	reload     = time.Minute
)

// domain is what the names in certificates end with. It is never resolved.
const domain = ".daemon.openecp.internal"

// idForm is the form of a daemon's id: it is a label of a name in its certificate.
var idForm = regexp.MustCompile(`^[a-z0-9]{1,63}$`)

func nameOf(id string) string { return id + domain }

// daemonIn returns the id that a certificate names; empty if it names none, or several.
func daemonIn(c *x509.Certificate) string {
	if len(c.DNSNames) != 1 {
		return ""
	}
	id, ok := strings.CutSuffix(c.DNSNames[0], domain)
	if !ok || !idForm.MatchString(id) {
		return ""
	}
	return id
}

// authority issues the certificates of daemons. What it is made of is a secret in the Store.
type authority struct {
	cfg Config

	mu     sync.Mutex
	read   time.Time         // when it was read from the Store; zero means never
	roots  []rootCertificate // oldest first; guarded by mu, as all here
	sealed string            // what roots were read from
}

// rootCertificate is one certificate of the authority with its private key, in DER.
type rootCertificate struct {
	Certificate []byte    `json:"certificate"`
	Key         []byte    `json:"key"`  // PKCS #8
	From        time.Time `json:"from"` // since when it issues

	parsed *x509.Certificate
}

func newAuthority(c Config) *authority { return &authority{cfg: c} }

// record is where the Store keeps the authority.
var record = catalog.SealedSecret{Kind: ecp.KindDaemon, Key: "authority", Field: "key"}

// ErrKeys means that the Sealer cannot open what daemons know one another by: another daemon
// has sealed it with a key that this one does not know.
var ErrKeys = errors.New("the keys of secrets are not those of the other daemons")

// Check returns an error if the authority of the daemons that share a Store cannot be read
// with a Sealer: then a daemon with that one is none of them. It makes the authority where
// there is none.
func Check(ctx context.Context, store ecp.Store, sealer ecp.Sealer) error {
	_, err := newAuthority(Config{Store: store, Sealer: sealer, Now: time.Now}).load(ctx)
	return err
}

// load reads the authority from the Store, from time to time, and makes one where there is
// none. It reports whether it is another now.
func (a *authority) load(ctx context.Context) (changed bool, _ error) {
	now := a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.read.IsZero() && now.Sub(a.read).Abs() < reload {
		return false, nil
	}
	var stored catalog.SealedSecret
	get := func(tx ecp.Tx) (err error) {
		stored, _, err = ecp.Get[catalog.SealedSecret](tx, record.Binding())
		if errors.Is(err, ecp.ErrNotFound) {
			stored, err = catalog.SealedSecret{}, nil
		}
		return err
	}
	if err := a.cfg.Store.Read(ctx, get); err != nil {
		return false, err
	}
	roots, err := a.open(stored)
	if err != nil {
		return false, err
	}
	if !due(roots, now) {
		return a.keepLocked(roots, stored.Sealed, now), nil
	}
	err = a.cfg.Store.Write(ctx, func(tx ecp.Tx) error { // again: another daemon may have been faster
		if err := get(tx); err != nil {
			return err
		}
		if roots, err = a.open(stored); err != nil || !due(roots, now) {
			return err
		}
		if roots, err = withNew(roots, now); err != nil {
			return err
		}
		if stored, err = a.seal(roots); err != nil {
			return err
		}
		return ecp.Put(tx, stored, ecp.AnyVersion)
	})
	if err != nil {
		return false, err
	}
	return a.keepLocked(roots, stored.Sealed, now), nil
}

func (a *authority) keepLocked(roots []rootCertificate, sealed string, now time.Time) (changed bool) {
	changed = sealed != a.sealed
	a.roots, a.sealed, a.read = roots, sealed, now
	return changed
}

// due reports whether a root certificate has to be made.
func due(roots []rootCertificate, now time.Time) bool {
	return len(roots) == 0 || now.Add(succession).After(roots[len(roots)-1].parsed.NotAfter)
}

// withNew adds a root certificate, and drops those that are over.
func withNew(roots []rootCertificate, now time.Time) ([]rootCertificate, error) {
	fresh, err := newRoot(now)
	if err != nil {
		return nil, err
	}
	var out []rootCertificate
	for _, r := range roots {
		if now.Before(r.parsed.NotAfter) {
			out = append(out, r)
		}
	}
	if len(out) > 0 {
		fresh.From = now.Add(settled)
	}
	return append(out, fresh), nil
}

func newRoot(now time.Time) (rootCertificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return rootCertificate{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return rootCertificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "OpenECP daemons"},
		NotBefore: now.Add(-leafLife), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{domain[1:]},
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return rootCertificate{}, err
	}
	parsed, err := x509.ParseCertificate(cert)
	return rootCertificate{Certificate: cert, Key: der, From: now.Add(-leafLife).UTC(), parsed: parsed}, err
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return new(big.Int).SetBytes(b[:])
}

func (a *authority) seal(roots []rootCertificate) (catalog.SealedSecret, error) {
	plain, err := json.Marshal(roots)
	if err != nil {
		return catalog.SealedSecret{}, err
	}
	s := record
	s.Sealed, err = a.cfg.Sealer.Seal(plain, s.Binding())
	return s, err
}

func (a *authority) open(s catalog.SealedSecret) (roots []rootCertificate, err error) {
	if s.Sealed == "" {
		return nil, nil
	}
	plain, err := a.cfg.Sealer.Open(s.Sealed, record.Binding())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if err := json.Unmarshal(plain, &roots); err != nil {
		return nil, errors.New("what is stored is no authority") // the error would quote a private key
	}
	for i := range roots {
		if roots[i].parsed, err = x509.ParseCertificate(roots[i].Certificate); err != nil {
			return nil, fmt.Errorf("stored certificate: %w", err)
		}
	}
	return roots, nil
}

// pool returns the root certificates that count.
func (a *authority) pool() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := x509.NewCertPool()
	for _, r := range a.roots {
		p.AddCert(r.parsed)
	}
	return p
}

// issue makes a key, and a certificate for it that names a daemon.
func (a *authority) issue(id string) (*tls.Certificate, error) {
	if !idForm.MatchString(id) {
		return nil, fmt.Errorf("the id %q of this daemon cannot stand in a certificate", id)
	}
	now := a.cfg.Now()
	root := a.issuer(now)
	if root == nil {
		return nil, errors.New("there is no authority")
	}
	signer, err := x509.ParsePKCS8PrivateKey(root.Key)
	if err != nil {
		return nil, errors.New("the private key of the authority cannot be read")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: id}, DNSNames: []string{nameOf(id)},
		NotBefore: now.Add(-skew), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, root.parsed, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key, Leaf: leaf}, nil
}

// issuer returns the newest root certificate that issues at a time.
func (a *authority) issuer(now time.Time) *rootCertificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.roots) - 1; i >= 0; i-- {
		if !now.Before(a.roots[i].From) || i == 0 {
			return &a.roots[i]
		}
	}
	return nil
}
