package emqxv5

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

var checks = emqxhttp.Checks{
	Login: "check API key and secret, and that the key is enabled and not expired",
	Role:  "give the API key the role administrator, or viewer where nothing is to be changed, and, where keys have scopes, at least monitoring, cluster_operations, system, data_integration and license",
}

// refusals are what a broker's words mean. A row fits where its status and its
// code are those of the answer, and its words are in the message; "" and 0 fit
// all. The first row that fits counts; what none fits is meant as the status
// says.
var refusals = []struct {
	status int
	code   string
	words  string
	means  ecp.Code
	advice string // what to do
}{
	{401, "API_KEY_NOT_ALLOW", "", ecp.CodeDenied, "an API key may never make this call; give name and password of a dashboard user"},
	{401, "BAD_USERNAME_OR_PWD", "", ecp.CodeDenied, "check name and password of the dashboard user; from 5.9 on EMQX locks a user for ten minutes after five wrong ones"},
	{0, "LOGIN_LOCKED", "", ecp.CodeDenied, "the dashboard user is locked, as from 5.9 on for ten minutes after five wrong passwords; correct the password, then wait, or make an API key"},
	{0, "BAD_MFA_TOKEN", "", ecp.CodeDenied, "the dashboard user needs a second factor, which no program has; make an API key"},
	{401, "BAD_TOKEN", "", ecp.CodeDenied, "each login ends as soon as it is made; check that the user was not removed"},
	{401, "TOKEN_TIME_OUT", "", ecp.CodeDenied, "each login ends as soon as it is made; check dashboard.token_expired_time"},

	{0, "BAD_RPC", "", ecp.CodeUnavailable, "a node of the cluster did not answer the one that was asked"},
	{0, "RPC_ERROR", "", ecp.CodeUnavailable, "a node of the cluster did not answer the one that was asked"},
	{0, "NODE_DOWN", "", ecp.CodeUnavailable, "a node of the cluster is down"},

	{400, "", "eviction_agent_busy", ecp.CodeConflict, "a rebalance or a purge is under way on the node; end it first"},
	{400, "", "nodedown", ecp.CodeUnavailable, "the node cannot be reached from the cluster: check that it runs, its name, and that it has the cluster's cookie"},
	{400, "", "single node license", ecp.CodeUnsupported, "the licence allows one node only; load one for several nodes first"},
	{400, "", "Can't leave self", ecp.CodeInvalid, "it is the node that answers; ask another member to remove it"},
	{400, "", "SINGLE_NODE_LICENSE", ecp.CodeInvalid, "that licence allows one node only and the cluster has more; give one for several nodes"},
	{400, "", "Bad license key", ecp.CodeInvalid, "check that the key is whole, not expired, and one for EMQX 5 or later"},
	{400, "", "Bad license setting", ecp.CodeInvalid, "the low watermark has to be below the high one"},
	{400, "NOT_FOUND", "", ecp.CodeNotFound, "name nodes that run"},
	{400, "", "invalid_listener_id", ecp.CodeInvalid, "an id is a type (tcp, ssl, ws, wss, quic), a colon and a name; Listeners has those there are"},
	{400, "", "unknown listener type", ecp.CodeInvalid, "the type is tcp, ssl, ws, wss or quic; Listeners has the ids there are"},

	{404, "BAD_LISTENER_ID", "", ecp.CodeNotFound, "Listeners has the ids"},
	{404, "NOT_FOUND", "Node not found", ecp.CodeNotFound, "Describe has the names; a node that is stopped is not found either"},
	{404, "NOT_FOUND", "", ecp.CodeNotFound, ""},
	{409, "", "", ecp.CodeConflict, ""},
}

// alreadySo are the words of refusals that say that nothing is left to do.
var alreadySo = []struct {
	method, suffix string // of the request
	words          string
}{
	{http.MethodPost, "/evacuation/start", "already_started"},
	{http.MethodPost, "/evacuation/stop", "not_started"},
	{http.MethodPut, "/invite", "already_in_cluster"},
	{http.MethodPut, "/invite", "Cannot invite self"},
	{http.MethodDelete, "/force_leave", "node_not_in_cluster"},
}

