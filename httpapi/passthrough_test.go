package httpapi

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/proxy"
	"github.com/stretchr/testify/require"
)

// raw sends a request line as it is, as no well-behaved client would, and gives
// the status of the answer.
func (f *fixture) raw(token, method, target string) (status int) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.server.Listener.Addr().String())
	require.NoError(f.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n",
		method, target, token)
	require.NoError(f.t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(f.t, err)
	require.NoError(f.t, res.Body.Close())
	return res.StatusCode
}

// Calls go to the broker of a running cluster as they are, and what does not go
// is answered as everywhere, and says that it is ours.
func TestPassthrough(t *testing.T) {
	f := newFixture(t, setup{run: true})
	id := f.create()
	f.awaitState(id, "running")
	at := clustersPath + "/" + id + "/emqx"

	got := f.call(asUser, http.MethodGet, at+"/api/v5/nodes?x=1&x=2&unknown", "").want(http.StatusOK)
	require.Equal(t, proxy.Broker, got.header.Get(proxy.AnsweredBy))
	require.Contains(t, string(got.body), id)
	require.Equal(t, "emqx is running",
		strings.Split(string(f.call(asUser, http.MethodGet, at+"/status", "").want(http.StatusOK).body), "\n")[1])
	f.call(asAdmin, http.MethodPost, at+"/api/v5/rules", `{"id":"rule_1","sql":"SELECT * FROM \"t\""}`).
		want(http.StatusCreated)
	for _, path := range []string{"/api/v5/rules/rule%5F1", "/api/v5/rules/rule_1"} {
		require.Contains(t, string(f.call(asUser, http.MethodGet, at+path, "").want(http.StatusOK).body), "rule_1")
	}
	got = f.call(asUser, http.MethodGet, at+"/api/v5/rules/none", "").want(http.StatusNotFound)
	require.Equal(t, proxy.Broker, got.header.Get(proxy.AnsweredBy), "its own refusals come through")
	require.Contains(t, string(got.body), "Rule")
	f.call(asAdmin, http.MethodDelete, at+"/api/v5/rules/rule%5F1", "").want(http.StatusNoContent)
	large := `{"id":"large","sql":"SELECT * FROM \"t\"","description":"` + strings.Repeat("x", 2*MaxBody) + `"}`
	require.Equal(t, proxy.Broker, f.call(asAdmin, http.MethodPost, at+"/api/v5/rules", large).
		header.Get(proxy.AnsweredBy), "larger than a body of ours")

	for what, row := range map[string]struct {
		token, method, path string
		status              int
		code                ecp.Code
	}{
		"no token":        {nobody, "GET", "/api/v5/nodes", 401, ecp.CodeDenied},
		"reader writes":   {asUser, "POST", "/api/v5/publish", 403, ecp.CodeDenied},
		"kept from":       {asUser, "GET", "/api/v5/connectors", 403, ecp.CodeDenied},
		"stranger":        {asForeign, "GET", "/api/v5/nodes", 404, ecp.CodeNotFound},
		"login":           {asAdmin, "POST", "/api/v5/login", 403, ecp.CodeDenied},
		"elsewhere":       {asAdmin, "GET", "/static/x", 404, ecp.CodeNotFound},
		"dots":            {asAdmin, "GET", "/api/v5/%2e%2e", 400, ecp.CodeInvalid},
		"malformed query": {asAdmin, "GET", "/api/v5/nodes?a=%zz", 400, ecp.CodeInvalid},
		"too large":       {asAdmin, "POST", "/api/v5/publish", 413, ecp.CodeInvalid},
	} {
		body := ""
		if row.status == http.StatusRequestEntityTooLarge {
			body = strings.Repeat("x", 16<<20+1)
		}
		got := f.call(row.token, row.method, at+row.path, body)
		require.Equal(t, row.status, got.status, "%s: %s", what, got.body)
		require.Equal(t, row.code, got.problem().Code, what)
		require.Equal(t, proxy.Ours, got.header.Get(proxy.AnsweredBy), what)
	}
	require.Equal(t, "GET, HEAD, POST, PUT, PATCH, DELETE", f.call(asAdmin, http.MethodOptions, at+"/api/v5/nodes", "").
		want(http.StatusMethodNotAllowed).header.Get("Allow"))
	f.call(asAdmin, http.MethodGet, at, "").want(http.StatusNotFound)
	f.call(asAdmin, http.MethodGet, clustersPath+"/emqx-1/emqx/status", "").want(http.StatusNotFound)
	for target, status := range map[string]int{
		at + "/api/v5/../v5/nodes": 400, at + "//api/v5/nodes": 400, at + "/api/v5//nodes": 400,
		at + `/api/v5\nodes`: 400,
		at + "/../../" + id:  400, at + "/api/v5/./nodes": 400, at + `/api/v5/"`: 400,
		"/api/v1/x/../clusters/" + id + "/emqx/status": 404, "/api/v1//clusters/" + id + "/emqx/status": 404,
		clustersPath + "/" + id + "/%65mqx/status": 404, at + "/status": 200,
	} {
		require.Equal(t, status, f.raw(asAdmin, "GET", target), target)
	}

	r := f.request(asAdmin, http.MethodDelete, at+"/api/v5/rules/large", nil)
	r.Header.Set(headerKey, "k")
	require.Equal(t, "/header/"+headerKey, f.send(r).want(http.StatusUnprocessableEntity).problem().Errors[0].Pointer,
		"a key means nothing to a broker")
	require.NotContains(t, f.log.String(), "emqx/api/v5", "the log knows routes, not paths")
}

func TestDashboardLink(t *testing.T) {
	f := newFixture(t, setup{run: true})
	id := f.create()
	f.awaitState(id, "running")
	var link linkView
	got := f.call(asUser, http.MethodPost, clustersPath+"/"+id+"/dashboard", "").want(http.StatusCreated)
	got.into(&link)
	require.Equal(t, access.ViaTarget, link.Via)
	require.True(t, strings.HasPrefix(link.URL, "https://"+id+".dash.example.com/_ecp/enter/"), link.URL)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.NotContains(t, f.log.String(), link.URL[strings.LastIndex(link.URL, "/")+1:])
	for range 9 {
		f.call(asUser, http.MethodPost, clustersPath+"/"+id+"/dashboard", "").want(http.StatusCreated)
	}
	throttled := f.call(asUser, http.MethodPost, clustersPath+"/"+id+"/dashboard", "").want(http.StatusTooManyRequests)
	require.Equal(t, "60", throttled.header.Get("Retry-After"))
	f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/stop", "").want(http.StatusAccepted)
	f.awaitState(id, "stopped")
	f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/dashboard", "").want(http.StatusServiceUnavailable)
	for query, pointer := range map[string]string{"?via=tunnel": "/query/via", "?via=agent&via=target": "/query/via"} {
		require.Equal(t, pointer, f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/dashboard"+query, "").
			want(http.StatusUnprocessableEntity).problem().Errors[0].Pointer)
	}
	p := f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/dashboard?via=agent", "").
		want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, ecp.CodeUnsupported, p.Code)
	require.Contains(t, p.Detail, "hosted")

	f = newFixture(t, setup{run: true, nowhere: true})
	id = f.create()
	f.awaitState(id, "running")
	p = f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/dashboard", "").want(http.StatusUnprocessableEntity).
		problem()
	require.Equal(t, ecp.CodeUnsupported, p.Code)
	require.Contains(t, p.Detail, "neither a domain nor ports")
}
