package derive

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// CertificateWarning is how long before its end a certificate is warned of.
const CertificateWarning = 14 * 24 * time.Hour

// CertificateObservation is what is known of the certificate of the catalog that a cluster serves.
type CertificateObservation struct {
	Name     string
	NotAfter time.Time
	SHA256   string // fingerprint of the server's own certificate, in hex
	Missing  string // why the catalog does not tell; empty means it does
	// Others are the nodes that serve another one, although they have had time to read this one.
	Others []ServedCertificate
	// Unasked is why it is not known what some nodes serve; empty means every node was asked.
	Unasked string
}

// ServedCertificate is what a node has shown to a client of MQTT over TLS.
type ServedCertificate struct {
	Pod      string
	SHA256   string // in hex
	NotAfter time.Time
	Err      string // why it has shown none
}

// Record takes up what the nodes have shown.
func (c *CertificateObservation) Record(served []ServedCertificate) {
	c.Others, c.Unasked = nil, ""
	var unasked []string
	for _, s := range served {
		switch {
		case s.Err != "":
			unasked = append(unasked, s.Pod+": "+s.Err)
		case s.SHA256 != c.SHA256:
			c.Others = append(c.Others, s)
		}
	}
	slices.Sort(unasked)
	c.Unasked = joinCauses(unasked...)
}

// certificateValid reports whether the certificate of a cluster is good for some time, and is what nodes serve.
func certificateValid(v View) Verdict {
	c := v.Snapshot.Certificate
	name := v.Rec.Spec.Hosted.Network.Certificate
	switch {
	case c == nil || c.Name != name:
		return unchanged
	case c.Missing != "":
		return Verdict{Status: ecp.Unknown, Reason: ecp.ReasonNotAsked, Message: c.Missing}
	case !v.now.Before(c.NotAfter):
		return Verdict{Status: ecp.False, Reason: ecp.ReasonCertificateExpired,
			Message: fmt.Sprintf("the certificate %q ended on %s", name, day(c.NotAfter))}
	case len(c.Others) > 0:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonCertificateOutdated, Message: c.othersSaid()}
	case c.NotAfter.Sub(v.now) < CertificateWarning:
		return Verdict{Status: ecp.False, Reason: ecp.ReasonCertificateExpires,
			Message: fmt.Sprintf("the certificate %q is valid, and ends on %s", name, day(c.NotAfter))}
	case c.Unasked != "":
		return Verdict{Status: ecp.True, Reason: ecp.ReasonAsExpected,
			Message: "what these nodes serve is not known: " + c.Unasked}
	}
	return yes
}

func (c *CertificateObservation) othersSaid() string {
	var words []string
	for _, s := range c.Others {
		words = append(words, fmt.Sprintf("%s (ends on %s)", s.Pod, day(s.NotAfter)))
	}
	return fmt.Sprintf("nodes serve another certificate than %q of the catalog: %s", c.Name, strings.Join(words, ", "))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
