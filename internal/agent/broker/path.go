package broker

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// longestTarget bounds path and query of a request, in bytes.
const longestTarget = 16 << 10

// checkTarget returns what is wrong with the target of a request that came
// through the tunnel; empty means nothing. Only paths are led anywhere: a target that
// names a host would be somebody else's.
func checkTarget(r *http.Request) string {
	switch {
	case r.Method == http.MethodConnect:
		return "no connections are made to other places"
	case r.URL.IsAbs() || r.URL.Opaque != "" || r.URL.User != nil, !strings.HasPrefix(r.RequestURI, "/"):
		return "the target has to be a path"
	case len(r.RequestURI) > longestTarget:
		return "the target is too long"
	case strings.HasPrefix(r.RequestURI, "//"):
		return "the path begins with an empty segment"
	}
	return checkPath(r.URL.EscapedPath())
}

// deepest is how often what stands in a path may be escaped.
const deepest = 4

// checkPath refuses what anybody between here and the broker could take for a step
// up, however often it is escaped. Segments may hold escaped slashes, as topics do.
func checkPath(raw string) string {
	plain, err := url.PathUnescape(raw)
	if err != nil {
		return "the path is not percent-encoded correctly"
	}
	for range deepest {
		switch {
		case !utf8.ValidString(plain): // overlong forms of dots and slashes
			return "the path is not UTF-8"
		case strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return "the path has a control character"
		case strings.Contains(plain, `\`):
			return "the path has a backslash"
		}
		for part := range strings.SplitSeq(plain, "/") {
			part, _, _ = strings.Cut(part, ";")
			if part == "." || part == ".." {
				return "the path has a dot segment"
			}
		}
		again := unescape(plain)
		if again == plain {
			return ""
		}
		plain = again
	}
	return "the path is percent-encoded too many times over"
}

var escape = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// unescape takes escapes away and leaves every other percent sign.
func unescape(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		b, _ := hex.DecodeString(e[1:])
		return string(b)
	})
}

// isAPI reports whether a path is one of the API's: credentials are for nothing
// else.
func isAPI(raw string) bool {
	return raw == statusPath || strings.HasPrefix(raw, base4+"/") || strings.HasPrefix(raw, base5+"/") ||
		raw == base4 ||
		raw == base5
}

// Where the APIs are, and what a node says of itself to everybody.
const (
	base4      = "/api/v4"
	base5      = "/api/v5"
	statusPath = "/status"
)
