package broker

import (
	"strings"
)

// guess is credentials that were not configured for the agent.
type guess struct {
	from     string // for people
	settings Settings
}

// EMQX's default user and application.
const comesWithUser, comesWithPassword = "admin", "public"

// guessesOf returns the credentials in EMQX's own settings. Keys come before users, because
// trying a key locks nobody out.
func guessesOf(v values, h hostConfig, from string) (all []guess, said []string) {
	for _, file := range []string{v[keyKeysFile], v[key4AppsFile]} {
		if file = h.expand(file); file == "" {
			continue
		}
		key, secret, err := keyIn(file)
		if err != nil {
			said = append(said, "the file of keys that "+from+" names cannot be used: "+err.Error())
			continue
		}
		all = append(all, guess{"a key of " + file, Settings{APIKey: key, APISecret: secret}})
	}
	if v[key4App] != "" && usable(v[key4Secret]) {
		all = append(all, guess{"the default application of " + from,
			Settings{APIKey: v[key4App], APISecret: v[key4Secret]}})
	}
	user := v.first(keyUser, key4User)
	if user == "" {
		user = comesWithUser
	}
	if password := v.first(keyPassword, key4Password); usable(password) {
		all = append(all, guess{"the default user of " + from, Settings{Username: user, Password: password}})
	}
	return all, said
}

// usable reports whether a text may be a secret: EMQX shows stars in place of some,
// and a file:// names where it is kept.
func usable(secret string) bool {
	return secret != "" && strings.Trim(secret, "*") != "" && !strings.HasPrefix(secret, "file://")
}
