package agentproto

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"time"
)

// notBeforeLeeway is how long before its time a certificate is accepted. A
// certificate does no harm before its time; a clock that is an hour or a time
// zone behind must not lock a host out. What has expired has no leeway.
const notBeforeLeeway = 25 * time.Hour

// trust decides which certificates of a server an agent accepts.
type trust struct {
	server *url.URL

	// Without pins the authorities of the operating system count, and
	// authorities beside them. With pins only certificates with these
	// fingerprints that the server presents, and authorities, do.
	pins        []string
	authorities []*x509.Certificate
	system      *x509.CertPool // nil means those of the operating system

	now   func() time.Time
	floor time.Time // the present is later than this: the build of the program, or the time of a trusted server
}

// newTrust returns the trust of an identity, which during registration has only Server and
// CASHA256.
func newTrust(id Identity, now func() time.Time, buildTime time.Time) (trust, error) {
	server, err := ParseServerURL(id.Server)
	if err != nil {
		return trust{}, err
	}
	pins, err := parseFingerprints(id.CASHA256)
	if err != nil {
		return trust{}, err
	}
	authorities, err := parseAuthorities(id.Authorities)
	if err != nil {
		return trust{}, err
	}
	t := trust{server: server, pins: pins, authorities: authorities, now: now, floor: buildTime}
	if id.LastServerTime.After(t.floor) {
		t.floor = id.LastServerTime
	}
	return t, nil
}

// config returns the configuration of TLS. trusted is called with the verified chain, from
// the server's certificate to the authority.
func (t trust) config(alpn []string, trusted func(chain []*x509.Certificate)) *tls.Config {
	return &tls.Config{
		ServerName: t.server.Hostname(),
		MinVersion: tls.VersionTLS12,
		NextProtos: alpn,
		// Full records from the first: a tunnel is no page that waits for its first bytes.
		DynamicRecordSizingDisabled: true,

		// The check of crypto/tls knows its authorities before the handshake; a
		// pinned one is among what the server presents. VerifyConnection makes the
		// same check with it, on every handshake.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			chain, err := t.verify(state.PeerCertificates)
			if err == nil {
				trusted(chain)
			}
			return err
		},
	}
}

// verify checks what a server presents, its own certificate first, and returns
// the chain. Errors are of type *[Failure].
func (t trust) verify(presented []*x509.Certificate) ([]*x509.Certificate, error) {
	if len(presented) == 0 {
		return nil, t.explain(presented, nil)
	}
	roots, some := t.roots(presented)
	if !some {
		return nil, t.explain(presented, nil)
	}
	check := func(at time.Time) ([]*x509.Certificate, error) {
		return verifyAt(presented, roots, t.server.Hostname(), at)
	}
	at, behind := t.at()
	chain, err := check(at)
	if err == nil {
		return chain, nil
	}
	if later := latestBegin(presented, t.authorities); later.After(at) && (behind || later.Sub(at) <= notBeforeLeeway) {
		if chain, lateErr := check(later); lateErr == nil {
			return chain, nil
		}
	}
	return nil, t.explain(presented, err)
}

// at returns the time at which certificates are checked, and whether the clock
// of this host is behind a time that has certainly passed.
func (t trust) at() (at time.Time, behind bool) {
	if now := t.now(); !now.Before(t.floor) {
		return now, false
	}
	return t.floor, true
}

// roots returns the authorities that count for a chain; nil stands for those of
// the operating system. It reports whether there are any.
func (t trust) roots(presented []*x509.Certificate) (*x509.CertPool, bool) {
	if len(t.pins) == 0 && len(t.authorities) == 0 {
		return t.system, true
	}
	roots := x509.NewCertPool()
	if len(t.pins) == 0 {
		roots = t.systemRoots()
	}
	for _, c := range t.authorities {
		roots.AddCert(c)
	}
	pinned := t.pinned(presented)
	if pinned != nil {
		roots.AddCert(pinned)
	}
	return roots, len(t.pins) == 0 || len(t.authorities) > 0 || pinned != nil
}

