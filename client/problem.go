package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Problem is an answer of the server that is not a success (RFC 9457). errors.Is compares
// it with the sentinels of package ecp: errors.Is(err, ecp.ErrNotFound).
type Problem struct {
	Status int      `json:"status"` // of HTTP
	Code   ecp.Code `json:"code"`   // what programs decide by; empty if the answer was not the API's
	Title  string   `json:"title"`
	Detail string   `json:"detail"` // what was wrong and what to do next, for people
	Errors []Field  `json:"errors"` // what is wrong with which field; may be empty

	RequestID  string        `json:"-"` // by which the server's log names the request
	RetryAfter time.Duration `json:"-"` // how long to wait at least; 0 if the server does not say
}

// Field is one thing that is wrong with one field of a request.
type Field struct {
	Pointer string `json:"pointer"` // JSON pointer into the body, or /query/NAME, /header/NAME
	Detail  string `json:"detail"`
}

// Error returns what was wrong in one line, with the fields.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	for i, f := range p.Errors {
		if f.Detail == p.Detail {
			continue
		}
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		if at := strings.ReplaceAll(strings.TrimPrefix(f.Pointer, "/"), "/", "."); at != "" {
			b.WriteString(at + " ")
		}
		b.WriteString(f.Detail)
	}
	return b.String()
}

// Is matches a sentinel of package ecp that has the same code.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*ecp.Error)
	return ok && t.Op == "" && t.Message == "" && t.Cause == nil && p.Code != "" && t.Code == p.Code
}

// Unauthorized reports whether the server does not take the token or the password, as
// opposed to one whose holder lacks a right.
func (p *Problem) Unauthorized() bool { return p.Status == http.StatusUnauthorized }

// problemOf reads the body of an answer that is not a success.
func problemOf(resp *http.Response, r Request) *Problem {
	p := &Problem{}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err == nil {
		_ = json.Unmarshal(b, p) // what is no problem of ours is described below
	}
	if p.Detail == "" {
		p.Code = ""
		p.Detail = fmt.Sprintf("%s %s was answered with %s, and not by an ecpd", r.method(), r.Path, resp.Status)
	}
	p.Status, p.RequestID, p.RetryAfter = resp.StatusCode, resp.Header.Get("X-Request-Id"), waitOf(resp)
	return p
}

// UnreachableError means that no answer came: nothing listens there, the name is not
// known, the certificate is not trusted, the connection broke.
type UnreachableError struct {
	Server string
	Cause  error
}

// Error returns which server was called, and the cause.
func (e *UnreachableError) Error() string {
	why := e.Cause.Error()
	var u *url.Error
	if errors.As(e.Cause, &u) { // which repeats method and address
		why = u.Err.Error()
	}
	return "cannot reach " + e.Server + ": " + why
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

// Is matches ecp.ErrUnavailable.
func (e *UnreachableError) Is(target error) bool {
	t, ok := target.(*ecp.Error)
	return ok && t.Op == "" && t.Message == "" && t.Cause == nil && t.Code == ecp.CodeUnavailable
}

// unreachable is the error of a request that got no answer. One whose context has ended is
// the context's.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &UnreachableError{Server: c.base.String(), Cause: err}
}

// refusedConnection reports whether nobody listens at an address, or its name is not known.
func refusedConnection(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && dns.IsNotFound
}
