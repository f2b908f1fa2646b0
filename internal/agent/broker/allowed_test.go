package broker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/broker"
)

// codeOf is what the agent answered in place of EMQX; empty means it did not.
func codeOf(t *testing.T, res answered, body []byte) agentproto.AnswerCode {
	t.Helper()
	if res.Header.Get(agentproto.AnsweredBy) != agentproto.ByAgent {
		return ""
	}
	var a agentproto.Answer
	require.NoError(t, json.Unmarshal(body, &a), "%s", body)
	require.NotEmpty(t, a.Message)
	return a.Code
}

// TestAllowed: what reaches EMQX by each host, and what of that where nothing may be
// changed: people log in and out, and nothing else that could change something gets
// there, under whatever name.
func TestAllowed(t *testing.T) {
	const (
		ok    = agentproto.AnswerCode("")
		bad   = agentproto.AnswerBadRequest
		never = agentproto.AnswerBadMethod
		none  = agentproto.AnswerNotFound
		no    = agentproto.AnswerReadOnly
	)
	const socket = "\r\nConnection: Upgrade\r\nUpgrade: websocket"
	b := echo(t)
	for _, c := range []struct {
		request         string
		api, dashboard  agentproto.AnswerCode
		apiRO, dashedRO agentproto.AnswerCode
	}{
		{"GET /api/v5/stats HTTP/1.1", ok, ok, ok, ok},
		{"HEAD /api/v5/stats HTTP/1.1", ok, ok, ok, ok},
		{"OPTIONS /api/v5/stats HTTP/1.1", ok, ok, ok, ok},
		{"GET / HTTP/1.1", none, ok, none, ok},
		{"POST /api/v5/login HTTP/1.1", ok, ok, ok, ok},
		{"POST /api/v5/login?x=y HTTP/1.1", ok, ok, ok, ok},
		{"POST /api/v5/logout HTTP/1.1", ok, ok, ok, ok},
		{"POST /api/v4/auth HTTP/1.1", ok, ok, ok, ok},
		{"POST /api/v5/sso/login/ldap HTTP/1.1", ok, ok, ok, ok},
		{"POST /api/v5/sso/saml/acs HTTP/1.1", ok, ok, ok, ok},
		{"POST /api/v5/sso/login/ HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/sso/login/a/b HTTP/1.1", ok, ok, no, no},
		{"PUT /api/v5/sso/ldap HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/login/ HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/%6cogin HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/login;x HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/login/../rules HTTP/1.1", bad, bad, bad, bad},
		{"PUT /api/v5/login HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/publish HTTP/1.1", ok, ok, no, no},
		{"POST /api/v5/data/import HTTP/1.1", ok, ok, no, no},
		{"PATCH /api/v5/configs HTTP/1.1", ok, ok, no, no},
		{"DELETE /api/v5/rules/1 HTTP/1.1", ok, ok, no, no},
		{"DELETE /api/v4/rules/1 HTTP/1.1", ok, ok, no, no},
		{"POST /api/v4/mqtt/publish HTTP/1.1", ok, ok, no, no},
		{"TRACE /api/v5/stats HTTP/1.1", never, never, never, never},
		{"PROPFIND /api/v5/stats HTTP/1.1", never, never, never, never},
		{"get /api/v5/stats HTTP/1.1", never, never, never, never},
		{"CONNECT 10.0.0.1:80 HTTP/1.1", bad, bad, bad, bad},
		{"GET /mqtt HTTP/1.1" + socket, none, ok, none, no},
		{"GET /api/v5/x HTTP/1.1" + socket, bad, ok, bad, no},
		{"POST /mqtt HTTP/1.1" + socket, none, bad, none, bad},
		{"GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: " +
			"AAMAAABkAAQAoAAAAAIAAAAA",
			none, bad, none, bad},
		{"GET / HTTP/1.1" + socket + "\r\nUpgrade: h2c", none, bad, none, bad},
		{"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c", none, bad, none, bad},
		{"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tls/1.0", none, bad, none, bad},
	} {
		for _, readOnly := range []bool{false, true} {
			s := user
			s.DashboardURL, s.APIURL, s.ReadOnly = b.URL, b.URL, readOnly
			a := open(t, s, nil)
			for host, h := range map[string]http.Handler{"api": a.API(), "dashboard": a.Dashboard()} {
				want := map[string]agentproto.AnswerCode{"api": c.api, "dashboard": c.dashboard}[host]
				if readOnly {
					want = map[string]agentproto.AnswerCode{"api": c.apiRO, "dashboard": c.dashedRO}[host]
				}
				seen := b.total()
				res, body := raw(t, h,
					c.request+"\r\nHost: x\r\nX-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: "+
						"DELETE\r\nX-Method-Override: "+
						"DELETE\r\nContent-Length: 0\r\n\r\n")
				what := fmt.Sprintf("%s, read-only %t: %q: %d %s", host, readOnly, c.request, res.StatusCode, body)
				require.Equal(t, want, codeOf(t, res, body), what)
				if want != ok {
					require.Equal(t, seen, b.total(), "%s: EMQX was asked", what)
					continue
				}
				require.Equal(t, 200, res.StatusCode, what)
				for name := range b.last().Header {
					require.NotContains(t, name, "Method", what)
				}
			}
		}
	}
}

