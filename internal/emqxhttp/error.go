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

// Bounds of what an answer may put into an error.
const (
	mostQuote = 200 // bytes of a body
	mostType  = 60  // bytes of a content type
	mostCause = 600 // bytes of a cause's text
)

// Say makes what a broker says fit for a message: one line, short, without
// credentials.
func (c *Client) Say(words string) string { return short(c.hide.in(printable(words)), mostQuote) }

// Hide keeps a secret out of every error from now on, as the credentials are.
func (c *Client) Hide(secret string) { c.hide.add(secret) }

// Fail gives an error whose message begins with whom was spoken to. The
// cause's text is kept for the log, shortened and without credentials; an
// [ecp.BrokerError], which is fit for both, is the cause itself.
func (c *Client) Fail(code ecp.Code, says string, why error) error {
	e := &ecp.Error{Code: code, Op: "ask " + c.name + " at " + c.base, Message: says}
	var said *ecp.BrokerError
	switch {
	case errors.As(why, &said):
		e.Cause = said
	case why != nil:
		e.Cause = &cause{text: short(c.hide.in(printable(why.Error())), mostCause), err: why}
	}
	return e
}

// Deny is Fail for what the broker itself refused, in its words.
func (c *Client) Deny(code ecp.Code, says string, said ecp.BrokerError, why error) error {
	err := c.Fail(code, says, why)
	said.Code, said.Message = c.Say(said.Code), c.Say(said.Message)
	var e *ecp.Error
	switch {
	case !errors.As(err, &e):
	case e.Cause == nil:
		e.Cause = &said
	default:
		e.Cause = &refusal{e.Cause, &said}
	}
	return err
}

// refusal is a cause that knows what the broker said.
type refusal struct {
	error
	said *ecp.BrokerError
}

// Unwrap gives both.
func (r *refusal) Unwrap() []error { return []error{r.error, r.said} }

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
	{is(errTooLong), "gave an answer that is longer than it may be"},
	{is(syscall.ECONNREFUSED), "connection refused; check that EMQX runs and that its management API has this port"},
	{as[*net.DNSError], "its host name is not known"},
	{is(http.ErrSchemeMismatch), "speaks plain HTTP there; use http://"},
	{as[x509.HostnameError], "its certificate is for other names than the one in the URL; use a name that it has, or give EMQX a certificate for this one"},
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

// refusals is what a status means that the major has no better word for; the
// first row that fits counts.
var refusals = []struct {
	fits   func(a Answer) bool
	code   ecp.Code
	advice func(c *Client, a Answer, checks Checks) string
}{
	{has(http.StatusUnauthorized), ecp.CodeDenied, func(_ *Client, _ Answer, k Checks) string { return "it does not accept the credentials; " + k.Login }},
	{has(http.StatusForbidden), ecp.CodeDenied, func(_ *Client, a Answer, k Checks) string {
		return "the credentials do not allow " + a.Request.String() + "; " + k.Role
	}},
	{has(http.StatusNotFound), ecp.CodeUnsupported, func(c *Client, _ Answer, _ Checks) string {
		return "there is no " + c.name + " management API at this address; check the port and the version"
	}},
	{has(http.StatusMethodNotAllowed), ecp.CodeUnsupported, func(_ *Client, a Answer, _ Checks) string {
		return "this version does not take " + a.Request.String()
	}},
	{func(a Answer) bool { return a.Status/100 == 3 }, ecp.CodeUnsupported, func(c *Client, _ Answer, _ Checks) string {
		return "it redirects elsewhere; give the address of " + c.name + " itself"
	}},
	{func(a Answer) bool { return a.Status/100 == 5 || a.Status == http.StatusTooManyRequests }, ecp.CodeUnavailable, nil},
	{func(a Answer) bool { return a.Status/100 == 4 && a.Request.method() != http.MethodGet }, ecp.CodeInvalid, nil},
	{func(Answer) bool { return true }, ecp.CodeInternal, nil},
}

func has(status int) func(Answer) bool { return func(a Answer) bool { return a.Status == status } }

// Refused gives the error for an answer that is no success. said is what the
// broker itself says; its status is filled in.
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
	return c.RefusedAs(a, ecp.CodeInternal, "", said) // the last row fits always
}

// RefusedAs is Refused where the major knows better what the answer means and
// what to do; advice "" = nothing to add to the broker's words.
func (c *Client) RefusedAs(a Answer, code ecp.Code, advice string, said ecp.BrokerError) error {
	said.Status = a.Status
	says := fmt.Sprintf("answered %d", a.Status)
	if words := said.Error(); words != "" {
		says += " (" + c.Say(words) + ")"
	}
	if advice != "" {
		says += ": " + advice
	}
	return c.Deny(code, says, said, c.quote(a))
}

// Unreadable gives the error for a success whose body makes no sense.
func (c *Client) Unreadable(a Answer, why error) error {
	says := "its answer to " + a.Request.String() + " is not that of " + c.name
	if !a.JSON() {
		says += "; it is of type " + short(a.Type, mostType) + ", perhaps a proxy's or a login page"
	}
	return c.Fail(ecp.CodeUnavailable, says, fmt.Errorf("%w: %w", c.quote(a), why))
}

// quote gives what answered and how its body begins, for the log. The body is
// cut after credentials are hidden, so that no half of them is left.
func (c *Client) quote(a Answer) error {
	says := fmt.Sprintf("%s: %d %s", a.Request, a.Status, short(a.Type, mostType))
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

// How many forms of secrets are kept in mind: those of the credentials, which
// come first, and of the latest tokens.
const (
	ofCredentials = 9
	mostSecrets   = 32
)

// secrets knows every form in which what must not be shown is sent or echoed.
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

// add hides one more secret, also as JSON has it.
func (s *secrets) add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if quoted, err := json.Marshal(secret); err == nil && !slices.Contains(s.known, secret) {
		s.known = append(s.known, string(quoted[1:len(quoted)-1]), secret)
		if line := printable(secret); line != secret { // a licence file's lines
			s.known = append(s.known, line)
		}
	}
	if len(s.known) > mostSecrets { // tokens that ended long ago
		s.known = slices.Delete(s.known, ofCredentials, len(s.known)-mostSecrets+ofCredentials)
	}
	var pairs []string
	for _, k := range s.known {
		if k != "" {
			pairs = append(pairs, k, "[redacted]")
		}
	}
	s.hide = strings.NewReplacer(pairs...)
}

func (s *secrets) in(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hide.Replace(text)
}
