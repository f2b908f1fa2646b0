package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// logLife is an API with a cluster of three nodes that run.
type logLife struct {
	*fixture
	id    string
	path  string
	nodes []string
}

func newLogLife(t *testing.T, s setup) *logLife {
	t.Helper()
	s.run = true
	f := newFixture(t, s)
	f.api.heartbeat = 20 * time.Millisecond
	l := &logLife{fixture: f, id: f.create()}
	l.path = clustersPath + "/" + l.id + "/logs"
	f.awaitState(l.id, "running")
	var list struct{ Items []struct{ Name string } }
	f.call(asUser, http.MethodGet, clustersPath+"/"+l.id+"/nodes", "").want(http.StatusOK).into(&list)
	for _, n := range list.Items {
		l.nodes = append(l.nodes, n.Name)
	}
	require.Len(t, l.nodes, 3)
	return l
}

func (l *logLife) read(query string) (v logsView) {
	l.t.Helper()
	l.call(asUser, http.MethodGet, l.path+query, "").want(http.StatusOK).into(&v)
	return v
}

func TestLogs(t *testing.T) {
	l := newLogLife(t, setup{})
	l.sim.Cluster(ecp.ID(l.id)).Node(l.nodes[1]).RaiseAlarm("drill", "only a drill", nil)
	all := l.read("")
	require.Empty(t, all.Gaps)
	for _, n := range l.nodes {
		require.True(t, slices.ContainsFunc(all.Items, func(v logView) bool {
			return v.Node == n && v.Level == "" && strings.Contains(v.Message, "is running now!") && v.Message == v.Raw
		}), n)
	}
	got := l.read("?level=warning&q=ONLY+A&limit=10&node=" + url.QueryEscape(l.nodes[1])).Items
	require.Len(t, got, 1)
	require.Equal(t, "alarm_is_activated", got[0].Message)
	require.Equal(t, ecp.LogLevel("warning"), got[0].Level)
	require.Equal(t, "drill", got[0].Fields["name"])
	require.WithinDuration(t, time.Now(), got[0].At, time.Minute)
	require.Empty(t, l.read("?q=drill&node="+url.QueryEscape(l.nodes[0])).Items)
	require.Empty(t, l.read("?until="+url.QueryEscape(got[0].At.Add(-time.Hour).Format(time.RFC3339))).Items)
	require.Empty(t, l.read("?since="+url.QueryEscape(got[0].At.Add(time.Hour).Format(time.RFC3339))).Items)
	require.Len(t, l.read("?limit=2").Items, 2)

	text := l.call(asUser, http.MethodGet, l.path+"?format=text&q=drill", "").want(http.StatusOK)
	require.Equal(t, "text/plain; charset=utf-8", text.header.Get("Content-Type"))
	require.Equal(t, got[0].Raw+"\n", string(text.body))

	l.call(asForeign, http.MethodGet, l.path, "").want(http.StatusNotFound)
	l.call(asForeign, http.MethodGet, l.path+"?follow=true", "").want(http.StatusNotFound)
	l.call(asAdmin, http.MethodGet, l.path+"?node=emqx%40elsewhere", "").want(http.StatusNotFound)
	adopted := l.call(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"theirs"}`).
		want(http.StatusCreated).cluster().ID
	p := l.call(asAdmin, http.MethodGet, clustersPath+"/"+adopted+"/logs", "").want(http.StatusConflict).problem()
	require.Contains(t, p.Detail, "set `cluster.agent`", "nobody is there who could read them")
	l.call(asForeign, http.MethodGet, clustersPath+"/"+adopted+"/logs", "").want(http.StatusNotFound)
}

// What is wrong with a query is told by the parameter.
func TestLogsRefuse(t *testing.T) {
	l := newLogLife(t, setup{})
	for query, pointer := range map[string]string{
		"level=loud": "/query/level", "limit=0": "/query/limit", "limit=10001": "/query/limit",
		"limit=x":         "/query/limit",
		"since=yesterday": "/query/since", "until=2026-01-01": "/query/until", "follow=yes": "/query/follow",
		"format=xml":                                            "/query/format",
		"format=text&follow=true":                               "/query/format",
		"until=2026-01-01T00:00:00Z&follow=true":                "/query/until",
		"since=2026-01-01T00:00:01Z&until=2026-01-01T00:00:00Z": "/query/until",
		"tail=5": "/query/tail",
	} {
		p := l.call(asUser, http.MethodGet, l.path+"?"+query, "").want(http.StatusUnprocessableEntity).problem()
		require.Equal(t, ecp.CodeInvalid, p.Code, query)
		require.Len(t, p.Errors, 1, query)
		require.Equal(t, pointer, p.Errors[0].Pointer, query)
	}
}

// A node without a process is told, and hides nobody else.
func TestLogsOfANodeThatIsDown(t *testing.T) {
	l := newLogLife(t, setup{})
	require.NoError(t, l.sim.Break(ecp.ID(l.id), 0, "ImagePullBackOff"))
	v := l.read("")
	require.Len(t, v.Gaps, 1)
	require.Equal(t, l.nodes[0], v.Gaps[0].Node)
	require.Contains(t, v.Gaps[0].Why, "ImagePullBackOff")
	require.True(t, slices.ContainsFunc(v.Items, func(i logView) bool { return i.Node == l.nodes[2] }))
	text := l.call(asUser, http.MethodGet, l.path+"?format=text", "").want(http.StatusOK)
	require.Contains(t, string(text.body), "\n# "+l.nodes[0]+": ")
}

// logStream reads a stream of a log.
type logStream struct {
	t     testing.TB
	lines *bufio.Reader
}

func (l *logLife) follow(token, query string) *logStream {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	resp, err := l.server.Client().
		Do(l.request(token, http.MethodGet, l.path+"?follow=true"+query, nil).WithContext(ctx))
	require.NoError(l.t, err)
	l.t.Cleanup(func() { cancel(); resp.Body.Close() })
	require.Equal(l.t, http.StatusOK, resp.StatusCode)
	require.Equal(l.t, eventStream, resp.Header.Get("Content-Type"))
	return &logStream{l.t, bufio.NewReader(resp.Body)}
}

// until reads until an event of a name has a text, and gives all that came.
func (s *logStream) until(event, text string) string {
	s.t.Helper()
	var all strings.Builder
	name := ""
	for {
		line, err := s.lines.ReadString('\n')
		require.NoError(s.t, err, "%s %s did not come, but %s", event, text, &all)
		all.WriteString(line)
		if strings.HasPrefix(line, "event: ") {
			name = strings.TrimSpace(line[7:])
		}
		if name == event && strings.HasPrefix(line, "data: ") && strings.Contains(line, text) {
			return all.String()
		}
	}
}

func (s *logStream) ends() {
	s.t.Helper()
	_, err := io.Copy(io.Discard, s.lines)
	require.NoError(s.t, err, "nothing is behind the problem")
}

// A log that is followed goes on over a pod that is replaced, and ends with
// the cluster.
func TestLogsFollow(t *testing.T) {
	l := newLogLife(t, setup{})
	sim := l.sim.Cluster(ecp.ID(l.id))
	s := l.follow(asUser, "&q=alarm")
	sim.Node(l.nodes[0]).RaiseAlarm("one", "alarm one", nil)
	s.until("line", "alarm one")
	all := l.follow(asUser, "")
	all.until("line", "alarm one")
	require.NoError(t, l.sim.DeletePod(ecp.ID(l.id), 0))
	all.until("line", `"`+l.nodes[0]+`","level":"","message":"EMQX 5`)
	l.awaitState(l.id, "running")
	sim.Node(l.nodes[0]).RaiseAlarm("two", "alarm two", nil)
	require.NotContains(t, s.until("line", "alarm two"), "running now")
	l.call(asAdmin, http.MethodDelete, clustersPath+"/"+l.id, "").want(http.StatusAccepted)
	s.until("problem", "not_found")
	s.ends()
}

