package broker

import "strings"

// secretWords are what the names of settings end in whose values are secrets.
var secretWords = []string{"password", "secret", "cookie", "token"}

// Secrets returns what must not be shown of EMQX: what the settings log in with, and
// what EMQX's own files on this host have, as far as they can be read. EMQX 4.4 prints
// some of it in its log.
func Secrets(s Settings, root string) (out []string) {
	for _, secret := range []string{s.Password, s.APISecret} {
		if secret != "" {
			out = append(out, secret)
		}
	}
	for key, value := range readHost(root).values {
		if isSecret(key) && value != "" {
			out = append(out, value)
		}
	}
	return out
}

func isSecret(key string) bool {
	for _, word := range secretWords {
		if strings.HasSuffix(strings.ToLower(key), word) {
			return true
		}
	}
	return false
}
