package httpapi

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// event is one server-sent event as a client reads it.
type event struct {
	id, name string
	data     eventView
	problem  problemView // of the event that ends a stream
	comment  bool
}

// listener is a client of the event stream.
type listener struct {
	t      testing.TB
	cancel context.CancelFunc
	body   io.ReadCloser
	lines  *bufio.Reader
	last   string // id of the last event, as a browser keeps it
}

// listen opens a stream; lastID "" = from now on.
func (f *fixture) listen(token, query, lastID string) *listener {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	r := f.request(token, http.MethodGet, "/api/v1/events"+query, nil).WithContext(ctx)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := f.server.Client().Do(r) //nolint:bodyclose // listener.close does
	require.NoError(f.t, err)
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		f.t.Fatalf("events: %d %s", resp.StatusCode, body)
	}
	require.Equal(f.t, "text/event-stream", resp.Header.Get("Content-Type"))
	l := &listener{t: f.t, cancel: cancel, body: resp.Body, lines: bufio.NewReader(resp.Body)}
	f.t.Cleanup(l.close)
	head := l.next()
	require.Empty(f.t, head.name)
	require.NotEmpty(f.t, l.last, "a stream begins with an id")
	return l
}

func (l *listener) close() {
	l.cancel()
	l.body.Close()
}

// next reads one event, or one comment, or the head.
func (l *listener) next() event {
	l.t.Helper()
	e, err := l.read()
	require.NoError(l.t, err)
	return e
}

func (l *listener) read() (e event, err error) {
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			if e.id != "" {
				l.last = e.id
			}
			return e, nil
		case key == "":
			e.comment = true
		case key == "id":
			e.id = value
		case key == "event":
			e.name = value
		case key == "data" && e.name == "problem":
			if err := json.Unmarshal([]byte(value), &e.problem); err != nil {
				return e, fmt.Errorf("data %s: %w", value, err)
			}
		case key == "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				return e, fmt.Errorf("data %s: %w", value, err)
			}
		}
	}
}

// until reads events until one of a cluster has the state, and gives the
// states of clusters on the way; numbers must grow.
func (l *listener) until(state string) []string {
	l.t.Helper()
	var states []string
	for {
		before, _ := strconv.ParseInt(l.last, 10, 64)
		e := l.next()
		if e.comment {
			continue
		}
		require.Greater(l.t, e.data.Seq, before)
		require.Equal(l.t, e.id, strconv.FormatInt(e.data.Seq, 10))
		require.Equal(l.t, e.name, string(e.data.Kind))
		require.NotEqual(l.t, ecp.KindToken, e.data.Kind)
		if e.data.Kind != ecp.KindCluster {
			continue
		}
		if n := len(states); n == 0 || states[n-1] != e.data.State {
			states = append(states, e.data.State)
		}
		if e.data.State == state {
			return states
		}
	}
}

// An adopted cluster's agents are followed, by what is stored of them and without
// their keys.
func TestEventsOfAgents(t *testing.T) {
	f := newFixture(t, setup{agents: withAgents})
	id := f.adopt()
	l := f.listen(asUser, "", "")
	var guide setupView
	f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/setup", `{}`).want(http.StatusCreated).into(&guide)
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	a, err := f.manager.Agents.Register(t.Context(),
		ecp.AgentRegistration{Token: ecp.Secret(guide.Token), PublicKey: public, Hostname: "broker-1"})
	require.NoError(t, err)
	f.call(asAdmin, http.MethodDelete, clustersPath+"/"+id+"/agents/"+string(a.ID), "").want(http.StatusNoContent)
	var got []eventView
	for len(got) < 2 {
		if e := l.next(); e.data.Kind == ecp.KindAgent {
			got = append(got, e.data)
		}
	}
	for i, e := range got {
		require.Equal(t, []any{string(a.ID), id, "default/default", i == 1},
			[]any{e.Key, e.Parent, e.Project, e.Deleted})
		object := e.Object.(map[string]any)
		delete(object, "registeredAt")
		require.Equal(t, map[string]any{"id": string(a.ID), "hostname": "broker-1"}, object)
	}
}

