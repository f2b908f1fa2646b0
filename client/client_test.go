package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "ecp_0123456789secret"

// serve returns a client of a server that answers so.
func serve(t *testing.T, answer http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	own := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		own.CloseIdleConnections()
		server.Close()
	})
	c, err := client.New(client.Config{Server: server.URL, Token: client.Token(secret), HTTP: own})
	require.NoError(t, err)
	return c
}

func problem(w http.ResponseWriter, status int, code ecp.Code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Request-Id", "r1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "code": code, "detail": detail,
		"errors": []map[string]string{{"pointer": "/spec/nodes", "detail": "is not from 1 to 7"}}})
}

func TestServerAddress(t *testing.T) {
	for _, bad := range []string{"", "ecp.example.com", "ftp://x", "https://", "http://user:" + secret + "@x",
		"http://x?y", "http://x#y"} {
		_, err := client.New(client.Config{Server: bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), secret)
	}
	c, err := client.New(client.Config{Server: "https://ecp.example.com/below/"})
	require.NoError(t, err)
	require.Equal(t, "https://ecp.example.com/below/", c.Server())
}

func TestProblem(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "Bearer "+secret, r.Header.Get("Authorization"))
		problem(w, 404, ecp.CodeNotFound, "no such cluster")
	})
	_, err := c.Cluster(t.Context(), "emqx-01234567")
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	require.NotErrorIs(t, err, ecp.ErrConflict)
	require.Equal(t, "no such cluster: spec.nodes is not from 1 to 7", err.Error())
	require.Equal(t, "r1", p.RequestID)
	require.False(t, p.Unauthorized())
}

// What answers need not be an ecpd.
func TestAnswerOfSomethingElse(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/version" {
			_, _ = io.WriteString(w, "<html>hello</html>")
			return
		}
		http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
	})
	_, err := c.Version(t.Context())
	require.ErrorContains(t, err, "not the JSON that was expected")
	_, err = c.Me(t.Context())
	require.ErrorContains(t, err, "302 Found, and not by an ecpd", "a redirect is not followed with the token")
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := client.New(client.Config{Server: server.URL, Token: client.Token(secret)})
	require.NoError(t, err)
	_, err = c.Me(t.Context())
	var u *client.UnreachableError
	require.ErrorAs(t, err, &u)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, "cannot reach "+server.URL+": ")
	require.NotContains(t, err.Error(), secret)

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrNoProgress)
	_, err = c.Me(ctx)
	require.ErrorIs(t, err, io.ErrNoProgress, "the context's own error")
}

// A call is made again only where nothing can happen twice.
func TestRepeats(t *testing.T) {
	for name, row := range map[string]struct {
		call  func(context.Context, *client.Client) error
		tries int
	}{
		"reading": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Cluster(ctx, "emqx-01234567")
			return err
		}, 3},
		"a change has a key": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Change(ctx, "emqx-01234567", client.Change{Verb: "scale", Body: map[string]int{"nodes": 3}})
			return err
		}, 3},
		"a login has none": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Login(ctx, "ann", "a long password")
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var keys, bodies []string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(b))
				if len(keys) < 3 {
					problem(w, http.StatusServiceUnavailable, ecp.CodeUnavailable, "away")
					return
				}
				_, _ = io.WriteString(w, "{}")
			})
			err := row.call(t.Context(), c)
			require.Len(t, keys, row.tries)
			require.Equal(t, row.tries == 1, err != nil)
			for i := range keys {
				require.Equal(t, keys[0], keys[i])
				require.Equal(t, bodies[0], bodies[i])
			}
		})
	}
}

// A Retry-After of an hour is returned as an error at once, not waited for.
func TestLongRetryAfterIsAnError(t *testing.T) {
	tries := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.Header().Set("Retry-After", "3600")
		problem(w, http.StatusTooManyRequests, ecp.CodeThrottled, "slow down")
	})
	_, err := c.Me(t.Context())
	var p *client.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, time.Hour, p.RetryAfter)
	require.Equal(t, 1, tries)
}

// Ten thousand clusters: a page is asked for when the one before it is used up.
func TestListIsLazy(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		require.Equal(t, "running", r.URL.Query().Get("state"))
		size := 500
		if r.URL.Query().Get("limit") == "7" {
			size = 7
		}
		page := client.Page[client.Cluster]{Next: fmt.Sprint(asked)}
		for i := range size {
			page.Items = append(page.Items, client.Cluster{Name: fmt.Sprint(asked, "-", i)})
		}
		if asked == 20 {
			page.Next = ""
		}
		_ = json.NewEncoder(w).Encode(page)
	})
	running := client.ClusterFilter{State: ecp.Running}
	seen := 0
	for _, err := range c.Clusters(t.Context(), running) {
		require.NoError(t, err)
		if seen++; seen == 501 {
			break
		}
	}
	require.Equal(t, 2, asked)

	asked, seen = 0, 0
	for _, err := range c.Clusters(t.Context(), running) {
		require.NoError(t, err)
		seen++
	}
	require.Equal(t, 10000, seen)

	asked, seen = 0, 0
	running.Most = 7
	for _, err := range c.Clusters(t.Context(), running) {
		require.NoError(t, err)
		seen++
	}
	require.Equal(t, []int{7, 1}, []int{seen, asked})
}

func TestPath(t *testing.T) {
	require.Equal(t, "/a%2Fb/%2E%2E/%E4%B8%AD", client.Path("a/b", "..", "中"))
}

