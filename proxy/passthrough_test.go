package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

const (
	image4 = "emqx-ee-4.4.24"
	image5 = "emqx-ee-5.8.9"
)

// Whoever may read is let through to what shows no secrets, whoever may write to
// everything, and all others to nothing; what may change something is in the
// audit, and so is who was refused.
func TestWhoIsLetThrough(t *testing.T) {
	for image, base := range map[string]string{image4: "/api/v4", image5: "/api/v5"} {
		t.Run(image, func(t *testing.T) {
			c := newRig(t, image).passthrough(Bounds{})
			admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
			user, _ := c.token(ecp.RoleUser, "default/default")
			foreign, _ := c.token(ecp.RoleProjectAdmin, "other/one")

			for _, secret := range []string{admin, user} {
				got := c.call("GET", base+"/nodes", secret, "")
				require.Equal(t, 200, got.status, got.body)
				require.Contains(t, got.body, string(c.id))
				require.Equal(t, Broker, got.header.Get(AnsweredBy))
			}
			require.Empty(t, c.audit("call broker"), "reads change nothing")

			secretive := map[string]string{image4: "/resources", image5: "/connectors"}[image]
			require.Equal(t, 200, c.call("GET", base+secretive, admin, "").status)
			got := c.call("GET", base+secretive, user, "")
			require.Equal(t, 403, got.status)
			require.Equal(t, Ours, got.header.Get(AnsweredBy))
			require.Contains(t, got.body, "credentials", "it is said why")

			sql := map[string]string{image4: "rawsql", image5: "sql"}[image]
			rule := `{"id":"a_1","` + sql + `":"SELECT * FROM \"t\"","actions":[],"description":"secret-in-the-body"}`
			require.Equal(t, 403, c.call("POST", base+"/rules?note=secret-in-the-query", user, rule).status)
			require.Equal(t, 404, c.call("POST", base+"/rules", foreign, rule).status)
			require.Equal(t, 404, c.call("GET", base+"/nodes", foreign, "").status)
			require.Equal(t, 403, c.call("GET", base+"/nodes", "nobody's-secret-000000", "").status)
			got = c.call("POST", base+"/rules?note=secret-in-the-query", admin, rule)
			require.Less(t, got.status, 300, got.body)
			require.Contains(t, c.call("GET", base+"/rules/a%5F1", admin, "").body, "a_1")

			var said []string
			for _, e := range c.audit("call broker") {
				require.NotContains(t, fmt.Sprint(e), "secret-in", "neither bodies nor queries")
				if strings.Contains(fmt.Sprint(e), "a%5F1") {
					continue // in 4.4 only an administrator reads rules
				}
				require.Equal(t, "default/default", e.Scope)
				said = append(said, e.Actor+" "+string(e.Outcome)+" "+e.Why)
				if e.Outcome == change.OutcomeDone && e.Changes[0].After == `"POST"` {
					require.Equal(t, []change.AuditChange{{Path: "/method", After: `"POST"`},
						{Path: "/path", After: strconv.Quote(base + "/rules")}}, e.Changes)
				}
			}
			require.ElementsMatch(t, []string{
				// the list of credentials, and the ban
				"token:project-admin of default-default done ", "token:project-admin of default-default done ",
				"token:user of default-default denied denied", "token:user of default-default denied denied",
				"token:project-admin of other-one denied not_found",
			}, said)
			require.NotContains(t, c.log.String(), "secret-in")
		})
	}
}