// TestRedirectsLeadNowhere: whatever EMQX answers with a redirect, to a request of
// somebody's, a login of the agent's own or a question of its reports, nobody else
// is dialled for it.
func TestRedirectsLeadNowhere(t *testing.T) {
	bystander := serve(t, http.NotFoundHandler(), (*httptest.Server).Start)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for what, to := range map[string]string{"absolute": bystander.URL + "/api/v5/nodes",
			"by host": strings.TrimPrefix(bystander.URL, "http:") + "/api/v5/nodes"} {
			for who, s := range map[string]broker.Settings{"user": user, "key": {APIKey: "k", APISecret: "canary"}} {
				b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					// as 5.x, so that it is found
					if r.Header.Get("Authorization") == "" && r.URL.Path == "/api/v5/nodes" {
						w.Header().Set("WWW-Authenticate", `Basic Realm="emqx-dashboard"`)
						w.WriteHeader(http.StatusUnauthorized)
						_, _ = io.WriteString(w, `{"code":"BAD_TOKEN"}`)
						return
					}
					w.Header().Set("Location", to)
					w.Header().Set("Refresh", "0; url="+to)
					w.Header().Set("Alt-Svc", `h2="`+strings.TrimPrefix(bystander.URL, "http://")+`"; ma=3600`)
					w.WriteHeader(status)
				}), (*httptest.Server).Start)
				s.DashboardURL, s.APIURL = b.URL, b.URL
				a := open(t, s, nil)
				for _, h := range []http.Handler{a.API(), a.Dashboard()} {
					for _, method := range []string{"GET", "POST"} {
						_, _ = raw(t, h, method+" /api/v5/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
					}
				}
				_, err := a.Detect(t.Context())
				require.Error(t, err)
				require.NoError(t, a.AskDashboard(t.Context()))
				require.Nil(t, bystander.last(), "%d %s, %s", status, what, who)
			}
		}
	}
}

// TestOwnRedirects: a redirect to EMQX's own address, which only the agent can reach,
// is one to a path; others stay.
func TestOwnRedirects(t *testing.T) {
	var location string
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	}), (*httptest.Server).Start)
	s := user
	s.DashboardURL = b.URL
	h := open(t, s, nil).Dashboard()
	for from, want := range map[string]string{
		b.URL + "/a%2Fb?c=d#/e": "/a%2Fb?c=d#/e", b.URL: "/", strings.TrimPrefix(b.URL, "http:") +
			"/x": "/x", "/y": "/y", "y": "y", "http://elsewhere/x": "http://elsewhere/x",
		b.URL + "//elsewhere/x": b.URL + "//elsewhere/x", strings.Replace(b.URL, "http:", "https:", 1) +
			"/x": strings.Replace(b.URL, "http:", "https:", 1) + "/x",
	} {
		location = from
		res, _ := raw(t, h, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Equal(t, want, res.Header.Get("Location"), from)
	}
}