// Words of the broker for a path it does not know. It says so with a page for
// people, or in JSON to who asks for that; and so it does for every path while
// the listener is up and the API is not yet.
const (
	bootPage    = "404 - NOT FOUND"
	pathMissing = "Request Path Not Found"
)

// booting says that an answer is that of a broker on its way up.
func booting(status int, kind string) bool {
	return status == http.StatusNotFound && kind == "text/html"
}

// said reads a refusal: a code in capitals, and a message that may be anything.
// That of a crash is a trace, which tells nobody anything.
func said(body []byte) ecp.BrokerError {
	var r struct {
		Code    emqxhttp.Words `json:"code"` // e.g. "BAD_API_KEY_OR_SECRET"
		Message emqxhttp.Words `json:"message"`
	}
	_ = json.Unmarshal(body, &r) // a body without a code is answered for by its status
	if r.Code == "INTERNAL_ERROR" {
		r.Message = ""
	}
	return ecp.BrokerError{Code: string(r.Code), Message: string(r.Message)}
}

// payload gives the body of a success; the error says what another answer
// means.
func (b *broker) payload(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
	if a.OK() {
		return a.Body, nil
	}
	return nil, b.refused(ctx, a)
}

// refused gives the error for an answer that is no success.
func (b *broker) refused(ctx context.Context, a emqxhttp.Answer) error {
	words := said(a.Body)
	switch {
	case starting(a):
		return b.client.Fail(ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major: there is no "+a.Request.Path, nil)
	case a.Status == http.StatusNotFound && words.Message == pathMissing:
		return b.lacks(ctx, a, words)
	case a.Status == http.StatusNotFound && a.Request.Path == nodesPath && b.client.Speaks(ctx, olderPath):
		return older(b.client)
	}
	return refusal(b.client, a, words)
}

// starting says that an answer is the page of a broker on its way up.
func starting(a emqxhttp.Answer) bool {
	return booting(a.Status, a.Type) && bytes.Contains(a.Body, []byte(bootPage))
}

// older gives the error for an EMQX of the major before.
func older(c *emqxhttp.Client) error {
	return c.Fail(ecp.CodeUnsupported, "an EMQX 4 answers there; needed "+managed.String(), nil)
}

// refusal gives the error for what a broker says.
func refusal(c *emqxhttp.Client, a emqxhttp.Answer, words ecp.BrokerError) error {
	for _, r := range refusals {
		if (r.status == 0 || r.status == a.Status) && (r.code == "" || r.code == words.Code) && strings.Contains(words.Message, r.words) {
			return c.RefusedAs(a, r.means, r.advice, words)
		}
	}
	return c.Refused(a, checks, words)
}

// errNotIt says of a success that it is somebody else's: a proxy's, or that of
// another API.
var errNotIt = errors.New("it has nothing of what this call answers")

// do makes a request whose answer says nothing but that it was done, or that
// nothing was left to do.
func (b *broker) do(ctx context.Context, r emqxhttp.Request) error {
	a, err := b.client.Do(ctx, r)
	switch {
	case err != nil:
		return err
	case a.OK() && !a.JSON() && len(bytes.TrimSpace(a.Body)) > 0:
		return b.client.Unreadable(a, errNotIt)
	case a.OK():
		return nil
	}
	words := said(a.Body)
	for _, row := range alreadySo {
		if row.method == r.Method && strings.HasSuffix(r.Path, row.suffix) && strings.Contains(words.Message, row.words) {
			return nil
		}
	}
	return b.refused(ctx, a)
}

// ask makes a request and decodes its answer.
func ask[T any](ctx context.Context, b *broker, r emqxhttp.Request, decode func([]byte) (T, error)) (T, error) {
	return emqxhttp.Ask(ctx, b.client, r, b.payload, decode)
}

// invalid gives the error for what was asked of us.
func invalid(op, field, message string) error {
	return &ecp.Error{Code: ecp.CodeInvalid, Op: op, Fields: []ecp.FieldError{{Field: field, Message: message}}, Message: "cannot be done so"}
}
