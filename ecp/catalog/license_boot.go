package catalog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// keyTerms are what a v5 key says of itself.
type keyTerms struct {
	word     string // "default" and "evaluation" stand for keys that EMQX brings along
	kind     string // "0" is a trial, "1" an official and "2" a community license
	customer string // EMQX's number of the customer type
	name     string
	expires  time.Time // midnight of its last day
	limit    int       // connections or sessions
	fields   int       // of the payload
}

// readKey reads a v5 key: base64 of lines, a dot, and a signature, which only EMQX can check.
func readKey(key string) (keyTerms, bool) {
	if key == "default" || key == "evaluation" {
		return keyTerms{word: key}, true
	}
	payload, _, _ := strings.Cut(key, ".")
	b, err := base64.StdEncoding.DecodeString(payload)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if err != nil || len(lines) < 9 || len(lines[0]) != 6 {
		return keyTerms{}, false
	}
	start, err := time.Parse("20060102", lines[6])
	days, errDays := strconv.Atoi(lines[7])
	limit, errLimit := strconv.Atoi(lines[8])
	if err != nil || errDays != nil || errLimit != nil || days < 0 || days > 100_000 {
		return keyTerms{}, false
	}
	return keyTerms{
		kind: lines[1], customer: lines[2], name: lines[3], expires: start.AddDate(0, 0, days), limit: limit,
		fields: len(lines),
	}, true
}

// isKey reports whether a text has the form of a v5 key, or leads to a file that has one. Its
// payload is of lines, also where they are not known here.
func isKey(text string) bool {
	if _, ok := readKey(text); ok || strings.HasPrefix(text, "file://") {
		return true
	}
	payload, signature, ok := strings.Cut(text, ".")
	if b, err := base64.StdEncoding.DecodeString(payload); err == nil && !strings.Contains(string(b), "\n") {
		return false
	}
	return ok && isBase64(payload) && isBase64(signature)
}

// isBase64 reports whether a text is of the signs of base64, in either of its alphabets.
func isBase64(text string) bool {
	return text != "" && strings.IndexFunc(strings.TrimRight(text, "="), func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("+/-_", r)
	}) < 0
}

// bootRule is a reason for which EMQX does not start, or serves nobody, with a license.
type bootRule struct {
	when func(k keyTerms, v ecp.Version, nodes int, now time.Time) bool
	why  string
}

// bootRules follow apps/emqx_license/src of github.com/emqx/emqx at e5.8.9, e5.9.0, e5.10.4,
// 6.0.0 and 6.2.2: emqx_license_app, emqx_license_checker and emqx_license_parser_v20220101.
// A limit that is lower than what a cluster books stops no boot: EMQX refuses the clients
// that are too many. An expired license stops no boot either, but some kinds of it let no
// client in any more.
var bootRules = []bootRule{
	{func(k keyTerms, v ecp.Version, nodes int, _ time.Time) bool {
		return nodes > 1 && !v.Before(version(5, 9, 0)) && (k.kind == "2" || k.word == "default")
	}, "it is a community license, which is for one node: EMQX does not start in a cluster with it"},
	{func(k keyTerms, v ecp.Version, _ int, _ time.Time) bool {
		return k.word == "evaluation" && v.Before(version(5, 9, 0))
	}, `EMQX knows the word "evaluation" from 5.9.0 on, and does not start with it before`},
	{func(k keyTerms, v ecp.Version, _ int, _ time.Time) bool {
		return k.fields > 9 && v.Before(version(6, 0, 0))
	},
		"it limits messages per second, which EMQX can read from 6.0.0 on: it does not start with it before"},
	{func(k keyTerms, v ecp.Version, _ int, _ time.Time) bool {
		builtIn := !v.Before(version(5, 9, 0)) && (k.kind == "2" || k.customer == "3" || k.customer == "10")
		return k.word == "" && (k.limit < 0 || k.limit == 0 && !builtIn)
	}, "it allows no connections: EMQX does not start with it"},
	{func(k keyTerms, v ecp.Version, _ int, now time.Time) bool {
		return k.word == "" && now.UTC().Truncate(24*time.Hour).After(k.servesUntil(v))
	}, "it has expired: EMQX lets no client in with it"},
}

// never is a day that no license lasts until.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// servesUntil returns the last day on which EMQX lets clients in. Of the official licenses
// only those of customer type 0 end at all: 15 days after their expiry, 90 before 6.2.
func (k keyTerms) servesUntil(v ecp.Version) time.Time {
	switch {
	case k.kind != "1":
		return k.expires
	case k.customer != "0":
		return never
	case v.Before(version(6, 2, 0)):
		return k.expires.AddDate(0, 0, 90)
	}
	return k.expires.AddDate(0, 0, 15)
}

// LicenseRefusal returns why EMQX of a version does not start in a cluster of a number of
// nodes with a license, or serves nobody. It is empty where nothing is known that hinders,
// such as with a license of a form that is not known here: EMQX itself decides on it.
func LicenseRefusal(content ecp.Secret, image string, nodes int, now time.Time) string {
	v, ok := ecp.ParseVersion(image)
	k, known := readKey(strings.TrimSpace(string(content)))
	if !ok || !known || v.Major < 5 {
		return ""
	}
	for _, r := range bootRules {
		if r.when(k, v, nodes, now) {
			return fmt.Sprintf("EMQX %s: %s", image, r.why)
		}
	}
	return ""
}
