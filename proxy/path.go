package proxy

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openecp/openecp/ecp"
)

// target is a path of a broker's API that was checked.
type target struct {
	raw   string   // as it is sent, escapes and all
	plain string   // unescaped once
	raws  []string // the segments of raw, without an empty one at the end
}

// roots are the only paths below which a broker is reached. They must not be escaped.
var roots = []string{"/api/v4", "/api/v5"}

// statusPath is the one other path that is reached.
const statusPath = "/status"

// maxPathLength is in bytes.
const maxPathLength = 8 << 10

// loginPaths are where EMQX issues logins of its own. They are never passed on: people
// log in at the dashboard. A path is compared with them after it was unescaped as often
// as possible.
var loginPaths = []string{
	"/api/v4/auth", "/api/v5/login", "/api/v5/logout", "/api/v5/sso",
}

// parseTarget checks a path of a broker, or returns why it is not passed on. raw is the
// escaped path as the caller sent it, which begins with a slash.
func parseTarget(raw string) (target, *Refusal) {
	if why := wrongForm(raw); why != "" {
		return target{}, refuse(http.StatusBadRequest, ecp.CodeInvalid, "the broker's path "+why)
	}
	t := target{raw: raw, raws: strings.Split(strings.TrimSuffix(raw[1:], "/"), "/")}
	var err error
	if t.plain, err = url.PathUnescape(raw); err != nil {
		return target{}, refuse(http.StatusBadRequest, ecp.CodeInvalid,
			"the broker's path is not percent-encoded correctly")
	}
	plain, why := unescape(t.plain)
	if why != "" {
		return target{}, refuse(http.StatusBadRequest, ecp.CodeInvalid, "the broker's path "+why)
	}
	if raw != statusPath && !within(t.raws, roots) {
		return target{}, refuse(0, ecp.CodeNotFound,
			"only /status and paths below /api/v4 and /api/v5 of the broker can be reached")
	}
	if within(strings.FieldsFunc(plain, func(r rune) bool { return r == '/' }), loginPaths) {
		return target{}, refuse(0, ecp.CodeDenied, "EMQX's own logins are not passed on; "+
			"calls are made with the cluster's key, and the dashboard has a link of its own")
	}
	return t, nil
}

// wrongForm returns what is wrong with a path as a whole; it is empty if nothing is.
func wrongForm(raw string) string {
	switch {
	case len(raw) > maxPathLength:
		return "is too long"
	case raw == "" || raw[0] != '/' || raw == "/":
		return "is missing"
	case strings.Contains(raw, "//"):
		return "has an empty segment"
	case strings.ContainsFunc(raw, mustBeEscaped):
		return "has a character that has to be percent-encoded"
	}
	return ""
}

func mustBeEscaped(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\"<>^{|}?#`+"`", r)
}

// maxEscapes is how many times over a path may be escaped. Nobody needs more than two,
// and each costs time.
const maxEscapes = 4

// unescape unescapes a path as often as possible. why says what is wrong with one of
// its forms, and is empty if nothing is. A segment may hold slashes, as topics do, but
// nothing that a server on the way to the broker could take for a dot segment.
func unescape(plain string) (_, why string) {
	for range maxEscapes {
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
		again := unescapeOnce(plain)
		if again == plain {
			return plain, ""
		}
		plain = again
	}
	return "", "is percent-encoded too many times over"
}

// escape is one percent-encoded byte.
var escape = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// unescapeOnce unescapes what is an escape and leaves every other percent sign.
func unescapeOnce(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		b, _ := hex.DecodeString(e[1:])
		return string(b)
	})
}

// within reports whether a path is equal to one of some paths, or below it.
func within(segments, paths []string) bool {
	for _, path := range paths {
		want := strings.Split(path[1:], "/")
		if len(segments) >= len(want) && slices.Equal(segments[:len(want)], want) {
			return true
		}
	}
	return false
}
