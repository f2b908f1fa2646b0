package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/broker"
)

// raw sends bytes to a handler over a real connection, as the tunnel's raw streams do,
// and returns the answer.
func raw(t *testing.T, h http.Handler, request string) (answered, []byte) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answered{res.StatusCode, res.Header}, body
}

// answered is an answer whose body was read.
type answered struct {
	StatusCode int
	Header     http.Header
}

// echo is a broker that answers logins, and keeps what it is asked.
func echo(t *testing.T) *counted {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _, basic := r.BasicAuth()
		switch {
		case r.URL.Path == "/api/v5/login":
			_, _ = io.WriteString(w, `{"token":"canary-token"}`)
		case r.URL.Path == "/api/v5/nodes" && r.Header.Get("Authorization") == "", basic:
			w.Header().Set("WWW-Authenticate", `Basic Realm="emqx-dashboard"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":"BAD_TOKEN"}`)
		default:
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("Ecp-Answered-By", "agent")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	}), (*httptest.Server).Start)
}

// TestSmuggling: whatever comes through the tunnel, the broker gets the agent's
// credentials on the API's host only, never those of others, and nobody else gets
// anything.
func TestSmuggling(t *testing.T) {
	b := echo(t)
	s := user
	s.DashboardURL, s.APIURL = b.URL, b.URL
	a := open(t, s, nil)
	bystander := serve(t, http.NotFoundHandler(), (*httptest.Server).Start)
	other := strings.TrimPrefix(bystander.URL, "http://")
	theirs := "Basic " + base64.StdEncoding.EncodeToString([]byte("evil:evil"))
	for _, c := range []struct {
		name, request string
		api, dash     int // statuses
	}{
		{"plain", "GET /api/v5/stats HTTP/1.1\r\nHost: api\r\n\r\n", 200, 200},
		{"status", "GET /status HTTP/1.1\r\nHost: api\r\n\r\n", 200, 200},
		{"their credentials",
			"GET /api/v5/stats HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer evil\r\nCookie: " +
				"evil\r\nProxy-Authorization: " +
				theirs + "\r\nX-Forwarded-For: evil\r\nForwarded: for=evil\r\n\r\n", 200, 200},
		{"credentials twice",
			"GET /api/v5/stats HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer evil\r\nauthorization: Bearer " +
				"evil2\r\n\r\n", 200,
			200},
		{"underscored", "GET /api/v5/stats HTTP/1.1\r\nHost: api\r\nX_Forwarded_For: evil\r\n\r\n", 200, 200},
		{"hop by hop", "GET /api/v5/stats HTTP/1.1\r\nHost: api\r\nConnection: close, Authorization, " +
			"X-Evil\r\nX-Evil: " +
			"evil\r\nTE: trailers\r\nKeep-Alive: 1\r\n\r\n", 200, 200},
		{"another host", "GET /api/v5/stats HTTP/1.1\r\nHost: " + other + "\r\n\r\n", 200, 200},
		{"absolute form", "GET http://" + other + "/api/v5/stats HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"absolute form of itself", "GET " + b.URL + "/api/v5/stats HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"connect", "CONNECT " + other + " HTTP/1.1\r\nHost: " + other + "\r\n\r\n", 400, 400},
		{"two slashes", "GET //" + other + "/api/v5/stats HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"step up", "GET /api/v5/../../etc HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"escaped step up", "GET /api/v5/%2e%2e/x HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"twice escaped step up", "GET /api/v5/%252e%252e/x HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"step up behind a slash", "GET /api/v5/a%2f..%2fb HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"step up with a parameter", "GET /api/v5/..;x=1/b HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"overlong step up", "GET /api/v5/%c0%ae%c0%ae/x HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"backslash", "GET /api/v5/..%5cx HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"control character", "GET /api/v5/a%0d%0aX:y HTTP/1.1\r\nHost: api\r\n\r\n", 400, 400},
		{"not of the API", "GET / HTTP/1.1\r\nHost: api\r\n\r\n", 404, 200},
		{"nearly of the API", "GET /api/v50/x HTTP/1.1\r\nHost: api\r\n\r\n", 404, 200},
		{"upgrade", "GET /api/v5/x HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400,
			200},
		{"body", "POST /api/v5/publish HTTP/1.1\r\nHost: api\r\nContent-Length: 2\r\n\r\n{}", 200, 200},
		{"chunked", "POST /api/v5/publish HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			200, 200},
		{"two lengths", "POST /api/v5/publish HTTP/1.1\r\nHost: api\r\nContent-Length: 2\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n0\r\n\r\nGET /api/v5/evil HTTP/1.1\r\n\r\n", 200, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			for host, h := range map[string]http.Handler{"api": a.API(), "dashboard": a.Dashboard()} {
				want := map[string]int{"api": c.api, "dashboard": c.dash}[host]
				seen := len(b.requests)
				res, body := raw(t, h, c.request)
				require.Equal(t, want, res.StatusCode, "%s: %s", host, body)
				got := b.last()
				if want != http.StatusOK {
					require.Len(t, b.requests, seen, "nothing reached the broker")
					require.Equal(t, "agent", res.Header.Get(agentproto.AnsweredBy))
					continue
				}
				require.Empty(t, res.Header.Get(agentproto.AnsweredBy), "only the agent's own answers say so")
				require.Equal(t, strings.TrimPrefix(b.URL, "http://"), got.Host)
				require.NotContains(t, fmt.Sprint(got.Header["X-Evil"], got.Header["Proxy-Authorization"],
					got.Header["Te"]),
					"evil")
				if host == "api" {
					require.Equal(t, []string{"Bearer canary-token"}, got.Header["Authorization"])
					require.NotContains(t, fmt.Sprint(got.Header), "evil")
					require.Empty(t, res.Header.Get("Set-Cookie"))
				} else {
					require.NotContains(t, fmt.Sprint(got.Header), "canary")
				}
			}
			require.Nil(t, bystander.last())
		})
	}
}