// A stream goes on where it broke, and ends where that cannot help.
func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var since []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		since = append(since, r.URL.Query().Get("since"))
		n := len(since)
		mu.Unlock()
		require.Equal(t, "a/b", r.URL.Query().Get("project"))
		if n == 4 {
			problem(w, http.StatusGone, ecp.CodeGone, "list again")
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		switch n {
		case 1: // the second event is cut short
			_, _ = io.WriteString(w, "retry: 2000\nid: 7\n\n:\n\nid: 8\n"+
				"event: cluster\ndata: {\"kind\":\"cluster\",\"key\":\"x\"}\n\n"+
				"id: 9\nevent: cluster\ndata: {\"ki")
		case 2:
			_, _ = io.WriteString(w, "id: 8\n\nid: 9\ndata: {\"kind\":\"cluster\",\ndata: \"key\":\"y\"}\n\n")
		case 3:
			_, _ = io.WriteString(w, "id: 9\n\nevent: problem\n"+
				"data: {\"status\":503,\"code\":\"unavailable\",\"detail\":\"ends\"}\n\n")
		}
	})
	var got []string
	var end error
	for e, err := range c.Events(t.Context(), client.EventOptions{Project: "a/b"}) {
		if err != nil {
			end = err
			break
		}
		got = append(got, fmt.Sprint(e.Seq, e.Kind, e.Key))
	}
	require.ErrorIs(t, end, ecp.ErrGone)
	require.Equal(t, []string{"7", "8clusterx", "8", "9clustery", "9"}, got)
	require.Equal(t, []string{"", "8", "9", "9"}, since)
}

func TestEventsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "id: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	var end error
	for _, err := range c.Events(ctx, client.EventOptions{}) {
		if end = err; err == nil {
			cancel()
		}
	}
	require.ErrorIs(t, end, context.Canceled)
}

func TestEventsOfNoServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := client.New(client.Config{Server: server.URL})
	require.NoError(t, err)
	for _, err = range c.Events(t.Context(), client.EventOptions{}) {
	}
	require.ErrorIs(t, err, ecp.ErrUnavailable)
}

func TestEventOfTooManyBytes(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "id: 1\n\ndata: ")
		_, _ = io.WriteString(w, strings.Repeat("x", 5<<20))
		_, _ = io.WriteString(w, "\n\n")
	})
	var end error
	for _, end = range c.Events(t.Context(), client.EventOptions{}) {
	}
	require.ErrorContains(t, end, "longer than it may be")
}

func TestFollowLogs(t *testing.T) {
	tries := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "true", r.URL.Query().Get("follow"))
		if tries++; tries == 2 {
			require.Equal(t, "2026-01-02T03:04:05.000000001Z", r.URL.Query().Get("since"))
			problem(w, http.StatusNotFound, ecp.CodeNotFound, "gone")
			return
		}
		require.False(t, r.URL.Query().Has("since"))
		_, _ = io.WriteString(w, "event: line\ndata: {\"at\":\"2026-01-02T03:04:05Z\",\"raw\":\"hello\"}\n\n")
	})
	var lines []string
	var end error
	for l, err := range c.FollowLogs(t.Context(), "emqx-01234567", url.Values{}) {
		if end = err; err == nil {
			lines = append(lines, l.Raw)
		}
	}
	require.Equal(t, []string{"hello"}, lines)
	require.ErrorIs(t, end, ecp.ErrNotFound)
}

// Steps are told as they change, a server that is away in between is waited for, and an
// operation that failed is returned and no error.
func TestWaitOperation(t *testing.T) {
	answers := []string{
		`{"id":"op-1","phase":"running","steps":[{"name":"create","done":0,"total":3}]}`,
		`{"id":"op-1","phase":"running","steps":[{"name":"create","done":0,"total":3}]}`,
		"", "", "", "", // as often as a call is made
		`{"id":"op-1","phase":"running","steps":[{"name":"create","done":2,"total":3}]}`,
		`{"id":"op-1","phase":"failed","error":"out of nodes"}`,
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		a := answers[0]
		answers = answers[1:]
		if a == "" {
			problem(w, http.StatusServiceUnavailable, ecp.CodeUnavailable, "away")
			return
		}
		_, _ = io.WriteString(w, a)
	})
	var told []string
	o, err := c.WaitOperation(t.Context(), "op-1", func(o ecp.Operation) {
		told = append(told, fmt.Sprint(o.Steps[0].Done, "/", o.Steps[0].Total))
	})
	require.NoError(t, err)
	require.Equal(t, ecp.PhaseFailed, o.Phase)
	require.Equal(t, []string{"0/3", "2/3"}, told)
	require.Empty(t, answers)
}

func TestChange(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("If-Match")+" "+r.Header.Get("If-Plan"))
		switch {
		case r.URL.Query().Has("dryRun"):
			_, _ = io.WriteString(w, `{"nothing":false,"hash":"abc","clients":{"cut":3}}`)
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Operation-Location", "/api/v1/operations/op-1")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"op-1","phase":"running"}`)
		}
	})
	const id = "emqx-01234567"
	restart := client.Change{Verb: "restart", If: 7, Now: true}
	plan, err := c.Plan(t.Context(), id, restart)
	require.NoError(t, err)
	require.Equal(t, 3, plan.Clients.Cut)
	restart.IfPlan = plan.Hash
	o, err := c.Change(t.Context(), id, restart)
	require.NoError(t, err)
	require.EqualValues(t, "op-1", o.ID)
	o, err = c.Change(t.Context(), id, client.Change{Delete: true, Force: true})
	require.NoError(t, err)
	require.Empty(t, o.ID)
	require.Equal(t, []string{
		`POST /api/v1/clusters/emqx-01234567/restart?dryRun=true&now=true "7" `,
		`POST /api/v1/clusters/emqx-01234567/restart?now=true "7" abc`,
		`DELETE /api/v1/clusters/emqx-01234567?force=true  `,
	}, asked)
}
