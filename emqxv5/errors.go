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
	Role: "give the API key the role administrator, or viewer where nothing is to be changed, and, where keys have " +
		"scopes, at least monitoring, cluster_operations, system, data_integration and license",
}

// refusals explains refusals. A row fits if its status and code are those of the answer and
// the message contains its words; zero fields fit any answer. The first row that fits
// counts. Without one the status decides.
var refusals = []struct {
	status int
	code   string
	words  string
	means  ecp.Code
	advice string // what to do
}{
	{401, "API_KEY_NOT_ALLOW", "", ecp.CodeDenied, "an API key may never make this call; give name and password of a " +
		"dashboard user"},
	{401, "BAD_USERNAME_OR_PWD", "", ecp.CodeDenied, "check name and password of the dashboard user; from 5.9 on " +
		"EMQX locks a user for ten minutes after five wrong ones"},
	{0, "LOGIN_LOCKED", "", ecp.CodeDenied, "the dashboard user is locked, as from 5.9 on for ten minutes after five " +
		"wrong passwords; correct the password, then wait, or make an API key"},
	{0, "BAD_MFA_TOKEN", "", ecp.CodeDenied, "the dashboard user needs a second factor, which no program has; make " +
		"an API key"},
	{401, "BAD_TOKEN", "", ecp.CodeDenied, "each login ends as soon as it is made; check that the user was " +
		"not removed"},
	{401, "TOKEN_TIME_OUT", "", ecp.CodeDenied, "each login ends as soon as it is made; check " +
		"dashboard.token_expired_time"},

	{0, "BAD_RPC", "", ecp.CodeUnavailable, "a node of the cluster did not answer the one that was asked"},
	{0, "RPC_ERROR", "", ecp.CodeUnavailable, "a node of the cluster did not answer the one that was asked"},
	{0, "NODE_DOWN", "", ecp.CodeUnavailable, "a node of the cluster is down"},

	{400, "", "eviction_agent_busy", ecp.CodeConflict, "a rebalance or a purge is under way on the node; end it first"},
	{400, "", "nodedown", ecp.CodeUnavailable, "the node cannot be reached from the cluster: check that it runs, its " +
		"name, and that it has the cluster's cookie"},
	{400, "", "single node license", ecp.CodeUnsupported, "the license allows one node only; load one for several " +
		"nodes first"},
	{400, "", "Can't leave self", ecp.CodeInvalid, "it is the node that answers; ask another member to remove it"},
	{400, "", "SINGLE_NODE_LICENSE", ecp.CodeInvalid, "that license allows one node only and the cluster has more; " +
		"give one for several nodes"},
	{400, "", "Bad license key", ecp.CodeInvalid, "check that the key is whole, not expired, and one for EMQX " +
		"5 or later"},
	{400, "", "Bad license setting", ecp.CodeInvalid, "the low watermark has to be below the high one"},
	{400, "NOT_FOUND", "", ecp.CodeNotFound, "name nodes that run"},
	{400, "", "invalid_listener_id", ecp.CodeInvalid, "an id is a type (tcp, ssl, ws, wss, quic), a colon and a " +
		"name; Listeners has those there are"},
	{400, "", "unknown listener type", ecp.CodeInvalid, "the type is tcp, ssl, ws, wss or quic; Listeners has the " +
		"ids there are"},

	{404, "BAD_LISTENER_ID", "", ecp.CodeNotFound, "Listeners has the ids"},
	{404, "NOT_FOUND", "Node not found", ecp.CodeNotFound, "Describe has the names; a node that is stopped is not " +
		"found either"},
	{404, "NOT_FOUND", "", ecp.CodeNotFound, ""},
	{409, "", "", ecp.CodeConflict, ""},
}