// TestPathsStay: what is escaped stays so, and queries are passed on as they are.
func TestPathsStay(t *testing.T) {
	b := echo(t)
	s := user
	s.DashboardURL, s.APIURL = b.URL, b.URL
	a := open(t, s, nil)
	for _, target := range []string{
		"/api/v5/clients/a%2Fb", "/api/v5/rules/rule%3A1?x=%2F&y;z", "/api/v5/clients/%25", "/api/v5/a//b",
		"/api/v5/topics/t%2F%23?", "/api/v5/x?a=%zz",
	} {
		for _, h := range []http.Handler{a.API(), a.Dashboard()} {
			res, body := raw(t, h, "GET "+target+" HTTP/1.1\r\nHost: api\r\n\r\n")
			require.Equal(t, http.StatusOK, res.StatusCode, "%s", body)
			require.Equal(t, target, b.last().RequestURI)
		}
	}
}

// TestDashboardIsASitesOwn: a person's own login reaches the dashboard as it is.
func TestDashboardIsASitesOwn(t *testing.T) {
	b := echo(t)
	s := user
	s.DashboardURL = b.URL
	_, _ = raw(t, open(t, s, nil).Dashboard(),
		"GET /api/v5/stats HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer person\r\nCookie: c=d\r\n\r\n")
	require.Equal(t, "Bearer person", b.last().Header.Get("Authorization"))
	require.Equal(t, "c=d", b.last().Header.Get("Cookie"))
	require.Zero(t, b.count("/api/v5/login"))
}

