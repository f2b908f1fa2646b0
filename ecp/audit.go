package ecp

import (
	"slices"
	"strings"
)

// secretWords in a path mean that the value is not to be shown: people put
// passwords into settings of their brokers.
var secretWords = []string{"password", "secret", "token", "private", "credential", "apikey", "api_key"}

// NamesSecret says whether a path, such as that of an EMQX setting, sounds as if its
// value were secret.
func NamesSecret(path string) bool {
	path = strings.ToLower(path)
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(path, w) })
}