func TestEventsFollowALife(t *testing.T) {
	f := newFixture(t, setup{run: true})
	l := f.listen(asUser, "", "")
	id := f.create()
	require.Equal(t, []string{"creating", "running"}, l.until("running"))
	l.close()

	// What happens meanwhile is there when the client comes back.
	f.awaitState(id, "running")
	f.call(asAdmin, http.MethodPost, clustersPath+"/"+id+"/stop", "").want(http.StatusAccepted)
	f.awaitState(id, "stopped")
	again := f.listen(asUser, "?since=0", l.last) // the header is the stronger one
	states := again.until("stopped")
	require.Subset(t, []string{"running", "stopping", "stopped"}, states)
	require.Contains(t, states, "stopping")

	f.call(asAdmin, http.MethodDelete, clustersPath+"/"+id, "").want(http.StatusAccepted)
	again.until("gone")

	var events []eventView
	for all := f.listen(asUser, "?since=0", ""); ; {
		e := all.next()
		if e.data.Kind != ecp.KindCluster || e.data.Key != id {
			continue
		}
		events = append(events, e.data)
		if n := len(events); n > 1 {
			require.NotEqual(t, events[n-2].Object, events[n-1].Object, "it says nothing new")
		}
		status := e.data.Object.(map[string]any)["status"].(map[string]any)
		require.Equal(t, e.data.State == "gone", e.data.Deleted)
		require.Equal(t, e.data.State, status["state"])
		require.Contains(t, f.api.schemas().Map()["Status"].Properties["state"].Enum, status["state"])
		if e.data.Deleted {
			require.Equal(t, map[string]any{"zh": "已删除", "en": "Deleted"}, status["label"])
			break
		}
	}
	require.Equal(t, "creating", events[0].State, "everything is there from the beginning")
}

