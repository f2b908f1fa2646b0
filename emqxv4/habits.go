package emqxv4

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// What people should check when the broker refuses, by what they gave.
var (
	checksKey = emqxhttp.Checks{
		Login: "check AppID and AppSecret, and that the application is enabled and not expired (port 18083 takes a dashboard user instead)",
		Role:  "give it an application that may do so",
	}
	checksUser = emqxhttp.Checks{
		Login: "check the dashboard user's name and password, and that the user is not locked (port 8081 takes an AppID and its AppSecret instead)",
		Role:  "give it a dashboard user with the role Administrator",
	}
	checksAny = emqxhttp.Checks{
		Login: "check AppID and AppSecret (on port 18083: a dashboard user's name and password), and that the application is enabled and not expired",
		Role:  "give it an application, or a dashboard user with the role Administrator",
	}
)

// checksOf gives the advice for credentials.
func checksOf(login ecp.Credentials) emqxhttp.Checks {
	switch login.Kind {
	case ecp.CredentialKey:
		return checksKey
	case ecp.CredentialUser:
		return checksUser
	}
	return checksAny
}

// Words of refusals that say that what was asked is so already.
var (
	evacuatedAlready = []string{"already_started"}
	evacuatedNot     = []string{"not_started"}
	memberAlready    = []string{"already_in_cluster", "already in cluster"}
	memberNot        = []string{"not_in_cluster", "not in cluster"}
)

// Codes of business errors. 101 to 116 are EMQX's own, others are those of
// HTTP.
var (
	refusedLogin = []string{"103", "104", "401", "403"}
	badRequest   = []string{"107", "108", "109", "115", "116", "400"}
)

// nodeAway are words that say that another node did not answer the one that
// was asked.
var nodeAway = []string{"nodedown", "node_down", "badrpc", "bad_rpc", "bad rpc", "timeout", "noproc"}

// meaning is what a business error is to whoever asked; the first row that
// fits counts.
var meaning = []struct {
	fits   func(c call, r refusal) bool
	code   ecp.Code
	advice string
}{
	{func(_ call, r refusal) bool { return r.has(nodeAway) || r.code == "101" }, ecp.CodeUnavailable, "a node that has to take part does not answer"},
	{func(_ call, r refusal) bool { return r.code == "404" || r.has([]string{"not_found", "not found"}) }, ecp.CodeNotFound, "it has no such thing"},
	{func(c call, r refusal) bool { return c.wrong != "" && r.said() }, ecp.CodeInvalid, ""},
	{func(c call, r refusal) bool { return c.mutates() && slices.Contains(badRequest, r.code) }, ecp.CodeInvalid, "it does not take that"},
	{func(call, refusal) bool { return true }, ecp.CodeUnavailable, ""},
}

// payload gives the data of a success: status 200 and code 0. Business errors
// come with 200 as well, with a number or a word as code or with none; other
// errors are plain text.
func (b *broker) payload(ctx context.Context, c call, a emqxhttp.Answer) ([]byte, error) {
	a.Body = hideLines(a.Body, c.secret)
	switch {
	case unknownCall(a):
		return nil, b.missing(ctx, c, a)
	case !a.OK() && refusalIn(a).has(c.already):
		return nil, nil
	case !a.OK():
		return nil, b.refused(a)
	case !a.JSON():
		return nil, b.client.Unreadable(a, errNoJSON)
	case c.bare:
		return a.Body, nil
	}
	data, said, err := decodeEnvelope(a.Body)
	switch {
	case err != nil:
		return nil, b.client.Unreadable(a, err)
	case said == nil && c.whole:
		return a.Body, nil
	case said == nil, said.has(c.already):
		return data, nil
	}
	return nil, b.deny(c, a, *said)
}

// hideLines takes the longer lines of a secret out of an answer.
func hideLines(body []byte, secret string) []byte {
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= 12 {
			body = bytes.ReplaceAll(body, []byte(line), []byte("[redacted]"))
		}
	}
	return body
}

var errNoJSON = errors.New("it is not JSON")

// unknownCall says that the management API answers that it has no such call:
// one that this version, edition or set of plugins lacks, or one that names a
// node it has never heard of. Below other paths its 404 is empty.
func unknownCall(a emqxhttp.Answer) bool {
	return a.Status == http.StatusNotFound && bytes.HasPrefix(a.Body, []byte("Not found"))
}

// refused gives the error for an answer whose status is no success.
func (b *broker) refused(a emqxhttp.Answer) error {
	r := refusalIn(a)
	return b.client.Refused(a, b.checks, ecp.BrokerError{Code: r.code, Message: r.message})
}

// refusalIn is the business error in an answer whose status is no success,
// should a version send one there; empty where it is none.
func refusalIn(a emqxhttp.Answer) refusal {
	if _, r, err := decodeEnvelope(a.Body); err == nil && r != nil {
		return *r
	}
	return refusal{}
}

