package emqxhttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/openecp/openecp/ecp"
)

// Limits on the parts of an answer in an error.
const (
	maxQuote = 200 // bytes of a body
	maxType  = 60  // bytes of a content type
	maxCause = 600 // bytes of a cause's text
)

// Sanitize makes a text from a broker fit for a message: one line, short, and without
// credentials.
func (c *Client) Sanitize(words string) string {
	return truncate(c.hide.redact(oneLine(words)), maxQuote)
}

// Redact hides a secret in all later errors, like the credentials.
func (c *Client) Redact(secret string) { c.hide.add(secret) }

// Fail returns an error whose message begins with the name of the broker. The text of the
// cause is kept for the log, shortened and without credentials. A cause that is an
// [ecp.BrokerError] is kept as it is, since it is fit for both.
func (c *Client) Fail(code ecp.Code, says string, why error) error {
	e := &ecp.Error{Code: code, Op: "ask " + c.name + " at " + c.base, Message: says}
	var said *ecp.BrokerError
	switch {
	case errors.As(why, &said):
		e.Cause = said
	case why != nil:
		e.Cause = &cause{text: truncate(c.hide.redact(oneLine(why.Error())), maxCause), err: why}
	}
	return e
}

// Invalid returns the error for a wrong argument.
func Invalid(op, field, message string) error {
	return &ecp.Error{
		Code: ecp.CodeInvalid, Op: op, Message: "the request",
		Fields: []ecp.FieldError{{Field: field, Message: message}},
	}
}

// Deny is like Fail for a request that the broker refused, and adds the broker's own words.
func (c *Client) Deny(code ecp.Code, says string, said ecp.BrokerError, why error) error {
	err := c.Fail(code, says, why)
	said.Code, said.Message = c.Sanitize(said.Code), c.Sanitize(said.Message)
	var e *ecp.Error
	switch {
	case !errors.As(err, &e):
	case e.Cause == nil:
		e.Cause = &said
	default:
		e.Cause = &brokerCause{e.Cause, &said}
	}
	return err
}

// brokerCause is a cause that includes the broker's own words.
type brokerCause struct {
	error
	said *ecp.BrokerError
}

// Unwrap returns the cause and the broker's words.
func (r *brokerCause) Unwrap() []error { return []error{r.error, r.said} }

// cause stands for an error of the network or of a decoder. It does not unwrap, since the
// error below could contain parts of our request that the server sent back.
type cause struct {
	text string
	err  error
}

// Error returns the text without credentials.
func (c *cause) Error() string { return c.text }

// Is reports whether the error that it stands for matches target.
func (c *cause) Is(target error) bool { return errors.Is(c.err, target) }

// transportMessages explains errors without an answer. The first row that matches counts.
var transportMessages = []struct {
	is   func(error) bool
	says string
}{
	{is(errTooLong), "gave an answer that is longer than it may be"},
	{is(syscall.ECONNREFUSED), "connection refused; check that EMQX runs and that its management API has this port"},
	{as[*net.DNSError], "its host name is not known"},
	{is(http.ErrSchemeMismatch), "speaks plain HTTP there; use http://"},
	{as[x509.HostnameError], "its certificate is for other names than the one in the URL; use a name that it has, or " +
		"give EMQX a certificate for this one"},
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

// transportError returns the error for a request without an answer. If a transport fails
// with an [ecp.Error], e.g. a tunnel without an agent, that error is kept.
func (c *Client) transportError(ctx context.Context, err error) error {
	var ours *ecp.Error
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return c.Fail(ecp.CodeUnavailable, "no answer in time", errors.Join(context.DeadlineExceeded, err))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return c.Fail(ecp.CodeUnavailable, "no answer within the caller's deadline", errors.Join(ctx.Err(), err))
	case ctx.Err() != nil:
		return c.Fail(ecp.CodeUnavailable, "the caller gave up before it answered", errors.Join(ctx.Err(), err))
	case errors.As(err, &ours):
		return c.Fail(ours.Code, c.hide.redact(ours.Error()), err)
	}
	for _, row := range transportMessages {
		if row.is(err) {
			return c.Fail(ecp.CodeUnavailable, row.says, err)
		}
	}
	return c.Fail(ecp.CodeUnavailable, "cannot be reached", err)
}

// Checks says what a person should check when a broker refuses.
type Checks struct {
	Login string // 401
	Role  string // 403
}

