package proxy

import (
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openecp/openecp/ecp"
)

// target is a path of a broker's API that has been looked at.
type target struct {
	raw   string   // as it is sent, escapes and all
	plain string   // unescaped once
	raws  []string // the segments of raw, without an empty one at the end
}

// roots are the only places below which a broker is reached. They stand there
// unescaped.
var roots = []string{"/api/v4", "/api/v5"}

// statusPath is the one other path.
const statusPath = "/status"

// longestPath bounds a path, in bytes.
const longestPath = 8 << 10

// closed are the places where EMQX hands out logins of its own. Nobody is let
// through: to log in there is what the dashboard is for. A path is
// compared with them unescaped as often as that is possible.
var closed = []string{
	"/api/v4/auth", "/api/v5/login", "/api/v5/logout", "/api/v5/sso",
}

// parseTarget says what a path of a broker is, or why nobody is led there. raw is
// the escaped path, beginning with a slash, as the caller has sent it.
func parseTarget(raw string) (target, *Refusal) {
	if why := wrongForm(raw); why != "" {
		return target{}, refuse(badPath, ecp.CodeInvalid, "the broker's path "+why)
	}
	t := target{raw: raw, raws: strings.Split(strings.TrimSuffix(raw[1:], "/"), "/")}
	var err error
	if t.plain, err = url.PathUnescape(raw); err != nil {
		return target{}, refuse(badPath, ecp.CodeInvalid, "the broker's path is not percent-encoded correctly")
	}
	plain, why := unescape(t.plain)
	if why != "" {
		return target{}, refuse(badPath, ecp.CodeInvalid, "the broker's path "+why)
	}
	if raw != statusPath && !within(t.raws, roots) {
		return target{}, refuse(0, ecp.CodeNotFound, "only /status and what is below /api/v4 and /api/v5 of the broker can be reached")
	}
	if within(strings.FieldsFunc(plain, func(r rune) bool { return r == '/' }), closed) {
		return target{}, refuse(0, ecp.CodeDenied, "EMQX' own logins are not passed on; calls are made with the cluster's key, and the dashboard has a link of its own")
	}
	return t, nil
}

// wrongForm says what is wrong with a path as a whole; "" = nothing.
func wrongForm(raw string) string {
	switch {
	case len(raw) > longestPath:
		return "is too long"
	case raw == "" || raw[0] != '/' || raw == "/":
		return "is missing"
	case strings.Contains(raw, "//"):
		return "has an empty segment"
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\"<>^{|}?#`+"`", r) }):
		return "has a character that has to be percent-encoded"
	}
	return ""
}

// deepest is how often what stands in a path may be escaped. Nobody needs more
// than twice, and every turn costs time.
const deepest = 4

// unescape unescapes a path as often as that is possible, and says what is wrong
// with it on the way; "" = nothing. A segment may hold slashes, as topics do, but
// nothing that anybody between here and the broker could take for a step up.
func unescape(plain string) (_, why string) {
	for range deepest {
		switch {
		case !utf8.ValidString(plain):
			return "", "is not UTF-8"
		case strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return "", "has a control character"
		case strings.Contains(plain, `\`):
			return "", "has a backslash"
		}
		for part := range strings.SplitSeq(plain, "/") {
			part, _, _ = strings.Cut(part, ";")
			if part == "." || part == ".." {
				return "", "has a dot segment"
			}
		}
		again := leniently(plain)
		if again == plain {
			return plain, ""
		}
		plain = again
	}
	return "", "is percent-encoded too many times over"
}

// escape is one percent-encoded byte.
var escape = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// leniently unescapes what is an escape and leaves every other percent sign.
func leniently(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		b, _ := hex.DecodeString(e[1:])
		return string(b)
	})
}

// within says whether a path lies at or below one of some places.
func within(segments, places []string) bool {
	for _, place := range places {
		want := strings.Split(place[1:], "/")
		if len(segments) >= len(want) && slices.Equal(segments[:len(want)], want) {
			return true
		}
	}
	return false
}