func (t trust) systemRoots() *x509.CertPool {
	if t.system != nil {
		return t.system.Clone()
	}
	if pool, err := x509.SystemCertPool(); err == nil {
		return pool
	}
	return x509.NewCertPool() // none is there: nothing but the agent's own count
}

// pinned returns the certificate that a person vouched for by its fingerprint:
// an authority; the server's own only if no authority is pinned.
func (t trust) pinned(presented []*x509.Certificate) *x509.Certificate {
	var leaf *x509.Certificate
	for i, c := range presented {
		switch {
		case !slices.Contains(t.pins, Fingerprint(c)):
		case c.IsCA:
			return c
		case i == 0:
			leaf = c
		}
	}
	return leaf
}

// verifyAt verifies a chain for a server at one moment. An empty host is not
// compared.
func verifyAt(presented []*x509.Certificate, roots *x509.CertPool, host string, at time.Time) ([]*x509.Certificate,
	error) {
	others := x509.NewCertPool()
	for _, c := range presented[1:] {
		others.AddCert(c)
	}
	chains, err := presented[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: others, DNSName: host, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return nil, err
	}
	return chains[0], nil
}

// latestBegin returns the latest time at which one of the certificates becomes
// valid.
func latestBegin(lists ...[]*x509.Certificate) (latest time.Time) {
	for _, c := range slices.Concat(lists...) {
		if c.NotBefore.After(latest) {
			latest = c.NotBefore
		}
	}
	return latest
}

// learnedFrom returns the identity with what a trusted server has told: the authority that
// was found by its fingerprint, the authorities that the server announces, and its time. The
// second result reports whether the identity should be stored. bound means that the agent's
// proof covered the TLS connection. An announcement that does not fit the server's own
// certificate is not followed, because the agent would lock itself out; learnedFrom then
// returns an error beside the rest.
func (id Identity) learnedFrom(t trust, chain []*x509.Certificate, bound bool, announced [][]byte,
	serverTime time.Time) (Identity, bool, error) {
	changed := false
	if len(chain) > 0 && len(id.CASHA256) > 0 && len(id.Authorities) == 0 {
		id.Authorities, changed = [][]byte{chain[len(chain)-1].Raw}, true
	}
	follow, err := t.checkAnnounced(chain, bound, announced)
	if follow && !slices.EqualFunc(id.Authorities, announced, bytes.Equal) {
		id.Authorities, changed = announced, true
		if len(id.CASHA256) > 0 { // what was trusted before is trusted no longer
			id.CASHA256 = fingerprintsOf(announced)
		}
	}
	// A server whose clock is wrong must not lock the agent out for ever: no time
	// counts in which its own certificate is no longer valid.
	if len(chain) > 0 && serverTime.After(chain[0].NotAfter) {
		serverTime = time.Time{}
	}
	if len(chain) > 0 && serverTime.Sub(id.LastServerTime) >= 24*time.Hour {
		id.LastServerTime, changed = serverTime.UTC().Truncate(time.Second), true
	}
	return id, changed, err
}

// checkAnnounced reports whether to follow announced authorities. Without pins they are
// followed only if the proof was bound to the TLS connection: otherwise a host in between
// that ends TLS once, with a certificate that the system trusts, could add an authority of
// its own.
func (t trust) checkAnnounced(chain []*x509.Certificate, bound bool, announced [][]byte) (bool, error) {
	if len(announced) == 0 || len(chain) == 0 {
		return false, nil
	}
	certs, err := parseAuthorities(announced)
	if err != nil {
		return false, err
	}
	if len(t.pins) == 0 {
		return bound, nil // beside those of the operating system
	}
	next := t
	next.pins, next.authorities, next.system = nil, certs, x509.NewCertPool()
	_, err = next.verify(chain)
	return err == nil, err
}

func fingerprintsOf(raw [][]byte) []string {
	certs, err := parseAuthorities(raw)
	if err != nil {
		return nil
	}
	var out []string
	for _, c := range certs {
		out = append(out, Fingerprint(c))
	}
	return out
}
