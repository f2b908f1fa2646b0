package emqxv4

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// What people should check when the broker refuses, by the kind of their credentials.
var (
	checksKey = emqxhttp.Checks{
		Login: "check AppID and AppSecret, and that the application is enabled and not expired (port 18083 takes a " +
			"dashboard user instead)",
		Role: "give it an application that may do so",
	}
	checksUser = emqxhttp.Checks{
		Login: "check the dashboard user's name and password, and that the user is not locked (port 8081 takes " +
			"an AppID " +
			"and its AppSecret instead)",
		Role: "give it a dashboard user with the role Administrator",
	}
	checksAny = emqxhttp.Checks{
		Login: "check AppID and AppSecret (on port 18083: a dashboard user's name and password), and that the " +
			"application is enabled and not expired",
		Role: "give it an application, or a dashboard user with the role Administrator",
	}
)

// checksOf returns the advice for credentials.
func checksOf(login ecp.Credentials) emqxhttp.Checks {
	switch login.Kind {
	case ecp.CredentialKey:
		return checksKey
	case ecp.CredentialUser:
		return checksUser
	}
	return checksAny
}

// Messages of refusals that say that nothing is left to do.
var (
	startedAlready = []string{"already_started"}
	evacuatedNot   = []string{"not_started"}
	memberAlready  = []string{"already_in_cluster", "already in cluster"}
	memberNot      = []string{"not_in_cluster", "not in cluster"}
)

// Codes of business errors. EMQX's own codes are 101 to 116, the others are those of HTTP.
var (
	refusedLogin = []string{"103", "104", "401", "403"}
	badRequest   = []string{"107", "108", "109", "115", "116", "400"}
)

// nodeDownWords are messages that say that another node did not answer.
var nodeDownWords = []string{"nodedown", "node_down", "badrpc", "bad_rpc", "bad rpc", "timeout", "noproc"}

// errorMeanings explains business errors. The first row that fits counts.
var errorMeanings = []struct {
	fits   func(c call, r refusal) bool
	code   ecp.Code
	advice string
}{
	{func(_ call, r refusal) bool { return r.mentions(nodeDownWords) || r.code == "101" }, ecp.CodeUnavailable,
		"a node that has to take part does not answer"},
	{func(_ call, r refusal) bool { return r.code == "404" || r.mentions([]string{"not_found", "not found"}) },
		ecp.CodeNotFound, "it has no such thing"},
	{func(c call, r refusal) bool { return c.refusalMeaning != "" && r.hasBrokerCode() }, ecp.CodeInvalid, ""},
	{func(c call, r refusal) bool { return c.mutates() && slices.Contains(badRequest, r.code) }, ecp.CodeInvalid,
		"it refuses such a request"},
	{func(call, refusal) bool { return true }, ecp.CodeUnavailable, ""},
}

var errNoJSON = errors.New("it is not JSON")

// unknownCall reports whether the API does not know a call: this version, edition or set of
// plugins lacks it, or it names an unknown node. Below other paths the body of a 404 is
// empty.
func unknownCall(a emqxhttp.Answer) bool {
	return a.Status == http.StatusNotFound && bytes.HasPrefix(a.Body, []byte("Not found"))
}

// refused returns the error for an answer with an unsuccessful status.
func (b *broker) refused(a emqxhttp.Answer) error {
	r := refusalIn(a)
	return b.client.Refused(a, b.checks, ecp.BrokerError{Code: r.code, Message: r.message})
}

// refusalIn returns the business error in an answer with an unsuccessful status, which some
// version might send. It is empty if there is none.
func refusalIn(a emqxhttp.Answer) refusal {
	if _, r, err := decodeEnvelope(a.Body); err == nil && r != nil {
		return *r
	}
	return refusal{}
}

// refusalError returns the error for a business error.
func (b *broker) refusalError(c call, a emqxhttp.Answer, r refusal) error {
	said := ecp.BrokerError{Status: a.Status, Code: r.code, Message: r.message}
	if slices.Contains(refusedLogin, r.code) {
		a.Status = http.StatusUnauthorized
		return b.client.Refused(a, b.checks, said)
	}
	for _, row := range errorMeanings {
		if !row.fits(c, r) {
			continue
		}
		says := "it refused " + a.Request.String()
		if advice := cmp.Or(row.advice, c.refusalMeaning); advice != "" {
			says += ": " + advice
		}
		return b.client.Deny(row.code, says+" ("+b.client.Sanitize(r.String())+")", said,
			errors.New(a.Request.String()+": "+r.String()))
	}
	return nil // the last row always fits
}

// unknownCallError returns the error for a call that the broker does not know. It says what
// the broker lacks, or that there is no such node.
func (b *broker) unknownCallError(ctx context.Context, c call, a emqxhttp.Answer) error {
	if c.requires.what == "" { // the call that detects what the broker is
		return b.client.Refused(a, b.checks, ecp.BrokerError{})
	}
	version, edition, err := b.known.Get(ctx, b.describe)
	if err != nil {
		return err
	}
	said, why := ecp.BrokerError{Status: a.Status, Message: "Not found."},
		errors.New(a.Request.String()+" is answered with 404")
	if c.node != "" && c.requires.Met(version, edition) {
		d, err := b.describe(ctx)
		if err != nil {
			return err
		}
		if !hasNode(d, c.node) {
			return b.client.Deny(ecp.CodeNotFound, "it has no node "+c.node+"; those that run are "+nodeNames(d), said,
				why)
		}
	}
	n := c.requires
	if n.what == always.what {
		n.what += " " + a.Request.String()
	}
	return b.client.Deny(ecp.CodeUnsupported, n.unsupported(version, edition), said, why)
}

// manualError returns the error for a task that no call of this major does. says explains
// how to do it by hand.
func (b *broker) manualError(ctx context.Context, says string) error {
	if err := b.client.CallerGone(ctx); err != nil {
		return err
	}
	return b.client.Fail(ecp.CodeUnsupported, says, nil)
}

func hasNode(d ecp.Description, name string) bool {
	return slices.ContainsFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == name })
}

// nodeNames returns the names of the running nodes for a message.
func nodeNames(d ecp.Description) string {
	var names []string
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning {
			names = append(names, n.Name)
		}
	}
	return strings.Join(names, ", ")
}

// refusal is a business error.
type refusal struct{ code, message string }

// String returns message and code, e.g. "nodedown, code 101".
func (r refusal) String() string {
	return strings.TrimPrefix(r.message+", code "+r.code, ", ")
}

// hasBrokerCode reports whether the code is one that a broker sends: a number, an atom, or
// none.
func (r refusal) hasBrokerCode() bool {
	return !strings.ContainsFunc(r.code, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// mentions reports whether the message contains one of some words. The code alone does not
// say enough: 400 stands for many different refusals.
func (r refusal) mentions(words []string) bool {
	message := strings.ToLower(r.message)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(message, w) })
}