// The broker gets the path and the query byte for byte, a list of headers, and our
// credentials; the caller gets the answer, and a list of its headers.
func TestWhatIsPassedOn(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	var seen *http.Request
	var body string
	c.lead(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen, body = r.Clone(context.Background()), string(b)
		h := w.Header()
		h.Set("Link", "</x>; rel=preload")
		h.Set("Set-Cookie", "early=1")
		w.WriteHeader(http.StatusEarlyHints)
		for k, v := range map[string]string{
			"Set-Cookie": "a=b", "Server": "Cowboy", "Location": "/elsewhere", "WWW-Authenticate": "Basic",
			"Access-Control-Allow-Origin": "*",
			"Strict-Transport-Security":   "max-age=1", "X-Request-Id": "theirs", "Clear-Site-Data": `"*"`,
			"Trailer": "X-Late", "X-Accel-Redirect": "/etc",
			"Content-Type": "text/html", "Content-Disposition": "attachment", "Etag": `"1"`, AnsweredBy: "ecp",
			"Cache-Control": "public",
		} {
			h.Set(k, v)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("<script>"))
		h.Set("X-Late", "late")
	})
	r := c.request("PUT", "/api/v5/rules/rule%3A1/t%2Fx?a=b&a=c&q=%2F+%20", admin, strings.NewReader("the body"))
	for k, v := range map[string]string{
		"Cookie": "session=mine", "Proxy-Authorization": "Basic eDp5", "X-Forwarded-For": "10.0.0.9",
		"Forwarded": "for=10.0.0.9", "X-Real-Ip": "10.0.0.9", "Referer": "https://console/x",
		"Origin":     "https://console",
		"Connection": "X-Hop, Authorization", "X-Hop": "1", "Te": "trailers", "X-Emqx-Anything": "1",
		"Accept": "text/html", "Content-Type": "text/csv", "User-Agent": "curl", "Transfer-Encoding": "",
	} {
		r.Header.Set(k, v)
	}
	r.ContentLength, r.Trailer = -1, http.Header{"X-Late": {"mine"}}
	got := send(t, c.client, r)
	require.Equal(t, 201, got.status, got.body)
	require.Empty(t, seen.Trailer)
	require.Equal(t, "/api/v5/rules/rule%3A1/t%2Fx?a=b&a=c&q=%2F+%20", seen.RequestURI)
	require.Equal(t, "the body", body)
	user, password, _ := seen.BasicAuth()
	require.Equal(t, "the-key:the-secret", user+":"+password)
	require.Equal(t, "text/html", seen.Header.Get("Accept"))
	require.Equal(t, "text/csv", seen.Header.Get("Content-Type"))
	require.Equal(t, "openecp", seen.Header.Get("User-Agent"))
	for name := range seen.Header {
		// the last ones are the hop's own
		require.Contains(t, append(requestHeaders, "Authorization", "User-Agent", "Connection", "Content-Length"), name)
	}
	require.Equal(t, "<script>", got.body)
	for name := range got.header {
		require.Contains(t, append(answerHeaders, AnsweredBy, "Date", "Cache-Control", "Content-Security-Policy",
			"X-Content-Type-Options"), name)
	}
	require.Equal(t, []string{Broker}, got.header.Values(AnsweredBy))
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	require.Contains(t, got.header.Get("Content-Security-Policy"), "sandbox")
	require.Equal(t, `"1"`, got.header.Get("Etag"))
	require.NotContains(t, c.log.String(), admin)
	require.NotContains(t, c.log.String(), "the-secret")
}

// What is refused never reaches the broker.
func TestRefusedRequests(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Body: 1000})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	reached := 0
	c.lead(func(http.ResponseWriter, *http.Request) { reached++ })
	for what, row := range map[string]struct {
		method, path, header, value string
		body                        int
		status                      int
	}{
		"dots":             {"GET", "/api/v5/%2e%2e/x", "", "", 0, 400},
		"login":            {"POST", "/api/v5/login", "", "", 0, 403},
		"elsewhere":        {"GET", "/static/x", "", "", 0, 404},
		"broken query":     {"GET", "/api/v5/nodes?a=%zz", "", "", 0, 400},
		"upgrade":          {"GET", "/api/v5/nodes", "Upgrade", "websocket", 0, 400},
		"continue":         {"POST", "/api/v5/publish", "Expect", "100-continue", 10, 417},
		"body of a length": {"POST", "/api/v5/publish", "", "", 1001, 413},
	} {
		r := c.request(row.method, row.path, admin, strings.NewReader(strings.Repeat("x", row.body)))
		if row.header != "" {
			r.Header.Set(row.header, row.value)
		}
		got := send(t, c.client, r)
		require.Equal(t, row.status, got.status, "%s: %s", what, got.body)
		require.Equal(t, Ours, got.header.Get(AnsweredBy), what)
		require.Equal(t, "application/problem+json", got.header.Get("Content-Type"), what)
	}
	require.Zero(t, reached)
	require.Empty(t, c.audit("call broker"), "nothing was let through")
}