// deny gives the error for a business error.
func (b *broker) deny(c call, a emqxhttp.Answer, r refusal) error {
	said := ecp.BrokerError{Status: a.Status, Code: r.code, Message: r.message}
	if slices.Contains(refusedLogin, r.code) {
		a.Status = http.StatusUnauthorized
		return b.client.Refused(a, b.checks, said)
	}
	for _, row := range meaning {
		if !row.fits(c, r) {
			continue
		}
		says := "it refused " + a.Request.String()
		if advice := cmp.Or(row.advice, c.wrong); advice != "" {
			says += ": " + advice
		}
		return b.client.Deny(row.code, says+" ("+b.client.Say(r.String())+")", said, errors.New(a.Request.String()+": "+r.String()))
	}
	return nil // the last row fits always
}

// missing gives the error for a call that the broker does not know: what it
// lacks, or that there is no such node.
func (b *broker) missing(ctx context.Context, c call, a emqxhttp.Answer) error {
	if c.needs.what == "" { // asked to learn what the broker is
		return b.client.Refused(a, b.checks, ecp.BrokerError{})
	}
	version, edition, err := b.known.What(ctx, b.describe)
	if err != nil {
		return err
	}
	said, why := ecp.BrokerError{Status: a.Status, Message: "Not found."}, errors.New(a.Request.String()+" is answered with 404")
	if c.node != "" && c.needs.Met(version, edition) {
		d, err := b.describe(ctx)
		if err != nil {
			return err
		}
		if !hasNode(d, c.node) {
			return b.client.Deny(ecp.CodeNotFound, "it knows no node "+c.node+"; those that run are "+nodeNames(d), said, why)
		}
	}
	n := c.needs
	if n.what == always.what {
		n.what += " " + a.Request.String()
	}
	return b.client.Deny(ecp.CodeUnsupported, n.unsupported(version, edition), said, why)
}

// byHand gives the error for what no call of this major does, which says how it
// is done.
func (b *broker) byHand(ctx context.Context, says string) error {
	if err := b.client.Ended(ctx); err != nil {
		return err
	}
	return b.client.Fail(ecp.CodeUnsupported, says, nil)
}

func hasNode(d ecp.Description, name string) bool {
	return slices.ContainsFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == name })
}

// nodeNames are those of the nodes that run, fit for a message.
func nodeNames(d ecp.Description) string {
	var names []string
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning {
			names = append(names, n.Name)
		}
	}
	return strings.Join(names, ", ")
}

// refusal is a business error as the broker words it.
type refusal struct{ code, message string }

// String gives both, e.g. "nodedown, code 101".
func (r refusal) String() string {
	return strings.TrimPrefix(r.message+", code "+r.code, ", ")
}

// said says that the code is one a broker has: a number, an atom, or none.
func (r refusal) said() bool {
	return !strings.ContainsFunc(r.code, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// has says that the message has one of some words in it. It is matched as
// text because the broker gives no better: code 400 stands for all of them.
func (r refusal) has(words []string) bool {
	message := strings.ToLower(r.message)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(message, w) })
}

// decodeEnvelope opens {"code":0,"data":…}; the refusal is nil for a success.
func decodeEnvelope(body []byte) (json.RawMessage, *refusal, error) {
	var e struct {
		Code    json.RawMessage `json:"code"`
		Data    json.RawMessage `json:"data"`
		Message words           `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, nil, err
	}
	switch {
	case string(e.Code) == "0":
		return e.Data, nil, nil
	case len(e.Code) == 0 && e.Message == "":
		return nil, nil, errors.New("it has neither code nor message")
	}
	said := &refusal{code: "missing", message: string(e.Message)}
	if len(e.Code) > 0 && json.Unmarshal(e.Code, &said.code) != nil {
		said.code = string(e.Code)
	}
	if said.code == "" {
		said.code = "empty"
	}
	return nil, said, nil
}

// words are a string, or anything else as it is written. Before 4.4.17 messages
// may come as Erlang has them, as lists of characters and of such lists.
type words string

// UnmarshalJSON never fails.
func (w *words) UnmarshalJSON(b []byte) error {
	var list []any
	var s strings.Builder
	if json.Unmarshal(b, &list) == nil && flatten(&s, list) {
		*w = words(s.String())
		return nil
	}
	var plain emqxhttp.Words
	err := plain.UnmarshalJSON(b)
	*w = words(plain)
	return err
}

// plain is a string exactly as it is, or anything else as it is written: ids,
// which are sent back, and what has lines.
type plain string

// UnmarshalJSON never fails.
func (p *plain) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	*p = plain(s) // empty for null
	return nil
}

// flatten writes a list of characters out; false where it is none.
func flatten(s *strings.Builder, v any) bool {
	switch v := v.(type) {
	case string:
		s.WriteString(v)
		return true
	case float64:
		c := rune(v)
		s.WriteRune(c)
		return float64(c) == v && c >= ' '
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !flatten(s, e) })
	}
	return false
}