// A stream ends with the process, at once, and with the right.
func TestLogsFollowEnds(t *testing.T) {
	l := newLogLife(t, setup{})
	ctx := ecp.WithActor(t.Context(), ecp.System)
	const password = "correct horse battery"
	_, err := l.manager.Accounts.CreateUser(ctx, tenancy.UserRequest{Name: "sam", Password: password,
		Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}})
	require.NoError(t, err)
	session, err := l.manager.Accounts.Login(t.Context(), "sam", password)
	require.NoError(t, err)
	hers := l.follow(session.Secret, "")
	hers.until("line", "running now")
	yes := true
	_, err = l.manager.Accounts.UpdateUser(ctx, "sam", tenancy.UserChange{Disabled: &yes})
	require.NoError(t, err)
	hers.until("problem", "denied")
	hers.ends()

	s := l.follow(asUser, "")
	s.until("line", "running now")
	began := time.Now()
	close(l.done)
	s.until("problem", "the server is shutting down")
	s.ends()
	require.Less(t, time.Since(began), 2*time.Second)
}

// A client that does not read is left, and nobody waits for it.
func TestLogsToASlowReader(t *testing.T) {
	var open atomic.Int32
	l := newLogLife(t, setup{wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/logs") && r.URL.RawQuery == "follow=true" {
				open.Add(1)
				defer open.Add(-1)
			}
			h.ServeHTTP(w, r)
		})
	}})
	l.api.writeTimeout = 50 * time.Millisecond
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET %s?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", l.path,
		asSystem)
	require.NoError(t, err)
	l.eventually("the stream is open", func() (bool, any) { return open.Load() == 1, open.Load() })
	node := l.sim.Cluster(ecp.ID(l.id)).Node(l.nodes[0])
	n := 0
	l.eventually("the stream is given up", func() (bool, any) {
		for range 200 {
			n++
			node.RaiseAlarm("drill", strings.Repeat("x", 4000), nil)
			node.ClearAlarm("drill")
		}
		return open.Load() == 0, n
	})
	require.NotEmpty(t, l.read("?limit=1").Items)
}