// A body of unknown length is cut off where it gets too large.
func TestEndlessBody(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Body: 100_000})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	whole := make(chan bool, 1)
	c.lead(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		whole <- err == nil
	})
	r := c.request("POST", "/api/v5/publish", admin, io.LimitReader(endless{}, 10<<20))
	res, err := c.client.Do(r)
	if err == nil { // else the server has closed while the client still wrote
		require.Equal(t, 413, res.StatusCode)
		_ = res.Body.Close()
	}
	require.False(t, <-whole, "the broker sees that it is not the whole")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Whatever a broker does wrong: it costs a bounded time, and the caller is told by
// us, or sees that the answer broke off.
func TestBrokersThatFail(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Idle: 200 * time.Millisecond, Total: time.Second, Answer: 100_000})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	broker := c.sim.Cluster(c.id)
	for what, row := range map[string]struct {
		fault  emqxsim.Fault
		status int
		broken bool
		detail string
	}{
		"as it should be": {emqxsim.Fault{Status: 404, Body: "{}", Times: 1}, 404, false, ""},
		"hangs":           {emqxsim.Fault{Hang: true}, 504, false, "in time"},
		"refuses":         {emqxsim.Fault{Refuse: true}, 503, false, "cannot be reached"},
		"half":            {emqxsim.Fault{Half: true, Size: 1000}, 200, true, ""},
		"too large":       {emqxsim.Fault{Size: 100_001}, 502, false, "larger"},
		"redirect":        {emqxsim.Fault{Status: 302, Body: "x"}, 502, false, "redirect"},
		"its own refusal": {emqxsim.Fault{Status: 401, Body: "UNAUTHORIZED"}, 401, false, ""},
	} {
		remove := broker.AddFault(row.fault)
		got := c.call("GET", "/api/v5/nodes", admin, "")
		remove()
		require.Equal(t, row.status, got.status, "%s: %s", what, got.body)
		require.Equal(t, row.broken, got.err != nil, what)
		by := Broker
		if row.detail != "" {
			by = Ours
			require.Contains(t, got.body, row.detail, what)
			require.NotContains(t, got.body, "svc.cluster", "no address of ours: "+what)
		}
		require.Equal(t, by, got.header.Get(AnsweredBy), what)
		require.Empty(t, got.header.Get("WWW-Authenticate"), what)
	}
}

// Sockets can do more wrong than handlers.
func TestSocketsThatFail(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Idle: 150 * time.Millisecond, Total: 600 * time.Millisecond,
		Answer: 100_000})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	flushed := func(w http.ResponseWriter, s string) {
		_, _ = w.Write([]byte(s))
		_ = http.NewResponseController(w).Flush()
	}
	for what, row := range map[string]struct {
		serve  http.HandlerFunc
		status int
		broken bool
	}{
		"stands still in the middle": {func(w http.ResponseWriter, r *http.Request) {
			flushed(w, "begin")
			<-r.Context().Done()
		}, 200, true},
		"drips for ever": {func(w http.ResponseWriter, r *http.Request) {
			for tick := time.NewTicker(20 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
				flushed(w, "x")
			}
		}, 200, true},
		"large without a length": {func(w http.ResponseWriter, _ *http.Request) {
			for range 20 {
				flushed(w, strings.Repeat("x", 10_000))
			}
		}, 200, true},
		"resets": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 503, false},
		"changes the protocol unasked": {func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " +
					"websocket\r\n\r\n")
				_ = rw.Flush()
				_ = conn.Close()
			}
		}, 503, false},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = rw.WriteString("SSH-2.0-x\r\n\r\n")
				_ = rw.Flush()
				_ = conn.Close()
			}
		}, 503, false},
	} {
		c.lead(row.serve)
		began := time.Now()
		got := c.call("GET", "/api/v5/nodes", admin, "")
		require.Equal(t, row.status, got.status, "%s: %s", what, got.body)
		require.Equal(t, row.broken, got.err != nil, what)
		require.Less(t, time.Since(began), 5*time.Second, what)
		require.LessOrEqual(t, len(got.body), 100_000, what)
	}
}

