package agentproto

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// explain returns the error for a server that is not trusted. It checks the authority first,
// then the name, then the time.
func (t trust) explain(presented []*x509.Certificate, err error) *Failure {
	f := &Failure{Step: StepTLS, Code: FailedTLS, Err: err}
	if len(presented) == 0 {
		f.Message = fmt.Sprintf("%s presents no certificate", t.server.Host)
		return f
	}
	leaf := presented[0]
	var chainErr error = x509.UnknownAuthorityError{Cert: leaf}
	if roots, some := t.roots(presented); some {
		chainErr = t.verifyWithoutTime(presented, roots)
	}
	switch {
	case errorIs[x509.UnknownAuthorityError](chainErr):
		t.explainAuthority(f, presented)
	case chainErr != nil:
		f.Message = fmt.Sprintf("the certificate of %s cannot be used: %v", t.server.Host, chainErr)
		f.Hint = "The server needs a certificate for TLS servers; ask who runs it"
	case leaf.VerifyHostname(t.server.Hostname()) != nil:
		t.explainName(f, leaf)
	default:
		t.explainTime(f, presented)
	}
	return f
}

// verifyWithoutTime returns nil if there is a time at which the chain would be
// trusted for some name.
func (t trust) verifyWithoutTime(presented []*x509.Certificate, roots *x509.CertPool) error {
	leaf := presented[0]
	middle := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	var err error
	for _, at := range []time.Time{middle, leaf.NotBefore, leaf.NotAfter, latestBegin(presented, t.authorities)} {
		if _, err = verifyAt(presented, roots, "", at); err == nil {
			return nil
		}
	}
	return err
}

func errorIs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func (t trust) explainAuthority(f *Failure, presented []*x509.Certificate) {
	f.Code = FailedAuthority
	shown := "it sends no certificate of a CA; the server has to send its CA's together with its own"
	accept := ""
	if ca := topAuthority(presented); ca != nil {
		shown = fmt.Sprintf("its CA is %q with the SHA-256 %s", cleanText(ca.Subject.String(), maxWord),
			Fingerprint(ca))
		accept = fmt.Sprintf("emqxee-agent register --url %s --registration-token TOKEN --ca-sha256 %s", t.server,
			Fingerprint(ca))
	}
	const compare = "compare this SHA-256 with the cluster's setup page (if they differ, something else answers in " +
		"the " +
		"server's place). If they are equal, accept it: "
	switch {
	case len(t.pins) == 0:
		f.Message = fmt.Sprintf("the certificate of %s is signed by nobody that this host trusts: %s", t.server.Host,
			shown)
		f.Hint = "If the server has a CA of its own, register with the --ca-sha256 that the cluster's setup page shows"
	case t.pinned(presented) != nil:
		f.Message = fmt.Sprintf("%s sends the CA with the right SHA-256, but its own certificate is not signed by it",
			t.server.Host)
		f.Hint = "The server has to send the certificates between its own and the CA's too; if it does, something " +
			"else " +
			"answers in its place"
	case len(t.authorities) == 0:
		f.Message = fmt.Sprintf("none of the certificates that %s presents has the SHA-256 given with --ca-sha256: %s",
			t.server.Host, shown)
		f.Hint = "Copy the value from the cluster's setup page again; if it is right, something else answers in the " +
			"server's place"
	case accept == "":
		f.Message = fmt.Sprintf("the certificate of %s is signed by another CA than the one this agent trusts: %s",
			t.server.Host, shown)
		f.Hint = "Ask who runs the server whether its CA was changed"
	default:
		f.Message = fmt.Sprintf("the certificate of %s is signed by another CA than the one this agent trusts: %s",
			t.server.Host, shown)
		f.Hint = "If the CA was changed on purpose, " + compare + accept
	}
}

// topAuthority returns the authority nearest to the root that was presented;
// nil if there is none.
func topAuthority(presented []*x509.Certificate) (top *x509.Certificate) {
	for _, c := range presented {
		if c.IsCA {
			top = c
		}
	}
	return top
}

func (t trust) explainName(f *Failure, leaf *x509.Certificate) {
	f.Code = FailedName
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, addr.String())
		}
	}
	of := "no name at all"
	if len(names) > 0 {
		of = cleanText(strings.Join(names, ", "), maxWord)
	}
	f.Message = fmt.Sprintf("the certificate of %s is for %s, not for %s", t.server.Host, of, t.server.Hostname())
	f.Hint = "Use a URL with a name that the certificate has, or have the server's certificate made for " +
		t.server.Hostname()
}

// explainTime distinguishes an expired certificate from a wrong clock, as far as that is
// possible without trust.
func (t trust) explainTime(f *Failure, presented []*x509.Certificate) {
	at, behind := t.at()
	clock := "this host's clock says " + t.now().UTC().Format(time.RFC3339)
	out, begins := outOfTime(presented, at)
	if out == nil { // an authority that is not presented
		out, begins = outOfTime(t.authorities, at)
	}
	if out == nil {
		out = presented[0]
	}
	span := fmt.Sprintf("from %s to %s", out.NotBefore.UTC().Format(time.RFC3339),
		out.NotAfter.UTC().Format(time.RFC3339))
	switch {
	case begins:
		f.Code = FailedNotYetValid
		f.Message = fmt.Sprintf("the certificate of %s is valid %s, and %s", t.server.Host, span, clock)
		f.Hint = "The clock of this host is behind, or the server's was ahead when the certificate was made: set the " +
			"clock (timedatectl, chronyc makestep, date -s)"
	case behind:
		f.Code = FailedExpired
		f.Message = fmt.Sprintf("the certificate of %s is valid %s; it has ended: it is certainly past %s, though %s",
			t.server.Host, span, at.UTC().Format(time.RFC3339), clock)
		f.Hint = "Set the clock of this host; the server needs a new certificate. If the server's clock was wrong " +
			"when " +
			"the agent last saw it, register the agent again"
	default:
		f.Code = FailedExpired
		f.Message = fmt.Sprintf("the certificate of %s is valid %s, and %s", t.server.Host, span, clock)
		f.Hint = "If that is not the time, the clock of this host is ahead: set it (timedatectl, chronyc makestep, " +
			"date " +
			"-s). If it is, the server needs a new certificate"
	}
}

// outOfTime returns the first certificate that is not valid at a time, and
// whether it is yet to begin.
func outOfTime(certs []*x509.Certificate, at time.Time) (out *x509.Certificate, begins bool) {
	for _, c := range certs {
		switch {
		case at.Before(c.NotBefore):
			return c, true
		case at.After(c.NotAfter):
			return c, false
		}
	}
	return nil, false
}
