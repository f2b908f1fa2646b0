package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/agent"
)

// raw sends bytes to an address as no well-behaved client would, and returns the
// status of the first answer and all that came back.
func raw(t *testing.T, host, request string) (status int, all string) {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	b, err := io.ReadAll(conn)
	require.NoError(t, err, "%.300s: %s", request, b)
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	require.NoError(t, err, "%.300s: %s", request, b)
	require.NoError(t, res.Body.Close())
	return res.StatusCode, string(b)
}

// trick is a request that tries to be more than it seems. Where it gets to EMQX, that
// sees the target at in the form in which it was sent, the method, and none of what
// was smuggled.
type trick struct {
	name    string
	target  string // behind the prefix of the way
	headers string // each line with its end
	body    string
	call    int // status of a call; 200 = it gets to EMQX
	visit   int // of a request to a dashboard
}

const smuggled = "GET /api/v5/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

var tricks = []trick{
	{"plain", "/api/v5/own", "", "", 200, 200},
	{"escaped slash", "/api/v5/own/a%2Fb", "", "", 200, 200},
	{"escaped colon and parameter", "/api/v5/own/rule%3A1;x=y", "", "", 200, 200},
	{"query", "/api/v5/own?a=b&a=%2F..%2F", "", "", 200, 200},

	{"step up", "/api/v5/own/../nodes", "", "", 400, 400},
	{"step up out of the way", "/../../../own", "", "", 400, 400},
	{"dot", "/api/v5/./own", "", "", 400, 400},
	{"escaped step up", "/api/v5/own/%2e%2e/nodes", "", "", 400, 400},
	{"half escaped", "/api/v5/own/.%2e/nodes", "", "", 400, 400},
	{"twice escaped", "/api/v5/own/%252e%252e/nodes", "", "", 400, 400},
	{"thrice escaped", "/api/v5/own/%25252e%25252e/nodes", "", "", 400, 400},
	{"step up by an escaped slash", "/api/v5/own/..%2fnodes", "", "", 400, 400},
	{"step up with a parameter", "/api/v5/own/..;a=b/nodes", "", "", 400, 400},
	{"step up by an escaped parameter", "/api/v5/own/..%3bx/nodes", "", "", 400, 400},
	{"backslash", `/api/v5/own\..\nodes`, "", "", 400, 400},
	{"escaped backslash", "/api/v5/own%5c..%5cnodes", "", "", 400, 400},
	{"overlong dots", "/api/v5/own/%c0%ae%c0%ae/nodes", "", "", 400, 400},
	{"overlong slash", "/api/v5/own%c0%af..", "", "", 400, 400},
	{"overlong in three", "/api/v5/own/%e0%80%ae/nodes", "", "", 400, 400},
	{"two slashes", "//evil.test/own", "", "", 400, 400},
	{"a host in the path", "/http://evil.test/own", "", "", 400, 200},
	{"NUL", "/api/v5/own/%00", "", "", 400, 400},
	{"line end", "/api/v5/own/%0d%0aX-Evil:evil", "", "", 400, 400},
	{"twice escaped line end", "/api/v5/own/%250d%250aX-Evil:evil", "", "", 400, 400},
	{"broken escape", "/api/v5/own/%zz", "", "", 400, 400},
	{"raw NUL", "/api/v5/own/\x00", "", "", 400, 400},
	{"raw space", "/api/v5/own/a b", "", "", 400, 400},
	{"raw 8-bit", "/api/v5/own/\xff", "", "", 400, 400},

	{"hop by hop", "/api/v5/own", "Connection: Authorization, X-Evil, Cookie\r\nX-Evil: evil\r\nKeep-Alive: " +
		"evil\r\nTE: trailers, evil\r\nProxy-Connection: evil\r\n", "", 200, 200},
	{"proxy credentials", "/api/v5/own", "Proxy-Authorization: Basic evil\r\nProxy-Authenticate: evil\r\n", "", 200,
		200},
	{"where it comes from", "/api/v5/own",
		"X-Forwarded-For: evil\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: evil\r\nX-Forwarded-Port: " +
			"evil\r\nForwarded: for=evil\r\nX-Real-IP: evil\r\nVia: evil\r\n", "", 200, 200},
	{"another method", "/api/v5/own",
		"X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: DELETE\r\n", "", 200, 200},
	{"two hosts", "/api/v5/own", "Host: evil.test\r\n", "", 400, 400},
	{"continue", "/api/v5/own", "Expect: 100-continue\r\n", "", 417, 200},
	{"other expectation", "/api/v5/own", "Expect: evil\r\n", "", 417, 417},
	{"trailers", "/api/v5/own", "Trailer: X-Evil\r\nTransfer-Encoding: chunked\r\n", "0\r\nX-Evil: evil\r\n\r\n", 200,
		200},
	{"chunked and a length", "/api/v5/own", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"0\r\n\r\n" + smuggled, 200, 200},
	{"a length and chunked", "/api/v5/own", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
		"0\r\n\r\n" + smuggled, 200, 200},
	{"two lengths", "/api/v5/own", "Content-Length: 0\r\nContent-Length: 44\r\n", smuggled, 400, 400},
	{"a length with a sign", "/api/v5/own", "Content-Length: +0\r\n", "", 400, 400},
	{"another encoding", "/api/v5/own", "Transfer-Encoding: xchunked\r\n", smuggled, 501, 501},
	{"two encodings", "/api/v5/own", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n", 501,
		501},
	{"a name with a space", "/api/v5/own", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + smuggled, 400, 400},
	{"other protocol", "/api/v5/own",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n", "", 400,
		400},
	{"upgrade without a connection", "/api/v5/own", "Upgrade: websocket\r\n", "", 400, 403},
}

