package emqxhttp

import (
	"context"
	"encoding/base64"

	"github.com/openecp/openecp/ecp"
)

// Basic authenticates by a name and a secret in every request; zero
// credentials send nothing.
func Basic(login ecp.Credentials) Auth {
	if login == (ecp.Credentials{}) {
		return basic("")
	}
	return basic(BasicHeader(login))
}

// BasicHeader is what a request with these credentials has as Authorization.
func BasicHeader(login ecp.Credentials) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(login.Username+":"+login.Password))
}

type basic string

// Header is always the same.
func (b basic) Header(context.Context, *Client) (string, error) { return string(b), nil }

// Refused says no: what was refused once stays so.
func (basic) Refused(Answer, string) bool { return false }
