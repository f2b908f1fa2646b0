package ecp

import (
	"regexp"
)

// What follows checks words that go to Kubernetes unchanged. A word that the
// API server would refuse must not be stored: every Apply would fail.

var subdomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// QuotedText is the format of messages on a value that has a wrong form.
var QuotedText = `is %q; %s are allowed`

// IsDNSSubdomain says whether s is a DNS subdomain as Kubernetes takes it for names.
func IsDNSSubdomain(s string) bool { return len(s) <= 253 && subdomain.MatchString(s) }
