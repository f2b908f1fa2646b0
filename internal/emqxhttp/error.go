package emqxhttp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/openecp/openecp/ecp"
)

// Bounds of what an answer may put into an error.
const (
	mostQuote = 200 // bytes of a body
	mostType  = 60  // bytes of a content type
	mostCause = 600 // bytes of a cause's text
)

// Say makes what a broker says fit for a message: one line, short, without
// credentials.
func (c *Client) Say(words string) string { return short(c.hide.in(printable(words)), mostQuote) }

// Fail gives an error whose message begins with whom was spoken to. The
// cause's text is kept for the log, shortened and without credentials.
func (c *Client) Fail(code ecp.Code, says string, why error) error {
	e := &ecp.Error{Code: code, Op: "ask " + c.name + " at " + c.base, Message: says}
	if why != nil {
		e.Cause = &cause{text: short(c.hide.in(printable(why.Error())), mostCause), err: why}
	}
	return e
}

// cause stands for an error of the network or of a decoder. It does not unwrap:
// the text below could hold what the far side sent back of our request.
type cause struct {
	text string
	err  error
}

// Error gives the text without credentials.
func (c *cause) Error() string { return c.text }

// Is sees through to the error it stands for.
func (c *cause) Is(target error) bool { return errors.Is(c.err, target) }

// unreachedSays is what to say of an error that left no answer; the first row
// that matches counts.
var unreachedSays = []struct {
	is   func(error) bool
	says string
}{
	{is(errTooLong), "gave an answer longer than 16 MiB"},
	{is(syscall.ECONNREFUSED), "connection refused; check that EMQX runs and that its management API has this port"},
	{as[*net.DNSError], "its host name is not known"},
	{is(http.ErrSchemeMismatch), "speaks plain HTTP there; use http://"},
	{as[*tls.CertificateVerificationError], "its certificate is not trusted"},
	{as[tls.RecordHeaderError], "does not speak TLS there; use http://"},
	{func(err error) bool {
		return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	}, "closed the connection before its answer was complete"},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// unreached gives the error for a request that brought no answer. A transport
// that fails with an error of ours (a tunnel without an agent) is believed.
func (c *Client) unreached(ctx context.Context, err error) error {
	var ours *ecp.Error
	switch {
	case errors.Is(context.Cause(ctx), errPatience):
		return c.Fail(ecp.CodeUnavailable, "no answer in time", errors.Join(context.DeadlineExceeded, err))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return c.Fail(ecp.CodeUnavailable, "no answer in the time the caller gave", errors.Join(ctx.Err(), err))
	case ctx.Err() != nil:
		return c.Fail(ecp.CodeUnavailable, "given up by the caller before it answered", errors.Join(ctx.Err(), err))
	case errors.As(err, &ours):
		return c.Fail(ours.Code, c.hide.in(ours.Error()), err)
	}
	for _, row := range unreachedSays {
		if row.is(err) {
			return c.Fail(ecp.CodeUnavailable, row.says, err)
		}
	}
	return c.Fail(ecp.CodeUnavailable, "cannot be reached", err)
}

// Checks is what a person should check when a major's broker refuses.
type Checks struct {
	Login string // 401
	Role  string // 403
}

// Refused gives the error for an answer that is no success. words is what the
// broker itself says, "" = nothing.
func (c *Client) Refused(a Answer, checks Checks, words string) error {
	says := fmt.Sprintf("answered %d", a.Status)
	if words != "" {
		says += " (" + c.Say(words) + ")"
	}
	code, advice := ecp.CodeInternal, ""
	switch {
	case a.Status == http.StatusUnauthorized:
		code, advice = ecp.CodeDenied, "it does not accept the credentials; "+checks.Login
	case a.Status == http.StatusForbidden:
		code, advice = ecp.CodeDenied, "the credentials are not allowed to read "+a.Path+"; "+checks.Role
	case a.Status == http.StatusNotFound:
		code, advice = ecp.CodeUnsupported, "there is no "+c.name+" management API at this address; check the port and the version"
	case a.Status/100 == 3:
		code, advice = ecp.CodeUnsupported, "it redirects elsewhere; give the address of "+c.name+" itself"
	case a.Status/100 == 5, a.Status == http.StatusTooManyRequests:
		code = ecp.CodeUnavailable
	}
	if advice != "" {
		says += ": " + advice
	}
	return c.Fail(code, says, c.quote(a))
}

// Unreadable gives the error for a success whose body makes no sense.
func (c *Client) Unreadable(a Answer, why error) error {
	says := "its answer to " + a.Path + " is not that of " + c.name
	if a.Type != "" && !strings.HasSuffix(a.Type, "json") {
		says += "; it is of type " + short(a.Type, mostType) + ", perhaps a proxy's or a login page"
	}
	return c.Fail(ecp.CodeUnavailable, says, fmt.Errorf("%w: %w", c.quote(a), why))
}

// quote gives what answered and how its body begins, for the log. The body is
// cut after credentials are hidden, so that no half of them is left.
func (c *Client) quote(a Answer) error {
	says := fmt.Sprintf("GET %s: %d %s", a.Path, a.Status, short(a.Type, mostType))
	if len(a.Body) == 0 {
		return errors.New(says)
	}
	return fmt.Errorf("%s: %q", says, short(c.hide.in(string(a.Body[:min(len(a.Body), mostRefusal)])), mostQuote))
}

// short cuts s after n bytes.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// printable makes what a broker says fit for one line.
func printable(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// secrets knows every form the credentials are sent or echoed in.
type secrets struct{ hide *strings.Replacer }

func secretsOf(c ecp.Credentials) secrets {
	var pairs []string
	if c == (ecp.Credentials{}) {
		return secrets{strings.NewReplacer()}
	}
	add := func(s string) {
		if s != "" {
			pairs = append(pairs, s, "[redacted]")
		}
	}
	add(base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password)))
	for _, s := range []string{c.Password, c.Username} {
		quoted, err := json.Marshal(s)
		if err == nil {
			add(string(quoted[1 : len(quoted)-1]))
		}
		add(s)
	}
	return secrets{strings.NewReplacer(pairs...)}
}

func (s secrets) in(text string) string { return s.hide.Replace(text) }
