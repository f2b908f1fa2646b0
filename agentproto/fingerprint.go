package agentproto

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fingerprint returns the SHA-256 of a certificate (its DER) in hex: what
// RegisterConfig.CASHA256 takes, and what
// openssl x509 -noout -fingerprint -sha256 prints with colons.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// parseFingerprints reads fingerprints as people paste them: with colons, in
// capitals, behind "sha256:".
func parseFingerprints(words []string) ([]string, error) {
	if len(words) > maxAuthorities {
		return nil, fmt.Errorf("%d fingerprints of CAs are more than %d", len(words), maxAuthorities)
	}
	var out []string
	for _, word := range words {
		clean := strings.ToLower(strings.TrimSpace(word))
		clean = strings.TrimPrefix(strings.TrimPrefix(clean, "sha256:"), "sha256 fingerprint=")
		clean = strings.ReplaceAll(clean, ":", "")
		if raw, err := hex.DecodeString(clean); err != nil || len(raw) != sha256.Size {
			return nil, &Failure{Step: StepTLS, Code: FailedAuthority,
				Message: fmt.Sprintf("the SHA-256 of the CA %q is not 64 hex digits", cleanText(word, 100)),
				Hint: "Copy the value of --ca-sha256 from the cluster's setup page, or print it of the CA's file: " +
					"openssl " +
					"x509 -noout -fingerprint -sha256 -in ca.pem"}
		}
		out = append(out, clean)
	}
	return out, nil
}
