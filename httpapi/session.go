package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp"
)

// sessionRoutes are about the caller: login, logout, and what one may do.
func (a *api) sessionRoutes() {
	a.json(route{
		method: http.MethodPost, path: "/api/v1/login", id: "login",
		summary: "Get a bearer token for a user's password",
		description: "The token ends after a while, with a logout, and when the user gets another password or is " +
			"disabled.",
		open: true, keyless: true, body: schemaOf[loginBody], success: returns[sessionView](http.StatusOK),
		refuses: []ecp.Code{ecp.CodeThrottled, ecp.CodeUnsupported},
	}, decoded(a.login))
	a.json(route{
		method: http.MethodPost, path: "/api/v1/logout", id: "logout", summary: "End the session whose token is sent",
		keyless: true, success: noContent(), refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeUnsupported},
	}, func(ctx context.Context, _ *http.Request, _ body) (success, error) {
		return success{status: http.StatusNoContent}, a.manager.Accounts.Logout(ctx)
	})
	a.json(route{
		method: http.MethodGet, path: "/api/v1/me", id: "getMe", summary: "Say who asks, and what they may do",
		success: returns[meView](http.StatusOK),
	}, func(ctx context.Context, _ *http.Request, _ body) (success, error) {
		actor, _ := ecp.ActorFrom(ctx)
		return success{status: http.StatusOK, body: viewOfActor(actor)}, nil
	})
	a.json(route{
		method: http.MethodPost, path: "/api/v1/me/password", id: "changePassword",
		summary:     "Change one's own password",
		description: "Every session of the user ends, also the one that asks: log in again.",
		keyless:     true, body: schemaOf[passwordBody], success: noContent(),
		refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeUnsupported, ecp.CodeThrottled},
	}, decoded(func(ctx context.Context, _ *http.Request, b passwordBody) (success, error) {
		return success{status: http.StatusNoContent}, a.manager.Accounts.ChangePassword(ctx, b.Current, b.Password)
	}))
	a.json(route{
		method: http.MethodGet, path: "/api/v1/roles", id: "listRoles", summary: "List what each role may do",
		success: returns[page[ecp.RightInfo]](http.StatusOK),
	}, func(context.Context, *http.Request, body) (success, error) {
		return success{status: http.StatusOK, body: page[ecp.RightInfo]{Items: ecp.RoleTable()}}, nil
	})
}

type loginBody struct {
	Name     string `json:"name" required:"true" minLength:"1" doc:"the user's"`
	Password string `json:"password" required:"true" minLength:"1" writeOnly:"true"`
}

type sessionView struct {
	Token     string    `json:"token" doc:"the bearer token"`
	ID        string    `json:"id" doc:"names the session in the audit"`
	Name      string    `json:"name" doc:"the user's"`
	ExpiresAt time.Time `json:"expiresAt"`
}

type passwordBody struct {
	Current  string `json:"currentPassword" required:"true" minLength:"1" doc:"the one until now" writeOnly:"true"`
	Password string `json:"password" required:"true" minLength:"10" doc:"the new one; at most 256 bytes" writeOnly:"true"`
}

type meView struct {
	Name       string      `json:"name"`
	Grants     []ecp.Grant `json:"grants" doc:"what one may do: the sum of these"`
	Credential string      `json:"credential" doc:"what one came with: token/ or session/ and its id"`
}

func viewOfActor(actor ecp.Actor) meView {
	return meView{Name: actor.Name, Grants: list(actor.Grants), Credential: actor.Credential}
}

func (a *api) login(ctx context.Context, _ *http.Request, b loginBody) (success, error) {
	s, err := a.manager.Accounts.Login(ctx, b.Name, b.Password)
	if err != nil {
		return success{}, a.loginProblem(ctx, err)
	}
	out := sessionView{Token: s.Secret, ID: s.ID, Name: s.User, ExpiresAt: s.ExpiresAt}
	return success{status: http.StatusOK, body: out}, nil
}
