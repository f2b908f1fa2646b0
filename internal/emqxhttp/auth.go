package emqxhttp

import (
	"context"
	"encoding/base64"

	"github.com/openecp/openecp/ecp"
)

// Basic authenticates every request by a name and a secret. With zero credentials it sends
// nothing.
func Basic(login ecp.Credentials) Auth {
	if login == (ecp.Credentials{}) {
		return basic("")
	}
	return basic(BasicHeader(login))
}

// BasicHeader returns the Authorization header for these credentials.
func BasicHeader(login ecp.Credentials) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(login.Username+":"+login.Password))
}

type basic string

// Header always returns the same header.
func (b basic) Header(context.Context, *Client) (string, error) { return string(b), nil }

// Refused returns false: what was refused once will be refused again.
func (basic) Refused(Answer, string) bool { return false }