// alreadyDone lists the messages of refusals that say that nothing is left to do.
var alreadyDone = []struct {
	method, suffix string // of the request
	words          string
}{
	{http.MethodPost, "/evacuation/start", "already_started"},
	{http.MethodPost, "/evacuation/stop", "not_started"},
	{http.MethodPut, "/invite", "already_in_cluster"},
	{http.MethodPut, "/invite", "Cannot invite self"},
	{http.MethodDelete, "/force_leave", "node_not_in_cluster"},
}

// The broker's answers for a path that it does not know: a web page, or JSON if the request
// accepts it. It sends them for every path while its listener is up and the API has not
// started.
const (
	bootPage    = "404 - NOT FOUND"
	pathMissing = "Request Path Not Found"
)

// booting reports whether an answer comes from a broker that is starting.
func booting(status int, kind string) bool {
	return status == http.StatusNotFound && kind == "text/html"
}

// parseRefusal reads a refusal: a code in capitals, and any message. The message of a crash
// is a stack trace and of no use.
func parseRefusal(body []byte) ecp.BrokerError {
	var r struct {
		Code    emqxhttp.Message `json:"code"` // e.g. "BAD_API_KEY_OR_SECRET"
		Message emqxhttp.Message `json:"message"`
	}
	_ = json.Unmarshal(body, &r) // without a code the status decides
	if r.Code == "INTERNAL_ERROR" {
		r.Message = ""
	}
	return ecp.BrokerError{Code: string(r.Code), Message: string(r.Message)}
}

// payload returns the body of a success, or the error for any other answer.
func (b *broker) payload(ctx context.Context, a emqxhttp.Answer) ([]byte, error) {
	if a.OK() {
		return a.Body, nil
	}
	return nil, b.refused(ctx, a)
}

// refused returns the error for an answer that is not a success.
func (b *broker) refused(ctx context.Context, a emqxhttp.Answer) error {
	words := parseRefusal(a.Body)
	switch {
	case starting(a):
		return b.client.Fail(ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major: "+
			"there is no "+
			a.Request.Path, nil)
	case a.Status == http.StatusNotFound && words.Message == pathMissing:
		return b.unknownPathError(ctx, a, words)
	case a.Status == http.StatusNotFound && a.Request.Path == nodesPath && b.client.AnswersLikeEMQX(ctx, olderPath):
		return olderMajor(b.client)
	}
	return refusal(b.client, a, words)
}

// starting reports whether an answer is the page of a broker that is starting.
func starting(a emqxhttp.Answer) bool {
	return booting(a.Status, a.Type) && bytes.Contains(a.Body, []byte(bootPage))
}

// olderMajor returns the error for an EMQX of the previous major.
func olderMajor(c *emqxhttp.Client) error {
	return c.Fail(ecp.CodeUnsupported, "an EMQX 4 answers there; needed "+managed.String(), nil)
}

// refusal returns the error for the words of a broker.
func refusal(c *emqxhttp.Client, a emqxhttp.Answer, words ecp.BrokerError) error {
	for _, r := range refusals {
		if (r.status == 0 || r.status == a.Status) && (r.code == "" || r.code == words.Code) &&
			strings.Contains(words.Message, r.words) {
			return c.RefusedAs(a, r.means, r.advice, words)
		}
	}
	return c.Refused(a, checks, words)
}

// errNotIt says that a success does not come from this call: from a proxy or another API,
// for example.
var errNotIt = errors.New("it is not an answer to this call")

// do makes a request whose answer has no data. It also succeeds if nothing was left to do.
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
	words := parseRefusal(a.Body)
	for _, row := range alreadyDone {
		if row.method == r.Method && strings.HasSuffix(r.Path, row.suffix) &&
			strings.Contains(words.Message, row.words) {
			return nil
		}
	}
	return b.refused(ctx, a)
}

// query makes a request and decodes its answer.
func query[T any](ctx context.Context, b *broker, r emqxhttp.Request, decode func([]byte) (T, error)) (T, error) {
	return emqxhttp.Query(ctx, b.client, r, b.payload, decode)
}
