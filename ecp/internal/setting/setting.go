// Package setting tells which EMQX settings of a cluster may be shown, and keeps
// their values. It knows keys and values as text only.
package setting

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// EMQX settings of a spec may hold passwords, tokens and keys under names that
// nobody can list. So every value is a secret but those of harmless settings: it is
// sealed in the record, and opened only on its way to the platform.

// Bounds of a spec's settings, in bytes.
const (
	MaxTotal = 64 << 10 // keys and values together
	MaxValue = 16 << 10 // one value
)

// SealedPrefix marks a value of a setting that is sealed. No value that is given
// may begin with it.
const SealedPrefix = "sealed:"

// harmlessSettings are the settings whose values are shown and stored as they are.
// "*" is any one word of a key, "**" one or more at its end.
var harmlessSettings = []string{
	// EMQX 5
	"mqtt.**", "zones.*.mqtt.**", "zones.*.force_shutdown.**", "zones.*.force_gc.**", "zones.*.flapping_detect.**",
	"retainer.**", "delayed.**", "flapping_detect.**", "force_gc.**", "force_shutdown.**", "durable_sessions.**",
	"durable_storage.**",
	"sysmon.**", "alarm.**", "stats.**", "sys_topics.**", "limiter.**", "overload_protection.**", "log.**",
	"telemetry.enable",
	"authorization.no_match", "authorization.deny_action", "authorization.cache.**",
	"listeners.*.*.acceptors", "listeners.*.*.enable", "listeners.*.*.enable_authn", "listeners.*.*.max_connections",
	"listeners.*.*.max_conn_rate",
	"listeners.*.*.messages_rate", "listeners.*.*.bytes_rate", "listeners.*.*.mountpoint",
	"listeners.*.*.proxy_protocol",
	"listeners.*.*.proxy_protocol_timeout", "listeners.*.*.tcp_options.**", "listeners.*.*.websocket.**",
	"listeners.*.*.zone",
	"listeners.*.*.ssl_options.verify", "listeners.*.*.ssl_options.fail_if_no_peer_cert",
	"listeners.*.*.ssl_options.versions",
	// EMQX 4.4
	"broker.**", "zone.**", "allow_anonymous", "acl_nomatch", "acl_deny_action", "acl_cache_max_size", "acl_cache_ttl",
	"enable_acl_cache",
	"flapping_detect_policy", "retained.**", "vm_mon.**", "os_mon.**",
	"listener.*.*.acceptors", "listener.*.*.max_connections", "listener.*.*.max_conn_rate", "listener.*.*.active_n",
	"listener.*.*.zone",
	"listener.*.*.proxy_protocol", "listener.*.*.proxy_protocol_timeout", "listener.*.*.backlog",
	"listener.*.*.mqtt_path",
}

// Harmless reports whether the value of a setting may be stored and shown as it
// is. A name that speaks of secrets and a value that may be an address with
// credentials never are.
func Harmless(key, value string) bool {
	return !NamesSecret(key) && !strings.Contains(value,
		"@") && !IsSealed(value) && slices.ContainsFunc(harmlessSettings, func(row string) bool {
		return matchesSetting(strings.Split(row, "."), strings.Split(key, "."))
	})
}

func matchesSetting(row, key []string) bool {
	for i, word := range row {
		switch {
		case word == "**":
			return len(key) > i
		case i >= len(key) || word != "*" && word != key[i]:
			return false
		}
	}
	return len(row) == len(key)
}

// IsSealed reports whether the value of a setting is kept encrypted, see [SealedPrefix].
func IsSealed(value string) bool { return strings.HasPrefix(value, SealedPrefix) }

// Redacted stands for a secret wherever values are shown.
const Redacted = "[redacted]"

// secretWords in a path mean that the value is not to be shown: people put
// passwords into settings of their brokers.
var secretWords = []string{"password", "secret", "token", "private", "credential", "apikey", "api_key"}

// NamesSecret reports whether a path, such as that of an EMQX setting, sounds as if its
// value were secret.
func NamesSecret(path string) bool {
	path = strings.ToLower(path)
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(path, w) })
}

// DecodeNumbers decodes JSON and keeps numbers as they are written, so that large ones
// stay exact.
func DecodeNumbers(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}
