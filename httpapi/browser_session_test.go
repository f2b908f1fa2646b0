package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// browser sends requests as a browser does: with the cookies that it was given, and with
// what it says of the page that sends them.
type browser struct {
	*fixture
	cookies map[string]string
}

func (b *browser) sends(method, path, body string, headers ...string) reply {
	b.t.Helper()
	header := map[string]string{}
	for i := 0; i < len(headers); i += 2 {
		header[headers[i]] = headers[i+1]
	}
	for name, value := range b.cookies {
		header["Cookie"] += name + "=" + value + "; "
	}
	got := b.serve(nobody, method, path, body, header)
	for _, c := range (&http.Response{Header: got.header}).Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return got
}

// TestBrowserSessions: people sign in, work and sign out without their token ever being in
// a body, and no page of another origin makes their browser change anything.
func TestBrowserSessions(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.admin(http.MethodPost, "/api/v1/users", `{"name":"ann","password":"a long password",`+
		`"grants":[{"role":"project-admin","project":"default/default"}]}`).want(http.StatusCreated)
	b := &browser{f, map[string]string{}}
	const session, me, ann = "/api/v1/session", "/api/v1/me", `{"name":"ann","password":"a long password"}`
	same := []string{"Sec-Fetch-Site", "same-origin"}

	b.sends(http.MethodGet, me, "").want(http.StatusUnauthorized)
	in := b.sends(http.MethodPost, session, ann, same...).want(http.StatusOK)
	require.NotContains(t, string(in.body), b.cookies[sessionCookie], "the secret is in the cookie only")
	require.Contains(t, string(in.body), `"expiresAt"`)
	set := in.header.Get("Set-Cookie")
	require.NotContains(t, set, "Secure", "this server has no TLS")
	for _, attribute := range []string{"Path=/", "HttpOnly", "SameSite=Strict", "Expires="} {
		require.Contains(t, set, attribute)
	}
	var who meView
	b.sends(http.MethodGet, me, "").want(http.StatusOK).into(&who)
	require.Equal(t, "ann", who.Name)

	create := `{"mode":"adopted","project":"default/default","name":"plant"}`
	for _, foreign := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, // a dashboard on another port
		{"Origin", "https://elsewhere.example"}, {"Origin", "null"},
	} {
		p := b.sends(http.MethodPost, clustersPath, create, foreign...).want(http.StatusForbidden).problem()
		require.Contains(t, p.Detail, "another origin", "%v", foreign)
		b.sends(http.MethodPost, session, ann, foreign...).want(http.StatusForbidden)
		b.sends(http.MethodDelete, session, "", foreign...).want(http.StatusForbidden)
	}
	b.sends(http.MethodPost, clustersPath, create, same...).want(http.StatusCreated)
	b.sends(http.MethodPost, clustersPath, strings.Replace(create, "plant", "other", 1),
		"Origin", "http://example.com").want(http.StatusCreated)

	stolen := b.cookies[sessionCookie]
	out := b.sends(http.MethodDelete, session, "", same...).want(http.StatusNoContent)
	require.Contains(t, out.header.Get("Set-Cookie"), "Max-Age=0")
	require.Empty(t, b.cookies)
	b.cookies[sessionCookie] = stolen
	require.Contains(t, b.sends(http.MethodGet, me, "").want(http.StatusUnauthorized).problem().Detail, "not known")
	b.sends(http.MethodDelete, session, "", same...).want(http.StatusNoContent) // it has ended already
	require.Empty(t, b.cookies)
}

// TestBrowserSessionOfAToken: an API token stays valid when who came with it signs out.
func TestBrowserSessionOfAToken(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	b := &browser{f, map[string]string{}}
	in := b.sends(http.MethodPost, "/api/v1/session", `{"token":"`+asAdmin+`"}`,
		"Origin", "https://ecp.example.com", "Sec-Fetch-Site", "same-origin").want(http.StatusOK)
	require.NotContains(t, string(in.body), "expiresAt")
	require.Contains(t, in.header.Get("Set-Cookie"), secureSessionCookie+"=")
	require.Contains(t, in.header.Get("Set-Cookie"), "; Secure")
	require.NotContains(t, in.header.Get("Set-Cookie"), "Expires")
	b.sends(http.MethodGet, clustersPath, "").want(http.StatusOK)
	b.sends(http.MethodDelete, "/api/v1/session", "").want(http.StatusNoContent)
	b.sends(http.MethodGet, clustersPath, "").want(http.StatusUnauthorized)
	f.serve(asAdmin, http.MethodGet, clustersPath, "", nil).want(http.StatusOK)
}

func TestBrowserSessionsThatAreRefused(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	b := &browser{f, map[string]string{}}
	for body, pointer := range map[string]string{
		`{}`: "/name", `{"name":"ann"}`: "/password", `{"token":"x","name":"ann"}`: "/token",
		`{"token":"x","cookie":true}`: "/cookie",
	} {
		p := b.sends(http.MethodPost, "/api/v1/session", body).want(http.StatusUnprocessableEntity).problem()
		require.Equal(t, pointer, p.Errors[0].Pointer, body)
	}
	for _, body := range []string{`{"name":"ann","password":"a guess at it"}`, `{"token":"` + asAdmin + `x"}`} {
		got := b.sends(http.MethodPost, "/api/v1/session", body).want(http.StatusUnauthorized)
		require.Equal(t, ecp.CodeDenied, got.problem().Code)
		require.Empty(t, got.header.Values("Set-Cookie"))
	}
	require.Empty(t, b.cookies)
}
