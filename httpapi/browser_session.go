package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// A browser keeps its bearer token in a cookie that no script can read. Cookies ignore
// ports: pages of other programs on the same host, brokers' dashboards among them, send it
// along. So a change with a cookie is taken only from a page of this very origin. Under TLS
// the cookie has a name that no page without TLS and no other host can set.
const (
	sessionCookie       = "openecp-session"
	secureSessionCookie = "__Host-" + sessionCookie
)

// sameOrigin refuses changes that a page of another origin makes a browser send.
var sameOrigin = http.NewCrossOriginProtection()

type signInBody struct {
	Name     string `json:"name,omitempty" doc:"the user's; with password"`
	Password string `json:"password,omitempty" writeOnly:"true"`
	Token    string `json:"token,omitempty" doc:"an API token, instead of name and password" writeOnly:"true"`
}

// browserView is who signed in. It has no token: scripts of a page need not know it.
type browserView struct {
	meView
	ExpiresAt time.Time `json:"expiresAt,omitzero" doc:"end of a user's session; none of an API token"`
}

// browserRoutes sign people in and out who come with a browser.
func (a *api) browserRoutes() {
	a.json(route{
		method: http.MethodPost, path: "/api/v1/session", id: "signIn", open: true, keyless: true,
		summary: "Sign in with a browser: the token comes as a cookie that scripts cannot read",
		description: "With the name and password of a user, or with an API token. A change that carries the cookie " +
			"is refused where it does not come from a page of the same origin. Programs use login, or a token itself.",
		body: schemaOf[signInBody], success: returns[browserView](http.StatusOK, "Set-Cookie"),
		refuses: []ecp.Code{ecp.CodeThrottled, ecp.CodeDenied},
	}, decoded(a.signIn))
	a.json(route{
		method: http.MethodDelete, path: "/api/v1/session", id: "signOut", open: true, keyless: true,
		summary:     "Sign out with a browser: its cookie goes, and with it the session of a user",
		description: "An API token stays what it is. Without a session nothing is done.",
		success:     []answer{{status: http.StatusNoContent, headers: []string{"Set-Cookie"}}},
		refuses:     []ecp.Code{ecp.CodeConflict, ecp.CodeDenied},
	}, a.signOut)
}

func (a *api) signIn(ctx context.Context, r *http.Request, b signInBody) (success, error) {
	if p := refuseOtherOrigins(r); p != nil { // else a page signs people in as somebody else
		return success{}, p
	}
	var expires time.Time
	secret := strings.TrimSpace(b.Token)
	switch {
	case secret != "" && (b.Name != "" || b.Password != ""):
		return success{}, badBody("/token", "comes instead of name and password, not beside them")
	case secret == "" && b.Name == "":
		return success{}, badBody("/name", "is missing; send name and password, or token")
	case secret == "" && b.Password == "":
		return success{}, badBody("/password", "is missing")
	case secret == "":
		s, err := a.manager.Accounts.Login(ctx, b.Name, b.Password)
		if err != nil {
			return success{}, a.loginProblem(ctx, err)
		}
		secret, expires = s.Secret, s.ExpiresAt
	}
	actor, err := a.manager.Accounts.Authenticate(ctx, secret)
	if err != nil {
		return success{}, a.loginProblem(ctx, err)
	}
	return success{
		status: http.StatusOK, body: browserView{meView: viewOfActor(actor), ExpiresAt: expires},
		cookies: []*http.Cookie{cookieOf(r, secret, expires)},
	}, nil
}

func (a *api) signOut(ctx context.Context, r *http.Request, _ body) (success, error) {
	if p := refuseOtherOrigins(r); p != nil {
		return success{}, p
	}
	out := success{status: http.StatusNoContent, cookies: forgotten(r)}
	secret := cookieSecret(r)
	if secret == "" {
		return out, nil
	}
	actor, err := a.manager.Accounts.Authenticate(ctx, secret)
	if errors.Is(err, ecp.ErrDenied) { // it has ended already
		return out, nil
	}
	if err != nil {
		return success{}, err
	}
	if actor.User() == "" { // an API token, which others may use too
		return out, nil
	}
	return out, a.manager.Accounts.Logout(ecp.WithActor(ctx, actor))
}

// loginProblem is what somebody learns who cannot log in. Nobody is logged in yet, so it
// is 401 and not 403.
func (a *api) loginProblem(ctx context.Context, err error) error {
	if errors.Is(err, ecp.ErrDenied) {
		return a.failed(ctx, err).as(http.StatusUnauthorized).with("WWW-Authenticate", `Bearer realm="openecp"`)
	}
	return err
}

// refuseOtherOrigins refuses a change that a page of another origin sends. Programs, which
// say nothing of where they come from, pass.
func refuseOtherOrigins(r *http.Request) *problemView {
	if sameOrigin.Check(r) == nil {
		return nil
	}
	return newProblem(ecp.CodeDenied, "the request was sent by a page of another origin, and changes with a "+
		"session's cookie are taken only from pages of "+r.Host+"; a proxy in between has to keep the header Host")
}

// cookieSecret returns the token in a request's cookie; empty if there is none.
func cookieSecret(r *http.Request) string {
	for _, name := range []string{secureSessionCookie, sessionCookie} {
		if all := r.CookiesNamed(name); len(all) == 1 && len(all[0].Value) <= maxToken {
			return all[0].Value
		}
	}
	return ""
}

// cookieOf makes the cookie of a session; one without an end is forgotten with the
// browser's own session. Browsers name the origin of the page with every POST, so TLS that
// ends at a proxy counts, too.
func cookieOf(r *http.Request, secret string, expires time.Time) *http.Cookie {
	c := &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", Expires: expires, HttpOnly: true,
		SameSite: http.SameSiteStrictMode}
	if r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://") {
		c.Name, c.Secure = secureSessionCookie, true
	}
	return c
}

// forgotten are the cookies that remove those of a request.
func forgotten(r *http.Request) (out []*http.Cookie) {
	for _, name := range []string{secureSessionCookie, sessionCookie} {
		if len(r.CookiesNamed(name)) > 0 {
			out = append(out, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true,
				Secure: name == secureSessionCookie, SameSite: http.SameSiteStrictMode})
		}
	}
	return out
}
