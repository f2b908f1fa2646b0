package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// paths are ways that people and attackers write them; status 0 = it is let
// through as it stands.
var paths = []struct {
	raw    string
	status int
	code   ecp.Code
}{
	{raw: "/status"},
	{raw: "/api/v5/nodes"},
	{raw: "/api/v5/nodes/emqx@10.0.0.1"},
	{raw: "/api/v5/rules/rule%3A1"},
	{raw: "/api/v5/rules/rule:1"},
	{raw: "/api/v5/topics/t%2F1"},
	{raw: "/api/v5/topics/%2Ft"},
	{raw: "/api/v5/topics/t%2F%23"},
	{raw: "/api/v5/topics/%E6%B8%A9"},
	{raw: "/api/v5/topics/50%25"},
	{raw: "/api/v5/topics/50%2525"},
	{raw: "/api/v5/clients/a;b=c"},
	{raw: "/api/v5/clients/a..b"},
	{raw: "/api/v5/clients/..."},
	{raw: "/api/v4"},
	{raw: "/api/v4/"},
	{raw: "/api/v4/nodes/"},

	// A step up, however it is written.
	{raw: "/api/v5/../v4/nodes", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/.", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/..", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%2e%2e/login", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/.%2E/login", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%252e%252e/login", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%25zz/%252e%252e/login", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%" + strings.Repeat("25", 4000) + "2e", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%" + strings.Repeat("25", 4) + "41", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%25252e./login", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/x%2F..%2F..%2Flogin", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/x%252F..%252Flogin", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/..;/login", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/..%3Bx/login", status: 400, code: ecp.CodeInvalid},
	{raw: `/api/v5\..\login`, status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/x%5C..%5Clogin", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/a%5cb", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5//login", status: 400, code: ecp.CodeInvalid},
	{raw: "//api/v5/nodes", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/nodes//", status: 400, code: ecp.CodeInvalid},

	// What is no path.
	{raw: "", status: 400, code: ecp.CodeInvalid},
	{raw: "/", status: 400, code: ecp.CodeInvalid},
	{raw: "api/v5/nodes", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%zz", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%ff", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/%00", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/a%0d%0ab", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/a%250d%250ab", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/a b", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/a?b", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/a#b", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/温", status: 400, code: ecp.CodeInvalid},
	{raw: "/api/v5/" + strings.Repeat("x", maxPathLength), status: 400, code: ecp.CodeInvalid},

	// Elsewhere.
	{raw: "/api/v3/nodes", code: ecp.CodeNotFound},
	{raw: "/api/v50/nodes", code: ecp.CodeNotFound},
	{raw: "/api", code: ecp.CodeNotFound},
	{raw: "/api%2Fv5%2Fnodes", code: ecp.CodeNotFound},
	{raw: "/%61pi/v5/nodes", code: ecp.CodeNotFound},
	{raw: "/API/v5/nodes", code: ecp.CodeNotFound},
	{raw: "/static/js/app.js", code: ecp.CodeNotFound},
	{raw: "/api-docs/swagger.json", code: ecp.CodeNotFound},
	{raw: "/status/", code: ecp.CodeNotFound},
	{raw: "/status/x", code: ecp.CodeNotFound},
	{raw: "/sta%74us", code: ecp.CodeNotFound},

	// EMQX' own logins.
	{raw: "/api/v5/login", code: ecp.CodeDenied},
	{raw: "/api/v5/login/", code: ecp.CodeDenied},
	{raw: "/api/v5/log%69n", code: ecp.CodeDenied},
	{raw: "/api/v5/log%2569n", code: ecp.CodeDenied},
	{raw: "/api/v5/login%2Fx", code: ecp.CodeDenied},
	{raw: "/api/v5/logout", code: ecp.CodeDenied},
	{raw: "/api/v5/sso/login/oidc", code: ecp.CodeDenied},
	{raw: "/api/v4/auth", code: ecp.CodeDenied},
	{raw: "/api/v4/auth/", code: ecp.CodeDenied},
}

func TestPaths(t *testing.T) {
	for _, row := range paths {
		got, refusal := parseTarget(row.raw)
		if row.code == "" {
			require.Nil(t, refusal, row.raw)
			require.Equal(t, row.raw, got.raw)
			require.Equal(t, row.raw, (&url.URL{Path: got.plain, RawPath: got.raw}).EscapedPath(),
				"it is sent byte for byte")
			continue
		}
		require.NotNil(t, refusal, row.raw)
		require.Equal(t, row.code, refusal.Err.Code, row.raw)
		require.Equal(t, row.status, refusal.Status, row.raw)
	}
}

// Whatever a path is: what is let through is sent byte for byte, stays below the
// roots however often it is unescaped, cleaned or turned round, and is no login.
func FuzzPath(f *testing.F) {
	for _, row := range paths {
		f.Add(row.raw)
	}
	for _, r := range append(reads, withheld...) {
		f.Add(strings.ReplaceAll(r.path, "{}", "%2Fx"))
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, refusal := parseTarget(raw)
		if refusal != nil {
			require.NotEmpty(t, refusal.Err.Message)
			return
		}
		sent := &url.URL{Scheme: "http", Host: "broker", Path: got.plain, RawPath: got.raw, RawQuery: "a=b"}
		require.Equal(t, raw, sent.EscapedPath())
		require.Equal(t, raw+"?a=b", sent.RequestURI())
		again, err := url.Parse(sent.String())
		require.NoError(t, err)
		require.Equal(t, raw, again.EscapedPath(), "who reads it sees the same")
		for plain := raw; ; {
			inside := plain == "/status"
			for _, root := range roots {
				inside = inside || plain == root || strings.HasPrefix(plain, root+"/")
			}
			require.True(t, inside, plain)
			for part := range strings.FieldsFuncSeq(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
				require.NotContains(t, []string{".", ".."}, strings.SplitN(part, ";", 2)[0], plain)
			}
			for _, place := range loginPaths {
				require.False(t, plain == place || strings.HasPrefix(plain, place+"/"), plain)
			}
			next, err := url.PathUnescape(plain)
			if err != nil {
				next = unescapeOnce(plain)
			}
			if next == plain {
				break
			}
			plain = next
		}
		if rightFor(http.MethodGet, got) == ecp.RightRead {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "get",
				""} {
				require.Equal(t, ecp.RightWrite, rightFor(method, got))
			}
		}
	})
}