// From wherever a client resumes, the next event is the next one.
func TestEventsResumeWithoutAGap(t *testing.T) {
	f := newFixture(t, setup{})
	f.create()
	f.call(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"last"}`).want(http.StatusCreated)
	var ids []string
	for l := f.listen(asUser, "?since=0", ""); ; {
		e := l.next()
		ids = append(ids, e.id)
		if object, ok := e.data.Object.(map[string]any); ok && object["name"] == "last" {
			break
		}
	}
	require.Greater(t, len(ids), 5)
	for i, id := range ids[:len(ids)-1] {
		require.Equal(t, ids[i+1], f.listen(asUser, "?since="+id, "").next().id)
		require.Equal(t, ids[i+1], f.listen(asUser, "", id).next().id)
	}
}

func TestEventIsACluster(t *testing.T) {
	f := newFixture(t, setup{})
	l := f.listen(asUser, "", "")
	id := f.create()
	for {
		e := l.next()
		if e.data.Kind != ecp.KindCluster {
			continue
		}
		require.Equal(t, id, e.data.Key)
		require.Equal(t, "default/default", e.data.Project)
		object, _ := e.data.Object.(map[string]any)
		status, _ := object["status"].(map[string]any)
		require.Equal(t, id, object["id"])
		require.Equal(t, "creating", status["state"])
		require.NotContains(t, status, "nodes")
		return
	}
}

// Who may read nothing of it learns nothing, and a filter leaves out the rest.
func TestEventsAreOnlyOnesOwn(t *testing.T) {
	f := newFixture(t, setup{})
	foreign := f.listen(asForeign, "", "")
	filtered := f.listen(asSystem, "?project=other/one", "")
	f.create()
	require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error {
		if err := ecp.Put(tx, ecp.Project{Path: "secret/plans"}, 0); err != nil {
			return err
		}
		return ecp.Put(tx, ecp.Token{ID: "t9", Hash: "hash", Name: "n", Role: ecp.RoleSystem}, 0)
	}))
	f.call(asOrg, http.MethodPost, clustersPath, `{"mode":"adopted","project":"other/one","name":"delta"}`).
		want(http.StatusCreated)
	for e := foreign.next(); e.data.Kind != ecp.KindCluster; e = foreign.next() {
		require.Equal(t, ecp.KindPool, e.data.Kind, "%+v", e.data)
	}
	require.Equal(t, ecp.KindCluster, filtered.next().data.Kind)
}

func TestEventsBeatAndEndWithTheProcess(t *testing.T) {
	f := newFixture(t, setup{})
	f.api.heartbeat = 5 * time.Millisecond
	l := f.listen(asUser, "", "")
	require.True(t, l.next().comment)
	require.True(t, l.next().comment)
	close(f.done)
	var last event
	f.eventually("the stream ends", func() (bool, any) {
		e, err := l.read()
		if err == nil {
			last = e
		}
		return err == io.EOF, err //nolint:errorlint // a stream that ends cleanly ends so
	})
	require.Equal(t, "problem", last.name, "the client is told")
	require.Empty(t, last.id, "and goes on from the last change it has seen")
}

func TestEventsHead(t *testing.T) {
	f := newFixture(t, setup{})
	r := f.call(asUser, http.MethodHead, "/api/v1/events", "").want(http.StatusOK)
	require.Equal(t, "text/event-stream", r.header.Get("Content-Type"))
}

// failingFeed is a store whose changes end with an error.
type failingFeed struct {
	ecp.Store
	err     error
	release chan struct{} // nil = at once
}

func (s failingFeed) Changes(ctx context.Context, _ int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		if s.release != nil {
			select {
			case <-s.release:
			case <-ctx.Done():
			}
		}
		yield(ecp.Change{}, s.err)
	}
}

func TestEventsTooOld(t *testing.T) {
	gone := &ecp.Error{Code: ecp.CodeGone, Op: "read changes", Message: "older than what is kept"}
	f := newFixture(t, setup{store: func(s ecp.Store) ecp.Store { return failingFeed{Store: s, err: gone} }})
	p := f.call(asUser, http.MethodGet, "/api/v1/events?since=0", "").want(http.StatusGone).problem()
	require.Equal(t, ecp.CodeGone, p.Code)
}

// A stream that has begun says why it ends.
func TestEventsFailLater(t *testing.T) {
	release := make(chan struct{})
	f := newFixture(t, setup{store: func(s ecp.Store) ecp.Store { return failingFeed{s, errSecret, release} }})
	l := f.listen(asUser, "", "")
	close(release)
	e, err := l.read()
	require.NoError(t, err)
	require.Equal(t, "problem", e.name)
	_, err = l.read()
	require.Error(t, err)
	require.NotContains(t, fmt.Sprint(e), "secret")
}

// A client that does not read holds up nobody, and not for ever. How its stream ended is told.
func TestEventsToASlowReader(t *testing.T) {
	for name, c := range map[string]struct {
		patience time.Duration
		end      StreamEnd
	}{"cut off": {50 * time.Millisecond, StreamSlow}, "breaks off": {time.Minute, StreamGone}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, setup{})
			var open atomic.Int32
			ends := make(chan StreamEnd, 1)
			f.api.streamObserver = func(context.Context) func(StreamEnd) {
				open.Add(1)
				return func(e StreamEnd) { ends <- e }
			}
			f.api.writeTimeout = c.patience
			conn, err := net.Dial("tcp", f.server.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
				asSystem)
			require.NoError(t, err)
			f.eventually("the stream is open", func() (bool, any) { return open.Load() == 1, open.Load() })
			_, err = io.ReadFull(conn, make([]byte, len("HTTP/1.1 200 OK"))) // and has a position
			require.NoError(t, err)
			long := strings.Repeat("x", 256<<10)
			for i := range 100 {
				require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error {
					return ecp.Put(tx, ecp.Image{ID: "image-" + strconv.Itoa(i), Reference: long}, 0)
				}))
			}
			f.call(asSystem, http.MethodGet, clustersPath, "").want(http.StatusOK) // others are served
			if c.end == StreamGone {
				require.NoError(t, conn.Close())
			}
			require.Equal(t, c.end, <-ends)
		})
	}
}

// A stream ends when whoever reads it may not any more, or sees other things
// than before.
func TestEventsEndWithTheRight(t *testing.T) {
	f := newFixture(t, setup{})
	f.api.heartbeat = 5 * time.Millisecond
	ctx := ecp.WithActor(t.Context(), ecp.System)
	const password = "correct horse battery"
	_, err := f.manager.Accounts.CreateUser(ctx, tenancy.UserRequest{Name: "sam", Password: password,
		Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}})
	require.NoError(t, err)
	login := func() string {
		s, err := f.manager.Accounts.Login(t.Context(), "sam", password)
		require.NoError(t, err)
		return s.Secret
	}
	ends := func(l *listener, code ecp.Code) {
		for {
			e, err := l.read()
			require.NoError(t, err)
			if e.name == "problem" {
				require.Equal(t, code, e.problem.Code)
				_, err = l.read()
				require.Error(t, err, "and there is nothing behind it")
				return
			}
			require.True(t, e.comment || e.data.Kind != "", "%+v", e)
		}
	}
	demoted := f.listen(login(), "", "")
	grants := []ecp.Grant{{Role: ecp.RoleUser, Project: "other/one"}}
	_, err = f.manager.Accounts.UpdateUser(ctx, "sam", tenancy.UserChange{Grants: &grants})
	require.NoError(t, err)
	ends(demoted, ecp.CodeUnavailable)

	disabled := f.listen(login(), "", "")
	yes := true
	_, err = f.manager.Accounts.UpdateUser(ctx, "sam", tenancy.UserChange{Disabled: &yes})
	require.NoError(t, err)
	ends(disabled, ecp.CodeDenied)
}

// Nothing that happens after a token is deleted or a right is taken is told
// under it: the stream does not wait for its next sign of life.
func TestEventsEndAtOnce(t *testing.T) {
	for name, lose := range map[string]func(f *fixture, ctx context.Context, token string){
		"token deleted": func(f *fixture, ctx context.Context, token string) {
			require.NoError(f.t, f.manager.Accounts.DeleteToken(ctx, token))
		},
		"logged out": func(f *fixture, _ context.Context, token string) {
			f.call(token, http.MethodPost, "/api/v1/logout", "").want(http.StatusNoContent)
		},
		"new grants": func(f *fixture, ctx context.Context, _ string) {
			grants := []ecp.Grant{{Role: ecp.RoleUser, Project: "other/one"}}
			_, err := f.manager.Accounts.UpdateUser(ctx, "sam", tenancy.UserChange{Grants: &grants})
			require.NoError(f.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, setup{})
			ctx := ecp.WithActor(t.Context(), ecp.System)
			const password = "correct horse battery"
			grant := ecp.Grant{Role: ecp.RoleUser, Project: "default/default"}
			_, err := f.manager.Accounts.CreateUser(ctx,
				tenancy.UserRequest{Name: "sam", Password: password, Grants: []ecp.Grant{grant}})
			require.NoError(t, err)
			session, err := f.manager.Accounts.Login(t.Context(), "sam", password)
			require.NoError(t, err)
			made, err := f.manager.Accounts.CreateToken(ctx, tenancy.TokenRequest{Name: "sam", Grant: grant})
			require.NoError(t, err)
			secret, lost := session.Secret, session.Secret
			if name == "token deleted" {
				secret, lost = made.Secret, made.ID
			}
			l := f.listen(secret, "", "")
			other := f.listen(asUser, "", "")
			lose(f, ctx, lost)
			f.create()
			for {
				e := l.next()
				require.NotEqual(t, "cluster", e.name, "%+v", e.data)
				if e.name == "problem" {
					require.Equal(t, name != "new grants", e.problem.Status == http.StatusUnauthorized, "%+v",
						e.problem)
					break
				}
			}
			for other.next().name != "cluster" {
			}
		})
	}
}