// TestTricks sends paths and headers that try to lead elsewhere, as bytes, through
// both ways to an adopted cluster: EMQX sees the path as it was sent or nothing at
// all, by its own name, as the agent or the person that logs in there, and nobody
// beside it is asked.
func TestTricks(t *testing.T) {
	t.Parallel()
	d := through(t, "5.8.9", agent.BrokerSettings{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Set-Cookie", "theirs=1")
		_, _ = io.WriteString(w, "here")
	})
	api := strings.TrimPrefix(d.url, "http://")
	dashboard, cookie := d.dashboard(t)
	self := strings.TrimPrefix(d.witness.URL, "http://")
	token := d.asUser(t).token // one of those that are made: its form says whose it is
	type way struct {
		name, host, prefix, login string
		status                    func(trick) int
	}
	ways := []way{
		{"call", api, d.calls(), "Authorization: Bearer " + d.token + "\r\nCookie: evil=evil\r\n",
			func(k trick) int { return k.call }},
		{"dashboard", dashboard, "", "Authorization: Bearer " + token + "\r\nCookie: " + cookie + "; evil=evil\r\n",
			func(k trick) int { return k.visit }},
	}
	n := 0
	for _, w := range ways {
		for _, k := range tricks {
			n++
			mark := fmt.Sprintf("mark%d", n)
			sep := "?"
			if strings.Contains(k.target, "?") {
				sep = "&"
			}
			target := k.target + sep + mark
			close := "Connection: close\r\n"
			if strings.Contains(k.headers, "Connection:") {
				close = ""
			}
			method := "GET"
			if k.body != "" {
				method = "POST"
			}
			request := method + " " + w.prefix + target + " HTTP/1.1\r\nHost: " + w.host + "\r\n" + w.login + close +
				k.headers + "\r\n" + k.body
			if close == "" { // so that the answer ends
				request = strings.Replace(request, "Connection: ", "Connection: close, ", 1)
			}
			status, all := raw(t, w.host, request)
			what := fmt.Sprintf("%s, %s: %.400q: %.600s", w.name, k.name, request, all)
			require.Equal(t, w.status(k), status, what)
			require.NotContains(t, all, "\nX-Evil", what)
			require.Empty(t, d.witness.asked("smuggled"), what)
			got := d.witness.asked(mark)
			if status != http.StatusOK {
				require.Empty(t, got, "%s: it got to EMQX", what)
				continue
			}
			require.Len(t, got, 1, what)
			r := got[0]
			require.Equal(t, target, r.RequestURI, what)
			require.Equal(t, method, r.Method, what)
			require.Equal(t, self, r.Host, what)
			require.NotContains(t, fmt.Sprint(r.Header, r.Trailer), "evil", what)
			require.NotContains(t, fmt.Sprint(r.Header), d.token, what)
			require.NotContains(t, fmt.Sprint(r.Header), token, what)
			require.NotContains(t, fmt.Sprint(r.Header), strings.SplitN(cookie, "=", 2)[1], "%s: the session", what)
			require.Empty(t, r.Header["X-Http-Method-Override"], what)
			if w.name == "call" {
				require.Len(t, r.Header["Authorization"], 1, what)
				require.NotContains(t, all, "Set-Cookie", what)
			} else {
				require.Empty(t, r.Header["Authorization"], "%s: nobody is logged in by a link", what)
			}
		}
	}

	// Targets in other forms, which name a host.
	for _, line := range []string{"GET http://evil.test" + d.calls() + "/api/v5/own?marked HTTP/1.1",
		"GET http://evil.test/own?other HTTP/1.1", "CONNECT " + self + " HTTP/1.1", "GET " + self +
			" HTTP/1.1", "OPTIONS * HTTP/1.1", "TRACE " + d.calls() + "/api/v5/own?other HTTP/1.1"} {
		for _, w := range ways {
			_, _ = raw(t, w.host, line+"\r\nHost: "+w.host+"\r\n"+w.login+"Connection: close\r\n\r\n")
		}
	}
	for _, r := range append(d.witness.asked("marked"), d.witness.asked("other")...) {
		require.Equal(t, self, r.Host)
		require.Equal(t, "/", r.RequestURI[:1], "by a path")
	}
}
