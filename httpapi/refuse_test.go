package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spec is a create body with something in its spec.
func spec(more string) string {
	return `{"mode":"hosted","name":"two","spec":{"nodes":1,"connections":10` + more + `}}`
}

func named(name string) string {
	return fmt.Sprintf(`{"mode":"hosted","name":%q,"spec":{"nodes":1,"connections":10}}`, name)
}

// refused is one request that must change nothing.
type refused struct {
	name     string
	token    string // nobody = none
	method   string // "" = POST
	path     string // "" = the clusters
	body     string
	header   map[string]string
	status   int
	code     ecp.Code
	pointers []string
}

// thisID stands for the id of a hosted cluster that is being created.
const thisID = "{this}"

var refusals = []refused{
	// Who asks.
	{name: "no token", token: nobody, body: hostedBody, status: 401, code: ecp.CodeDenied},
	{name: "unknown token", token: "wrong-token-0123456789", body: hostedBody, status: 401, code: ecp.CodeDenied},
	{name: "other scheme", token: nobody, header: map[string]string{"Authorization": "Basic dXNlcjpwdw=="},
		body: hostedBody, status: 401, code: ecp.CodeDenied},
	{name: "empty token", token: nobody, header: map[string]string{"Authorization": "Bearer "}, body: hostedBody,
		status: 401, code: ecp.CodeDenied},
	{name: "endless token", token: strings.Repeat("x", 5000), body: hostedBody, status: 401, code: ecp.CodeDenied},
	{name: "reader creates", token: asUser, body: hostedBody, status: 403, code: ecp.CodeDenied},
	{name: "reader deletes", token: asUser, method: "DELETE", path: clustersPath + "/" + thisID, status: 403,
		code: ecp.CodeDenied},
	{name: "stranger creates", token: asForeign, body: hostedBody, status: 404, code: ecp.CodeNotFound,
		pointers: []string{"/project"}},
	{name: "stranger deletes", token: asForeign, method: "DELETE", path: clustersPath + "/" + thisID, status: 404,
		code: ecp.CodeNotFound},
	{name: "transfer to a stranger", token: asAdmin, path: clustersPath + "/" + thisID + "/transfer",
		body: `{"project":"other/one"}`, status: 404, code: ecp.CodeNotFound, pointers: []string{"/project"}},

	// The body as a whole.
	{name: "no body", status: 400, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "malformed", body: `{"mode":`, status: 400, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "not JSON", body: `mode: hosted`, status: 400, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "trailing", body: named("two") + `{}`, status: 400, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "not UTF-8", body: "{\"mode\":\"hosted\",\"name\":\"\xff\",\"spec\":{}}", status: 400, code: ecp.CodeInvalid,
		pointers: []string{""}},
	{name: "array", body: `[]`, status: 422, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "null", body: `null`, status: 422, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "deep", body: strings.Repeat("[", 20_000), status: 400, code: ecp.CodeInvalid, pointers: []string{""}},
	{name: "10 MiB", body: `{"name":"` + strings.Repeat("x", 10<<20) + `"}`, status: 413, code: ecp.CodeInvalid},
	{name: "form", body: hostedBody, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		status: 415, code: ecp.CodeInvalid, pointers: []string{"/header/Content-Type"}},
	{name: "no content type", body: hostedBody, header: map[string]string{"Content-Type": ""}, status: 415,
		code: ecp.CodeInvalid, pointers: []string{"/header/Content-Type"}},

	// The form of the body.
	{name: "unknown field", body: spec(`,"colour":"red"`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/colour"}},
	{name: "other case", body: strings.Replace(hostedBody, `"name"`, `"Name"`, 1), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/Name"}},
	{name: "twice", body: spec(`,"nodes":2`), status: 422, code: ecp.CodeInvalid, pointers: []string{"/spec/nodes"}},
	{name: "twice in a map", body: spec(`,"config":{"a.b":"1","a.b":"2"}`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/config/a.b"}},
	{name: "wrong types",
		body: `{"mode":"hosted","name":7,"description":true,"spec":{"nodes":"3","connections":1.5,"network":[],` +
			`"config":{"a.b":1},"image":{}}}`, status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/name", "/description", "/spec/nodes", "/spec/connections", "/spec/network",
			"/spec/config/a.b",
			"/spec/image"}},
	{name: "too large a number", body: spec(`,"evacuation":{"rate":99999999999999999999}`), status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/spec/evacuation/rate"}},
	{name: "exponent", body: strings.Replace(hostedBody, "3", "3e0", 1), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/nodes"}},
	{name: "spec of the other mode", body: `{"mode":"hosted","name":"two","spec":{"serviceAddress":"https://x"}}`,
		status: 422, code: ecp.CodeInvalid, pointers: []string{"/spec/serviceAddress"}},
	{name: "strange pointer", body: spec(`,"a/b~c":1`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/a~1b~0c"}},

	// What the fields mean.
	{name: "0 nodes", body: `{"mode":"hosted","name":"two","spec":{"nodes":0,"connections":10}}`, status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/spec/nodes"}},
	{name: "8 nodes", body: `{"mode":"hosted","name":"two","spec":{"nodes":8,"connections":10}}`, status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/spec/nodes"}},
	{name: "no spec", body: `{"mode":"hosted","name":"two"}`, status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/nodes", "/spec/connections"}},
	{name: "no mode", body: `{"name":"two","spec":{"nodes":1,"connections":10}}`, status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/mode"}},
	{name: "unknown mode", body: `{"mode":"rented","name":"two","spec":{"x":1}}`, status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/mode"}},
	{name: "empty name", body: named(""), status: 422, code: ecp.CodeInvalid, pointers: []string{"/name"}},
	{name: "201 characters", body: named(strings.Repeat("集", 201)), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/name"}},
	{name: "illegal name", body: named("a/b"), status: 422, code: ecp.CodeInvalid, pointers: []string{"/name"}},
	{name: "name with a space at its end", body: named("a "), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/name"}},
	{name: "501 characters of description", body: `{"mode":"adopted","name":"two","description":"` + strings.Repeat("x",
		501) + `"}`, status: 422, code: ecp.CodeInvalid, pointers: []string{"/description"}},
	{name: "unknown size", body: spec(`,"size":"9C9G"`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/size"}},
	{name: "unknown image", body: spec(`,"image":"emqx-ee-9"`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/image"}},
	{name: "unknown target", body: spec(`,"target":"moon"`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/target"}},
	{name: "unknown project", token: asSystem, body: strings.Replace(hostedBody, "default/default", "default/nope", 1),
		status: 422, code: ecp.CodeInvalid, pointers: []string{"/project"}},
	{name: "illegal project", token: asSystem, body: strings.Replace(hostedBody, "default/default", "nope", 1),
		status: 422, code: ecp.CodeInvalid, pointers: []string{"/project"}},
	{name: "illegal listener",
		body:     spec(`,"network":{"listeners":[{"protocol":"mqtt","port":70000},{"protocol":"coap","port":1}]}`),
		status:   422,
		code:     ecp.CodeInvalid,
		pointers: []string{"/spec/network/listeners/0/port", "/spec/network/listeners/1/protocol"}},
	{name: "illegal config", body: spec(`,"config":{"node.cookie":"x"}`), status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/spec/config/node.cookie"}},
	{name: "illegal address", body: `{"mode":"adopted","name":"two","spec":{"serviceAddress":"ftp://x"}}`, status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/spec/serviceAddress"}},
	{name: "more than the pool", body: `{"mode":"hosted","name":"two","spec":{"nodes":1,"connections":99999}}`,
		status: 422, code: ecp.CodeQuotaExceeded, pointers: []string{"/spec/connections"}},
	{name: "more than one cluster may have",
		body: `{"mode":"hosted","name":"two","spec":{"nodes":1,"connections":9001}}`, status: 422,
		code: ecp.CodeQuotaExceeded, pointers: []string{"/spec/connections"}},
	{name: "duplicate name", body: named("one"), status: 409, code: ecp.CodeExists, pointers: []string{"/name"}},

	// Which one.
	{name: "unknown path", method: "GET", path: "/api/v1/nothing", status: 404, code: ecp.CodeNotFound},
	{name: "path with a slash at its end", method: "GET", path: clustersPath + "/", status: 404,
		code: ecp.CodeNotFound},
	{name: "path that is not clean", method: "GET", path: "/api//v1/clusters", status: 404, code: ecp.CodeNotFound},
	{name: "unknown cluster", method: "GET", path: clustersPath + "/emqx-00000000", status: 404,
		code: ecp.CodeNotFound},
	{name: "no cluster's id", method: "GET", path: clustersPath + "/EMQX-1", status: 404, code: ecp.CodeNotFound},
	{name: "escaped id", method: "DELETE", path: clustersPath + "/emqx-%2e%2e%2f", status: 404, code: ecp.CodeNotFound},
	{name: "operations of no cluster", method: "GET", path: clustersPath + "/emqx-00000000/operations", status: 404,
		code: ecp.CodeNotFound},
	{name: "unknown operation", method: "GET", path: operationsPath + "/op-0000000000000000", status: 404,
		code: ecp.CodeNotFound},
	{name: "no operation's id", method: "GET", path: operationsPath + "/7", status: 404, code: ecp.CodeNotFound},
	{name: "delete of an unknown one", method: "DELETE", path: clustersPath + "/emqx-00000000", status: 404,
		code: ecp.CodeNotFound},
	{name: "method of no route", method: "PUT", path: clustersPath + "/" + thisID, status: 405,
		code: ecp.CodeUnsupported},
	{name: "delete of all", method: "DELETE", path: clustersPath, status: 405, code: ecp.CodeUnsupported},
	{name: "restart while it is made", path: clustersPath + "/" + thisID + "/restart", status: 409,
		code: ecp.CodeConflict},

	// Commands.
	{name: "illegal command", path: clustersPath + "/" + thisID + "/repair", status: 409, code: ecp.CodeConflict},
	{name: "command with a field", path: clustersPath + "/" + thisID + "/stop", body: `{"force":true}`, status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/force"}},
	{name: "transfer to nowhere", path: clustersPath + "/" + thisID + "/transfer", status: 400, code: ecp.CodeInvalid,
		pointers: []string{""}},
	{name: "transfer to no project", token: asSystem, path: clustersPath + "/" + thisID + "/transfer",
		body: `{"project":"a/b"}`, status: 422, code: ecp.CodeInvalid, pointers: []string{"/project"}},

	// Parameters.
	{name: "unknown parameter", method: "GET", path: clustersPath + "?colour=red", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/colour"}},
	{name: "parameter of another route", path: clustersPath + "?force=true", body: hostedBody, status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/force"}},
	{name: "parameter twice", method: "GET", path: clustersPath + "?limit=1&limit=2", status: 422,
		code:     ecp.CodeInvalid,
		pointers: []string{"/query/limit"}},
	{name: "malformed query", method: "GET", path: clustersPath + "?q=%zz", status: 400, code: ecp.CodeInvalid,
		pointers: []string{"/query"}},
	{name: "dryRun without a value", method: "DELETE", path: clustersPath + "/" + thisID + "?dryRun", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/dryRun"}},
	{name: "dryRun of another kind", method: "DELETE", path: clustersPath + "/" + thisID + "?dryRun=yes", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/dryRun"}},
	{name: "force of another kind", method: "DELETE", path: clustersPath + "/" + thisID + "?force=2", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/force"}},
	{name: "limit of another kind", method: "GET", path: clustersPath + "?limit=many", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/limit"}},
	{name: "limit of 0", method: "GET", path: clustersPath + "?limit=0", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/limit"}},
	{name: "limit of 501", method: "GET", path: clustersPath + "?limit=501", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/limit"}},
	{name: "cursor", method: "GET", path: clustersPath + "?cursor=emqx-1", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/cursor"}},
	{name: "cursor of another list", method: "GET", path: clustersPath + "?cursor=" + makeCursor(operationCursor,
		"op-1"), status: 422, code: ecp.CodeInvalid, pointers: []string{"/query/cursor"}},
	{name: "cursor of nothing", method: "GET",
		path: clustersPath + "/" + thisID + "/operations?cursor=" + makeCursor(operationCursor, "op-1"), status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/cursor"}},
	{name: "filters", method: "GET", path: clustersPath + "?state=happy&mode=rented&project=x", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/project", "/query/mode", "/query/state"}},
	{name: "wait of another kind", method: "GET", path: operationsPath + "/op-0000000000000000?wait=soon", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/wait"}},
	{name: "wait too long", method: "GET", path: operationsPath + "/op-0000000000000000?wait=61s", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/wait"}},
	{name: "wait below nothing", method: "GET", path: operationsPath + "/op-0000000000000000?wait=-1s", status: 422,
		code: ecp.CodeInvalid, pointers: []string{"/query/wait"}},
	{name: "since", method: "GET", path: "/api/v1/events?since=yesterday", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/since"}},
	{name: "since below nothing", method: "GET", path: "/api/v1/events?since=-1", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/since"}},
	{name: "last event", method: "GET", path: "/api/v1/events", header: map[string]string{"Last-Event-ID": "x"},
		status: 422, code: ecp.CodeInvalid, pointers: []string{"/header/Last-Event-ID"}},
	{name: "events of no project", method: "GET", path: "/api/v1/events?project=x", status: 422, code: ecp.CodeInvalid,
		pointers: []string{"/query/project"}},
	{name: "events ahead", method: "GET", path: "/api/v1/events?since=999999", status: 410, code: ecp.CodeGone},
}

func TestRefusedRequestsChangeNothing(t *testing.T) {
	f := newFixture(t, setup{pool: &ecp.Pool{Connections: 10_000, LargestCluster: 9_000, Clusters: 3}})
	id := f.create()
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			f.t = t
			r.check(t, f, id)
		})
	}
}

func (r refused) check(t *testing.T, f *fixture, id string) {
	before := f.stored()
	got := f.send(r.request(f, id))
	assert.Equal(t, r.status, got.status, "%s", got.body)
	p := got.problem()
	assert.Equal(t, r.code, p.Code, "%s", got.body)
	assert.Equal(t, r.status, p.Status)
	assert.Equal(t, "urn:openecp:problem:"+string(r.code), p.Type)
	assert.NotEmpty(t, p.Title)
	assert.NotEmpty(t, p.Detail)
	assert.Less(t, len(got.body), 8<<10, "a bad request has a short answer")
	pointers := []string{}
	for _, e := range p.Errors {
		pointers = append(pointers, e.Pointer)
		assert.NotEmpty(t, e.Detail)
	}
	assert.ElementsMatch(t, r.pointers, pointers, "%s", got.body)
	assert.Equal(t, r.status == http.StatusUnauthorized, got.header.Get("WWW-Authenticate") != "")
	assert.Equal(t, r.status == http.StatusMethodNotAllowed, got.header.Get("Allow") != "")
	assert.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	f.unchanged(before, r.name)
}

func (r refused) request(f *fixture, id string) *http.Request {
	method, path, token := r.method, strings.ReplaceAll(r.path, thisID, id), r.token
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = clustersPath
	}
	if token == nobody && r.status != http.StatusUnauthorized {
		token = asAdmin
	}
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	q := f.request(token, method, path, body)
	q.Header.Set("Content-Type", "application/json")
	for k, v := range r.header {
		q.Header.Set(k, v)
	}
	return q
}

func TestNumberOfClusters(t *testing.T) {
	f := newFixture(t, setup{pool: &ecp.Pool{Clusters: 1}})
	f.create()
	before := f.stored()
	p := f.call(asAdmin, http.MethodPost, clustersPath, named("two")).want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, ecp.CodeQuotaExceeded, p.Code)
	f.unchanged(before, t.Name())
}

// A body of unknown length is bounded as well.
func TestChunkedBodyIsBounded(t *testing.T) {
	f := newFixture(t, setup{})
	before := f.stored()
	r := f.request(asAdmin, http.MethodPost, clustersPath, io.LimitReader(zeros{}, 10<<20))
	r.Header.Set("Content-Type", "application/json")
	require.Equal(t, int64(0), r.ContentLength)
	resp, err := f.server.Client().Do(r)
	if err != nil { // the server closes while the client still writes
		require.ErrorContains(t, err, "write")
	} else {
		resp.Body.Close()
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	}
	f.unchanged(before, t.Name())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// All methods but the route's own are refused, and the allowed ones named.
func TestAllow(t *testing.T) {
	f := newFixture(t, setup{})
	require.Equal(t, "GET, HEAD, POST", f.call(asAdmin, http.MethodPut, clustersPath, "").
		want(http.StatusMethodNotAllowed).header.Get("Allow"))
}

// errSecret is what no client may see.
var errSecret = errors.New("disk 7 of host alpha: secret-value")

func TestFaultsAreBland(t *testing.T) {
	f := newFixture(t, setup{})
	p := f.api.failed(t.Context(),
		&ecp.Error{Code: ecp.CodeInternal, Op: "read", Message: "could not", Cause: errSecret})
	require.Equal(t, http.StatusInternalServerError, p.Status)
	require.Equal(t, blandText, p.Detail)
	p = f.api.failed(t.Context(), errSecret)
	require.Equal(t, blandText, p.Detail)
	require.Contains(t, f.log.String(), "secret-value", "the log has the cause")

	p = f.api.failed(t.Context(), &ecp.Error{Code: ecp.CodeUnavailable, Message: "no answer", Cause: errSecret})
	require.Equal(t, http.StatusServiceUnavailable, p.Status)
	require.Equal(t, retryAfter, p.header.Get("Retry-After"))
	require.NotContains(t, p.Detail, "secret")
}

// Every code has its row, so that none is answered as another.
func TestEveryCodeHasAStatus(t *testing.T) {
	all := []ecp.Code{
		ecp.CodeInvalid, ecp.CodeNotFound, ecp.CodeExists, ecp.CodeConflict, ecp.CodeDenied, ecp.CodeQuotaExceeded,
		ecp.CodeUnsupported, ecp.CodeUnavailable, ecp.CodeGone, ecp.CodeInternal,
		ecp.CodePrecondition, ecp.CodeKeyReused, ecp.CodeThrottled,
	}
	require.Len(t, codes, len(all))
	for _, c := range all {
		require.Equal(t, c, newProblem(c, "x").Code)
	}
	require.Equal(t, ecp.CodeInternal, newProblem("new", "x").Code)
}

func TestPointers(t *testing.T) {
	for field, want := range map[string]string{
		"": "", "name": "/name", "spec.nodes": "/spec/nodes",
		"spec.network.listeners[0].port":    "/spec/network/listeners/0/port",
		"spec.config[mqtt.max_packet_size]": "/spec/config/mqtt.max_packet_size",
		"spec.config[a]b/c]":                "/spec/config/a]b~1c", "spec.config[]": "/spec/config/",
	} {
		require.Equal(t, want, pointerOf(field), field)
	}
}
