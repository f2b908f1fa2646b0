package client

import (
	"context"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Session is a login.
type Session struct {
	Token     string    `json:"token"` // the bearer token; a secret
	ID        string    `json:"id"`
	Name      string    `json:"name"` // the user's
	ExpiresAt time.Time `json:"expiresAt"`
}

// Me is who asks, and what they may do.
type Me struct {
	Name       string      `json:"name"`
	Grants     []ecp.Grant `json:"grants"`
	Credential string      `json:"credential"` // token/ or session/ and its id
}

// Version is which build a server is.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	Dev     bool   `json:"dev"` // it runs with simulated clusters
}

// Login returns a session for a user's password. The client goes on with the token that it
// has.
func (c *Client) Login(ctx context.Context, user, password string) (Session, error) {
	var out Session
	_, err := c.Do(ctx, Request{
		Method: http.MethodPost, Path: "/api/v1/login", Keyless: true,
		Body: map[string]string{"name": user, "password": password},
	}, &out)
	return out, err
}

// Logout ends the session whose token the client has.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/logout", Keyless: true}, nil)
	return err
}

// ChangePassword changes the password of the user whose session's token the client has. Every
// session of the user ends, also that one.
func (c *Client) ChangePassword(ctx context.Context, was, will string) error {
	_, err := c.Do(ctx, Request{
		Method: http.MethodPost, Path: "/api/v1/me/password", Keyless: true,
		Body: map[string]string{"currentPassword": was, "password": will},
	}, nil)
	return err
}

// Me returns the user or API token that the client is logged in as.
func (c *Client) Me(ctx context.Context) (Me, error) {
	var out Me
	_, err := c.Do(ctx, Request{Path: "/api/v1/me"}, &out)
	return out, err
}

// Version says which build the server is; that needs no token.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var out Version
	_, err := c.Do(ctx, Request{Path: "/api/v1/version"}, &out)
	return out, err
}