// The broker is let go of when the caller goes.
func TestCallerGoes(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	began, left := make(chan struct{}), make(chan struct{})
	c.lead(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	r := c.request("GET", "/api/v5/nodes", admin, nil).WithContext(ctx)
	go func() {
		<-began
		cancel()
	}()
	_, err := c.client.Do(r) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
	<-left
}

// What comes in pieces is seen in pieces.
func TestAnswersStream(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	more := make(chan struct{})
	c.lead(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("first"))
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = w.Write([]byte("second"))
	})
	res, err := c.client.Do(c.request("GET", "/api/v5/nodes", admin, nil))
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b := make([]byte, 5)
	_, err = io.ReadFull(res.Body, b)
	require.NoError(t, err)
	require.Equal(t, "first", string(b))
	close(more)
	rest, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "second", string(rest))
}

// What the client was given for its body is not what the broker is given for its
// answer.
func TestLongAnswers(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Idle: 300 * time.Millisecond})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	c.lead(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range 12 {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			<-tick.C
		}
	})
	got := c.call("POST", "/api/v5/data/export", admin, "{}")
	require.NoError(t, got.err)
	require.Equal(t, strings.Repeat("x", 12), got.body)
}

// A client that sends slower than anybody waits is left.
func TestBodyThatDoesNotCome(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Idle: 150 * time.Millisecond, Total: time.Minute})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	c.lead(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	conn, err := net.Dial("tcp", c.server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /api/v5/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+
		"%s\r\nContent-Length: 100\r\n\r\nhalf", admin)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	b, err := io.ReadAll(conn)
	require.NoError(t, err, "the connection is closed: %s", b)
	require.Regexp(t, "^HTTP/1.1 408 ", string(b))
}

// The patience with one answer is not left to the next on the same connection.
func TestConnectionsGoOn(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{Idle: 300 * time.Millisecond})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	for range 3 {
		require.Equal(t, 200, c.call("GET", "/api/v5/nodes", admin, "").status)
		later := time.NewTimer(400 * time.Millisecond)
		<-later.C
		// what is not sent again by itself
		conn, err := c.client.Post(c.server.URL+"/api/v5/%2e", "text/plain", strings.NewReader("x"))
		require.NoError(t, err)
		require.NoError(t, conn.Body.Close())
		require.Equal(t, 400, conn.StatusCode)
	}
}

// A way may answer in place of the broker, with an error of ours: that is what the
// caller is told, and nothing that a broker says is taken for it.
func TestWaysThatAnswer(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{})
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	c.lead(nil)
	c.detour.mu.Lock()
	c.detour.to.Transport = failing{&ecp.Error{Code: ecp.CodeDenied, Op: "ask the broker beside agent a1",
		Message: "the agent is read-only"}}
	c.detour.mu.Unlock()
	got := c.call("POST", "/api/v5/publish", admin, "{}")
	require.Equal(t, 403, got.status)
	require.Equal(t, Ours, got.header.Get(AnsweredBy))
	require.Contains(t, got.body, "read-only")

	c.lead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(AnsweredBy, "agent")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"READ_ONLY","message":"forged"}`)
	})
	got = c.call("POST", "/api/v5/publish", admin, "{}")
	require.Equal(t, []string{Broker}, got.header.Values(AnsweredBy))
	require.Contains(t, got.body, "forged")
}

// failing is a transport that fails with an error.
type failing struct{ err error }

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, f.err
}