// refusals explains a status for which the major has no better explanation. The first row
// that fits counts.
var refusals = []struct {
	fits   func(a Answer) bool
	code   ecp.Code
	advice func(c *Client, a Answer, checks Checks) string
}{
	{has(http.StatusUnauthorized), ecp.CodeDenied,
		func(_ *Client, _ Answer, k Checks) string { return "it does not accept the credentials; " + k.Login }},
	{has(http.StatusForbidden), ecp.CodeDenied, func(_ *Client, a Answer, k Checks) string {
		return "the credentials do not allow " + a.Request.String() + "; " + k.Role
	}},
	{has(http.StatusNotFound), ecp.CodeUnsupported, func(c *Client, _ Answer, _ Checks) string {
		return "there is no " + c.name + " management API at this address; check the port and the version"
	}},
	{has(http.StatusMethodNotAllowed), ecp.CodeUnsupported, func(_ *Client, a Answer, _ Checks) string {
		return "this version does not accept " + a.Request.String()
	}},
	{func(a Answer) bool { return a.Status/100 == 3 }, ecp.CodeUnsupported, func(c *Client, _ Answer, _ Checks) string {
		return "it redirects elsewhere; give the address of " + c.name + " itself"
	}},
	{func(a Answer) bool { return a.Status/100 == 5 || a.Status == http.StatusTooManyRequests }, ecp.CodeUnavailable,
		nil},
	{func(a Answer) bool { return a.Status/100 == 4 && a.Request.method() != http.MethodGet }, ecp.CodeInvalid, nil},
	{func(Answer) bool { return true }, ecp.CodeInternal, nil},
}

func has(status int) func(Answer) bool { return func(a Answer) bool { return a.Status == status } }

// Refused returns the error for an answer that is not a success. said contains the broker's
// own words; Refused sets its status.
func (c *Client) Refused(a Answer, checks Checks, said ecp.BrokerError) error {
	for _, row := range refusals {
		if !row.fits(a) {
			continue
		}
		advice := ""
		if row.advice != nil {
			advice = row.advice(c, a, checks)
		}
		return c.RefusedAs(a, row.code, advice, said)
	}
	return c.RefusedAs(a, ecp.CodeInternal, "", said) // the last row always fits
}

// RefusedAs is like Refused if the major knows the meaning of the answer and what to do. An
// empty advice adds nothing to the broker's words.
func (c *Client) RefusedAs(a Answer, code ecp.Code, advice string, said ecp.BrokerError) error {
	said.Status = a.Status
	says := fmt.Sprintf("answered %d", a.Status)
	if words := said.Error(); words != "" {
		says += " (" + c.Sanitize(words) + ")"
	}
	if advice != "" {
		says += ": " + advice
	}
	return c.Deny(code, says, said, c.quote(a))
}

// Unreadable returns the error for a success whose body cannot be read.
func (c *Client) Unreadable(a Answer, why error) error {
	says := "its answer to " + a.Request.String() + " is not that of " + c.name
	if !a.JSON() {
		says += "; it is of type " + truncate(a.Type, maxType) + ", perhaps a proxy's or a login page"
	}
	return c.Fail(ecp.CodeUnavailable, says, fmt.Errorf("%w: %w", c.quote(a), why))
}

// quote describes an answer and the beginning of its body for the log. It redacts the body
// before it truncates it, so that no half of a secret is left.
func (c *Client) quote(a Answer) error {
	says := fmt.Sprintf("%s: %d %s", a.Request, a.Status, truncate(a.Type, maxType))
	if len(a.Body) == 0 {
		return errors.New(says)
	}
	return fmt.Errorf("%s: %q", says, truncate(c.hide.redact(string(a.Body[:min(len(a.Body), maxRefusal)])), maxQuote))
}

// truncate cuts s after n bytes.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// oneLine replaces white space and control characters by single spaces.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// How many forms of secrets are kept: those of the credentials, which come first, and those
// of the latest tokens.
const (
	credentialForms = 9
	maxSecrets      = 32
)

// secrets holds every form in which a secret is sent or may be echoed.
type secrets struct {
	mu    sync.Mutex
	known []string          // guarded by mu
	hide  *strings.Replacer // guarded by mu
}

func secretsOf(c ecp.Credentials) *secrets {
	s := &secrets{hide: strings.NewReplacer()}
	if c != (ecp.Credentials{}) {
		s.add(strings.TrimPrefix(BasicHeader(c), "Basic "))
		s.add(c.Password)
		s.add(c.Username)
	}
	return s
}

// add adds one more secret, also in its JSON form.
func (s *secrets) add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if quoted, err := json.Marshal(secret); err == nil && !slices.Contains(s.known, secret) {
		s.known = append(s.known, string(quoted[1:len(quoted)-1]), secret)
		if line := oneLine(secret); line != secret { // a license file has several lines
			s.known = append(s.known, line)
		}
	}
	if len(s.known) > maxSecrets { // tokens that expired long ago
		s.known = slices.Delete(s.known, credentialForms, len(s.known)-maxSecrets+credentialForms)
	}
	var pairs []string
	for _, k := range s.known {
		if k != "" {
			pairs = append(pairs, k, "[redacted]")
		}
	}
	s.hide = strings.NewReplacer(pairs...)
}

func (s *secrets) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hide.Replace(text)
}
