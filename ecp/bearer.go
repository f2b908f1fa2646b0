package ecp

import (
	"strings"
)

// What the secrets begin with that stand for an actor. Scanners of repositories find
// them by it, and a proxy knows what it must keep from others.
const (
	TokenSecretPrefix   = "ecpt_" // of an API token
	SessionSecretPrefix = "ecps_" // of a login
)

// IsBearerSecret reports whether a text has the form of a secret that this package
// issues, whether or not it is valid.
func IsBearerSecret(text string) bool {
	text = strings.ToLower(text)
	return strings.HasPrefix(text, TokenSecretPrefix) || strings.HasPrefix(text, SessionSecretPrefix)
}
