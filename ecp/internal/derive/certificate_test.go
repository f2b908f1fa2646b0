package derive

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// The condition of a certificate: what its dates say, then what nodes serve, and what was said before where neither is
// known.
func TestCertificateValid(t *testing.T) {
	seen := func(ends time.Duration, served ...ServedCertificate) *CertificateObservation {
		c := &CertificateObservation{Name: "shops", NotAfter: t0.Add(ends), SHA256: "aa"}
		c.Record(served)
		return c
	}
	const days = 24 * time.Hour
	same := ServedCertificate{Pod: "n-0", SHA256: "aa"}
	other := ServedCertificate{Pod: "n-1", SHA256: "bb", NotAfter: t0}
	away := ServedCertificate{Pod: "n-2", Err: "refused"}
	for _, c := range []struct {
		name, before string // the status before; empty means there was none
		seen         *CertificateObservation
		want, words  string
	}{
		{"good", "", seen(15 * days), "True AsExpected", ""},
		{"two weeks", "", seen(14*days - 1), "False CertificateExpires", `"shops" is valid, and ends on 2`},
		{"over", "", seen(0), "False CertificateExpired", `"shops" ended on 2`},
		{"over, and others are served", "", seen(0, other), "False CertificateExpired", ""},
		{"all serve it", "", seen(15*days, same), "True AsExpected", ""},
		{"one serves another", "", seen(15*days, same, other), "False CertificateOutdated", "n-1 (ends on 2"},
		{"that comes before a warning", "", seen(days, other), "False CertificateOutdated", ""},
		{"one was not asked", "", seen(15*days, same, away), "True AsExpected", "not known: n-2: refused"},
		{"not in the catalog", "True", &CertificateObservation{Name: "shops", Missing: "gone"}, "Unknown NotAsked",
			"gone"},
		{"not looked up yet", "", nil, "Unknown NotAsked", ""},
		{"not looked up now", "False", nil, "False Before", ""},
		{"looked up for another", "False", &CertificateObservation{Name: "farms", NotAfter: t0.Add(90 * days)},
			"False Before", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := aRecord(ecp.Running)
			rec.Spec.Hosted.Network.Certificate = "shops"
			if c.before != "" {
				rec.Status.Conditions = append(rec.Status.Conditions, ecp.Condition{Type: ecp.CondCertificateValid,
					Status: ecp.ConditionStatus(c.before), Reason: "Before"})
			}
			got := ecp.ConditionOf(Conditions(t0, NewView(t0, rec, Snapshot{At: t0, Certificate: c.seen}), 1),
				ecp.CondCertificateValid)
			require.Equal(t, c.want, string(got.Status)+" "+string(got.Reason))
			require.Contains(t, got.Message, c.words)
		})
	}
	rec := aRecord(ecp.Running)
	all := Conditions(t0, NewView(t0, rec, Snapshot{At: t0}), 1)
	require.NotContains(t, conditionTypes(all), ecp.CondCertificateValid, "only where there is a certificate")
}

func conditionTypes(all []ecp.Condition) (out []ecp.ConditionType) {
	for _, c := range all {
		out = append(out, c.Type)
	}
	return out
}
