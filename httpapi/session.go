package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp"
)

// sessionRoutes are about whoever asks: coming, going, and what they may do.
func (a *api) sessionRoutes() {
	login := a.operation(http.MethodPost, "/api/v1/login", "login", "Get a bearer token for a user's password", ecp.CodeThrottled, ecp.CodeUnsupported)
	login.Security, login.Metadata[keyless] = nil, true
	login.Description = "The token ends after a while, with a logout, and when the user gets another password or is disabled."
	a.serve(login, http.StatusOK, schemaOf[sessionView](a.schemas()), a.login)
	a.takes(login, schemaOf[loginBody](a.schemas()))

	logout := a.operation(http.MethodPost, "/api/v1/logout", "logout", "End the session whose token is sent", ecp.CodeConflict, ecp.CodeUnsupported)
	logout.Metadata[keyless] = true
	a.serve(logout, http.StatusNoContent, nil, func(ctx context.Context, _ *http.Request, _ []byte) (success, error) {
		return success{status: http.StatusNoContent}, a.manager.Logout(ctx)
	})

	a.serve(a.operation(http.MethodGet, "/api/v1/me", "getMe", "Say who asks, and what they may do"), http.StatusOK, schemaOf[meView](a.schemas()),
		func(ctx context.Context, _ *http.Request, _ []byte) (success, error) {
			actor, _ := ecp.ActorFrom(ctx)
			return success{status: http.StatusOK, body: meView{Name: actor.Name, Grants: list(actor.Grants), Credential: actor.Credential}}, nil
		})

	password := a.operation(http.MethodPost, "/api/v1/me/password", "changePassword", "Change one's own password", ecp.CodeConflict, ecp.CodeUnsupported, ecp.CodeThrottled)
	password.Metadata[keyless] = true
	password.Description = "Every session of the user ends, also the one that asks: log in again."
	a.serve(password, http.StatusNoContent, nil, func(ctx context.Context, _ *http.Request, body []byte) (success, error) {
		b, err := decodeAs[passwordBody](body)
		if err != nil {
			return success{}, err
		}
		return success{status: http.StatusNoContent}, a.manager.ChangePassword(ctx, b.Current, b.Password)
	})
	a.takes(password, schemaOf[passwordBody](a.schemas()))

	a.serve(a.operation(http.MethodGet, "/api/v1/roles", "listRoles", "List what each role may do"), http.StatusOK, schemaOf[page[ecp.RightInfo]](a.schemas()),
		func(context.Context, *http.Request, []byte) (success, error) {
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

func (a *api) login(ctx context.Context, _ *http.Request, body []byte) (success, error) {
	b, err := decodeAs[loginBody](body)
	if err != nil {
		return success{}, err
	}
	s, err := a.manager.Login(ctx, b.Name, b.Password)
	if errors.Is(err, ecp.ErrDenied) { // who logs in is not anybody yet
		return success{}, a.failed(ctx, err).as(http.StatusUnauthorized).with("WWW-Authenticate", `Bearer realm="openecp"`)
	}
	if err != nil {
		return success{}, err
	}
	return success{status: http.StatusOK, body: sessionView{Token: s.Secret, ID: s.ID, Name: s.User, ExpiresAt: s.ExpiresAt}}, nil
}