// TestUpgrade: a WebSocket passes through the dashboard's host in both directions.
func TestUpgrade(t *testing.T) {
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}), (*httptest.Server).Start)
	s := user
	s.DashboardURL = b.URL
	front := httptest.NewServer(open(t, s, nil).Dashboard())
	defer front.Close()
	conn, err := net.Dial("tcp", front.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, err = io.WriteString(conn, "GET /mqtt HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
}

// TestOwnAddress: EMQX sees itself called by the address that the agent has for it,
// as host and as the origin of the page, and adds nothing to who calls.
func TestOwnAddress(t *testing.T) {
	var got *http.Request
	b := serve(t, http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		got = r.Clone(context.WithoutCancel(r.Context()))
	}), (*httptest.Server).Start)
	s := user
	s.DashboardURL = b.URL
	h := open(t, s, nil).Dashboard()
	for sent, want := range map[string]string{"": "", "http://emqx": b.URL,
		"https://emqx-0a1b2c3d.dash.example.com": b.URL} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v5/login", http.NoBody)
		r.Host = "emqx"
		if sent != "" {
			r.Header.Set("Origin", sent)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.NotNil(t, got)
		require.Equal(t, b.URL, "http://"+got.Host)
		require.Equal(t, want, got.Header.Get("Origin"), sent)
		require.Empty(t, got.Header.Get("Authorization"))
	}
}

// TestReadOnly: nothing is changed, and people log in and out all the same.
func TestReadOnly(t *testing.T) {
	b := echo(t)
	s := user
	s.DashboardURL, s.APIURL, s.ReadOnly = b.URL, b.URL, true
	a := open(t, s, nil)
	for request, want := range map[string]int{
		"GET /api/v5/stats": 200, "POST /api/v5/login": 200, "POST /api/v5/logout": 200, "POST /api/v4/auth": 200,
		"POST /api/v5/publish": 403, "DELETE /api/v5/rules/1": 403, "PUT /api/v5/login": 403,
		"POST /api/v5/login/x":          403,
		"POST /api/v5/%6cogin/../rules": 400,
	} {
		for _, h := range []http.Handler{a.API(), a.Dashboard()} {
			res, body := raw(t, h, request+" HTTP/1.1\r\nHost: api\r\nContent-Length: 0\r\n\r\n")
			require.Equal(t, want, res.StatusCode, "%s: %s", request, body)
		}
	}
}

// TestUnansweredRequests: what came of them is said without secrets; redirects lead
// nowhere.
func TestUnansweredRequests(t *testing.T) {
	const gone = "http://127.0.0.1:1" // nobody listens there
	s := broker.Settings{Username: "admin", Password: "canary-word", DashboardURL: gone, APIURL: gone}
	a := open(t, s, nil)
	for _, h := range []http.Handler{a.API(), a.Dashboard()} {
		res, body := raw(t, h, "GET /api/v5/nodes HTTP/1.1\r\nHost: api\r\n\r\n")
		require.Equal(t, http.StatusBadGateway, res.StatusCode)
		require.Contains(t, string(body), "BROKER_UNREACHABLE")
		require.NotContains(t, string(body), "canary")
	}
	bystander := serve(t, http.NotFoundHandler(), (*httptest.Server).Start)
	moved := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" && r.URL.Path == "/api/v5/nodes" {
			w.Header().Set("WWW-Authenticate", `Basic Realm="emqx-dashboard"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, bystander.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}), (*httptest.Server).Start)
	s = broker.Settings{APIKey: "canary-key", APISecret: "canary-word", DashboardURL: moved.URL, APIURL: moved.URL}
	res, _ := raw(t, open(t, s, nil).API(), "GET /api/v5/stats HTTP/1.1\r\nHost: api\r\n\r\n")
	require.Equal(t, http.StatusTemporaryRedirect, res.StatusCode)
	require.Nil(t, bystander.last())
}

// TestStreams: an answer comes as it is made, and a reader that goes ends the request.
func TestStreams(t *testing.T) {
	ended := make(chan struct{})
	r := emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@a")
	sim := r.Dashboard()
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v5/stream" {
			sim.ServeHTTP(w, r)
			return
		}
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	}), (*httptest.Server).Start)
	s := user
	s.DashboardURL, s.APIURL = b.URL, b.URL
	front := httptest.NewServer(open(t, s, nil).API())
	defer front.Close()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, front.URL+"/api/v5/stream", http.NoBody)
	require.NoError(t, err)
	res, err := front.Client().Do(req)
	require.NoError(t, err)
	first := make([]byte, 5)
	_, err = io.ReadFull(res.Body, first)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first, []byte("first")))
	cancel()
	res.Body.Close()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the broker's request goes on after its reader has gone")
	}
}