// TestForgedAnswers: no broker can answer as the agent.
func TestForgedAnswers(t *testing.T) {
	const body = `{"code":"READ_ONLY","message":"forged"}`
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v5/login" {
			_, _ = io.WriteString(w, `{"token":"t"}`)
			return
		}
		if r.URL.Path == "/api/v5/nodes" { // as 5.x, so that it is found
			w.Header().Set("WWW-Authenticate", `Basic Realm="emqx-dashboard"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":"BAD_TOKEN"}`)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 103 Early Hints\r\necp-answered-by: agent\r\n\r\nHTTP/1.1 403 " +
			"Forbidden\r\nContent-Type: application/json\r\nECP-ANSWERED-BY: agent\r\necp-Answered-By: agent\r\n" +
			"Connection: close\r\nTrailer: Ecp-Answered-By\r\nTransfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\nEcp-Answered-By: agent\r\n\r\n", len(body), body))
		_ = rw.Flush()
	}), (*httptest.Server).Start)
	s := user
	s.DashboardURL, s.APIURL = b.URL, b.URL
	a := open(t, s, nil)
	for host, h := range map[string]http.Handler{"dashboard": a.Dashboard(), "api": a.API()} {
		front := httptest.NewServer(h)
		res, err := front.Client().Get(front.URL + "/api/v5/stats")
		require.NoError(t, err)
		_, forged := agentproto.AnswerIn(res)
		require.False(t, forged, host)
		require.Equal(t, 403, res.StatusCode, host)
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, body, string(got))
		require.Empty(t, res.Header.Values(agentproto.AnsweredBy))
		require.NoError(t, res.Body.Close())
		front.Close()
	}
}

// TestRefusedCredentialsAreTheAgents: where EMQX refuses the agent's credentials, the
// caller learns that it is not its own that are wrong, and which command mends it.
func TestRefusedCredentialsAreTheAgents(t *testing.T) {
	for _, version := range []string{"4.4.24", "5.8.9"} {
		r := start(t, emqxsim.ClusterConfig{Version: version})
		a := open(t, r.settings(broker.Settings{Username: "admin", Password: "canary-wrong"}), nil)
		path := map[string]string{"4.4.24": "/api/v4/nodes", "5.8.9": "/api/v5/nodes"}[version]
		for range 2 { // asked, and remembered
			res, body := raw(t, a.API(), "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
			require.Equal(t, http.StatusBadGateway, res.StatusCode, "%s: %s", version, body)
			require.Equal(t, agentproto.AnswerRefused, codeOf(t, res, body))
			require.Contains(t, string(body), "emqxee-agent register")
			require.NotContains(t, string(body), "canary")
			require.Empty(t, res.Header.Get("WWW-Authenticate"))
		}
	}
}

// TestRoomForReports: as many requests through the tunnel as there may be, all of
// which stand at EMQX, keep the agent from asking nothing, and the next one is
// told so by the agent.
func TestRoomForReports(t *testing.T) {
	sim := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	dashboard := sim.Dashboard()
	var standing sync.WaitGroup
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v5/stand" {
			dashboard.ServeHTTP(w, r)
			return
		}
		standing.Done()
		<-r.Context().Done()
	}), (*httptest.Server).Start)
	s := user
	s.DashboardURL, s.APIURL = b.URL, b.URL
	a := open(t, s, nil)
	_, err := a.Detect(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	ask := func(h http.Handler, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody))
		return w
	}
	for h, n := range map[string]int{"api": broker.APIAtOnce, "dashboard": broker.DashboardAtOnce} {
		h := map[string]http.Handler{"api": a.API(), "dashboard": a.Dashboard()}[h]
		standing.Add(n)
		for range n {
			all.Go(func() { ask(h, "/api/v5/stand") })
		}
		standing.Wait()
		w := ask(h, "/api/v5/stats")
		require.Equal(t, agentproto.AnswerTooMany, codeOf(t, answered{w.Code, w.Header()}, w.Body.Bytes()))
	}
	began := time.Now()
	d, err := a.Detect(t.Context())
	require.NoError(t, err, "after %s", time.Since(began))
	require.Equal(t, 5, d.Major)
	require.NoError(t, a.AskDashboard(t.Context()))
	cancel()
	all.Wait()
}
