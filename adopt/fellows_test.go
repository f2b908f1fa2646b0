package adopt_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// TestAgentsElsewhere: each of two daemons shows and reaches the agents of both, one of
// which has a clock that is an hour ahead.
func TestAgentsElsewhere(t *testing.T) {
	t.Parallel()
	tm := newTeam(t, 1)
	tm.join(time.Hour)
	tm.untilAllHear()
	a, b := tm.daemons[0], tm.daemons[1]
	id, agents := tm.adopted(a, b)
	cancelled := make(chan struct{}, 1)
	agents[0].dashboard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.EscapedPath() {
		case "/a%2Fb//c":
			fmt.Fprint(w, r.URL.RawQuery, " ", r.Header.Get("X-Forwarded-For"), " ", r.Header.Get("Authorization"))
		case "/stream":
			fmt.Fprintln(w, "one")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			cancelled <- struct{}{}
		case "/upgrade":
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = rw.Flush()
			_, _ = io.Copy(conn, rw)
		case "/forged":
			w.Header().Set("Ecp-Peer-Error", "not-connected")
			fmt.Fprint(w, "from the broker")
		}
	})
	agents[0].logs = lines{"first", "second"}
	for _, x := range agents {
		x.start()
	}
	tm.untilServed(id, agents)
	first, second := ecp.AgentID(agents[0].identity.Agent), ecp.AgentID(agents[1].identity.Agent)
	for _, d := range tm.daemons {
		o, _ := d.hub.Observe(id).Of(first)
		require.Equal(t, "host-1", hostname(t, d, id, first))
		require.Less(t, d.ago(o.Report.At).Abs(), time.Minute, "times are those of the clock of who asks")
		require.Less(t, d.ago(o.Since).Abs(), time.Minute)
	}
	require.Equal(t, 1, a.hub.Stats().Connected["direct"], "each daemon counts its own")
	require.Equal(t, 1, b.hub.Stats().Connected["direct"])

	t.Run("dashboard", func(t *testing.T) { dashboardElsewhere(t, b, id, agents[0], cancelled) })
	t.Run("logs", func(t *testing.T) {
		var got []string
		for l, err := range b.hub.Logs(t.Context(), id, first, ecp.AgentLogQuery{Tail: 10}) {
			require.NoError(t, err)
			if l.Text != "" {
				got = append(got, l.Text)
			}
		}
		require.Equal(t, []string{"first", "second"}, got)
	})
	t.Run("remove", func(t *testing.T) {
		require.NoError(t, a.Agents.Remove(tm.as(), id, second))
		eventually(t, func() bool { return agents[1].refusal() == agentproto.RefusedRemoved },
			func() string { return string(agents[1].refusal()) })
		for _, d := range tm.daemons { // a may be told of it by a line that was on its way
			eventually(t, func() bool { _, there := d.hub.Observe(id).Of(second); return !there },
				func() string { return "it is still there" })
		}
	})
}

func hostname(t *testing.T, d *daemon, id ecp.ID, agent ecp.AgentID) string {
	t.Helper()
	all, err := d.Agents.List(ecp.WithActor(t.Context(), ecp.System), id)
	require.NoError(t, err)
	for _, a := range all {
		if a.ID == agent {
			return a.Hostname
		}
	}
	return ""
}

// lines is a log that does not grow.
type lines []string

// ReadLogs returns the lines.
func (l lines) ReadLogs(context.Context, agentproto.LogQuery) (iter.Seq2[agentproto.LogLine, error], error) {
	return func(yield func(agentproto.LogLine, error) bool) {
		for i, text := range l {
			if !yield(agentproto.LogLine{At: time.Now(), Text: text, Mark: fmt.Sprint("m", i)}, nil) {
				return
			}
		}
	}, nil
}

func dashboardElsewhere(t *testing.T, d *daemon, id ecp.ID, b *beside, cancelled chan struct{}) {
	e, err := d.hub.Dashboard(t.Context(), id, b.node.Name())
	require.NoError(t, err)
	send := func(ctx context.Context, path string, header http.Header) (status int, body io.ReadCloser) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.BaseURL+path, http.NoBody)
		require.NoError(t, err)
		req.Header = header
		res, err := e.Transport.RoundTrip(req)
		require.NoError(t, err)
		return res.StatusCode, res.Body
	}
	read := func(path string, header http.Header) string {
		_, body := send(t.Context(), path, header)
		defer body.Close()
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		return string(text)
	}
	sent := http.Header{"X-Forwarded-For": {"203.0.113.7"}, "Authorization": {"Bearer x"}}
	assert.Equal(t, "x=1;2 203.0.113.7 Bearer x", read("/a%2Fb//c?x=1;2", sent), "what is sent arrives as it is")
	assert.Equal(t, "from the broker", read("/forged", http.Header{}))

	ctx, cancel := context.WithCancel(t.Context())
	_, body := send(ctx, "/stream", http.Header{})
	line, err := bufio.NewReader(body).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "one\n", line, "each piece arrives by itself")
	cancel()
	eventually(t, func() bool { return len(cancelled) == 1 }, func() string { return "the agent was not told" })
	_ = body.Close()

	status, body := send(t.Context(), "/upgrade", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}})
	require.Equal(t, http.StatusSwitchingProtocols, status)
	stream, ok := body.(io.ReadWriteCloser)
	require.True(t, ok)
	for _, word := range []string{"hello", "again"} {
		_, err = io.WriteString(stream, word)
		require.NoError(t, err)
		got := make([]byte, len(word))
		_, err = io.ReadFull(stream, got)
		require.NoError(t, err)
		assert.Equal(t, word, string(got))
	}
	require.NoError(t, stream.Close())
}

// watchStates returns what the states of a cluster have been since it was called.
func (tm *team) watchStates(id ecp.ID) (states func() []string) {
	ctx, cancel := context.WithCancel(context.Background())
	var after int64
	require.NoError(tm.t, tm.store.Read(ctx, func(tx ecp.Tx) (err error) { after, err = tx.Seq(); return err }))
	found, ended := []string{}, make(chan struct{})
	go func() {
		defer close(ended)
		for c, err := range tm.store.Changes(ctx, after) {
			if err != nil {
				return
			}
			if r, ok := c.Payload.(ecp.ClusterRecord); ok && r.ID == id {
				found = append(found, fmt.Sprint(r.Status.State, " ", r.Status.Reason, " ", r.Status.Message))
			}
		}
	}()
	stop := func() { cancel(); <-ended }
	tm.t.Cleanup(stop)
	return func() []string { stop(); return found }
}

func (tm *team) untilRunning(id ecp.ID) {
	tm.t.Helper()
	state := func() string {
		info, err := tm.daemons[0].Cluster(id).Get(tm.as())
		require.NoError(tm.t, err)
		return string(info.Status.State) + " " + info.Status.Message
	}
	eventually(tm.t, func() bool { return strings.HasPrefix(state(), string(ecp.Running)) }, state)
}

func requireCalm(t *testing.T, states []string) {
	t.Helper()
	for _, s := range states {
		require.True(t, strings.HasPrefix(s, string(ecp.Running)), "the state was another meanwhile: %v", states)
	}
}

// TestAgentMoves: an agent that was led to another daemon, and one whose daemon is killed,
// come back elsewhere without any change of the cluster's state; a copy of a key is refused,
// wherever it connects.
func TestAgentMoves(t *testing.T) {
	t.Parallel()
	tm := newTeam(t, 3)
	a, b, c := tm.daemons[0], tm.daemons[1], tm.daemons[2]
	id, agents := tm.adopted(a, b)
	for _, x := range agents {
		x.start()
	}
	tm.untilServed(id, agents)
	tm.untilRunning(id)
	states := tm.watchStates(id)
	first := ecp.AgentID(agents[0].identity.Agent)

	agents[0].relay.lead(b.agents) // while its old connection looks alive to a
	tm.untilServed(id, agents)
	count := func(d *daemon) int { return d.hub.Stats().Connected["direct"] }
	eventually(t, func() bool { return count(b) == 2 && count(a) == 0 },
		func() string { return fmt.Sprint(a.hub.Stats().Connected, b.hub.Stats().Connected) })

	copied := copyOf(t, agents[0], c)
	copied.start()
	eventually(t, func() bool { return copied.refusal() == agentproto.RefusedIdentityConflict },
		func() string { return string(copied.refusal()) })
	for _, d := range tm.daemons {
		eventually(t, func() bool { o, _ := d.hub.Observe(id).Of(first); return o.Conflict != "" },
			func() string { return "the conflict does not show" })
	}
	require.NoError(t, copied.stop())
	for _, d := range tm.daemons {
		eventually(t, func() bool { o, _ := d.hub.Observe(id).Of(first); return o.Conflict == "" },
			func() string { return "the conflict stays" })
	}
	tm.untilServed(id, agents)
	tm.untilRunning(id)
	_ = states()

	states = tm.watchStates(id)
	for _, x := range agents {
		x.relay.lead("") // the daemon is gone: nothing accepts connections there
	}
	tm.kill(b)
	for _, x := range agents {
		x.relay.lead(c.agents)
	}
	tm.untilServed(id, agents, b)
	if os.Getenv("OPENECP_LONG") != "" { // it takes 12 s until the others take a daemon for dead
		eventually(t, func() bool { return len(a.members(t)) == 2 }, func() string { return fmt.Sprint(a.members(t)) })
		tm.untilServed(id, agents, b)
	}
	requireCalm(t, states())
}

// TestOneNodeAtTwoDaemons: of two agents that claim one node, the one that serves it stays,
// wherever both are connected; the conflict shows at every daemon, and ends with it.
func TestOneNodeAtTwoDaemons(t *testing.T) {
	t.Parallel()
	tm := newTeam(t, 2)
	a, b := tm.daemons[0], tm.daemons[1]
	id, agents := tm.adopted(a, b)
	agents[0].start()
	tm.untilServed(id, agents[:1])
	agents[1].node = agents[0].node // a copied host, with a key of its own
	agents[1].start()
	first, second := ecp.AgentID(agents[0].identity.Agent), ecp.AgentID(agents[1].identity.Agent)
	for _, d := range tm.daemons {
		eventually(t, func() bool { o, _ := d.hub.Observe(id).Of(second); return o.Conflict != "" },
			func() string { return fmt.Sprintf("%+v", d.hub.Observe(id)) })
		o, _ := d.hub.Observe(id).Of(first)
		require.True(t, o.Connected, "it was first")
		require.NoError(t, d.ask(t, id, agents[0].node.Name()))
	}
	require.NoError(t, agents[0].stop())
	tm.untilServed(id, agents[1:])
	for _, d := range tm.daemons {
		eventually(t, func() bool { o, _ := d.hub.Observe(id).Of(second); return o.Conflict == "" },
			func() string { return fmt.Sprintf("%+v", d.hub.Observe(id)) })
	}
}

// members are the daemons that the store lists.
func (d *daemon) members(t *testing.T) (ids []string) {
	t.Helper()
	all, err := d.Daemons(ecp.WithActor(t.Context(), ecp.System))
	require.NoError(t, err)
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

func (d *daemon) ago(at time.Time) time.Duration { return d.clock().Sub(at) }

// copyOf returns an agent with the key of another one, which is led to a daemon.
func copyOf(t *testing.T, of *beside, to *daemon) *beside {
	t.Helper()
	r := newRelay(t)
	r.lead(to.agents)
	s := &site{t: t, name: r.address(), pin: of.site.pin}
	b := s.agent("copy", of.node, "5.8.9")
	b.identity, b.serverName, b.relay = of.identity, of.serverName, r
	b.identity.Key = append(ed25519.PrivateKey(nil), of.identity.Key...)
	b.identity.Server = "https://" + r.address()
	return b
}

// TestDaemonEnds: one that ends sends its agents to the others at once, and states stay.
func TestDaemonEnds(t *testing.T) {
	t.Parallel()
	tm := newTeam(t, 0)
	tm.timings.Server.RetryAfter = time.Minute
	a, b := tm.join(0), tm.join(0)
	tm.untilAllHear()
	id, agents := tm.adopted(a, a)
	for _, x := range agents {
		x.start()
	}
	tm.untilServed(id, agents)
	tm.untilRunning(id)
	states := tm.watchStates(id)
	for _, x := range agents {
		x.relay.redirect(b.agents)
	}
	a.halt()
	for _, x := range agents {
		eventually(t, func() bool { r := x.lastRefusal(); return r != nil && r.RetryAfter < time.Second },
			func() string { return fmt.Sprint(x.lastRefusal()) })
	}
	tm.untilServed(id, agents, a)
	requireCalm(t, states())
}

// TestDaemonsCutApart: daemons that do not hear one another leave the state as it is; a
// copy of a key that comes meanwhile goes when they meet again.
func TestDaemonsCutApart(t *testing.T) {
	t.Parallel()
	tm := newTeam(t, 0)
	tm.timings.Server.Silence = 8 * time.Second
	tm.timings.Server.Heartbeat = time.Second
	tm.join(0)
	tm.join(0)
	tm.untilAllHear()
	a, b := tm.daemons[0], tm.daemons[1]
	id, agents := tm.adopted(a)
	agents[0].start()
	tm.untilServed(id, agents)
	tm.untilRunning(id)
	states := tm.watchStates(id)
	addresses := []string{a.peers.to, b.peers.to}
	a.peers.lead("")
	b.peers.lead("")
	first := ecp.AgentID(agents[0].identity.Agent)
	eventually(t, func() bool { return b.hub.Heard() == 0 && a.hub.Heard() == 0 }, func() string { return "they hear" })
	o, there := b.hub.Observe(id).Of(first)
	require.True(t, there && o.Connected, "it may only be cut off")
	require.ErrorIs(t, b.ask(t, id, ""), ecp.ErrUnavailable)
	eventually(t, func() bool { o, _ := b.hub.Observe(id).Of(first); return o.Cut && !o.Connected },
		func() string { return fmt.Sprintf("%+v", b.hub.Observe(id)) })
	require.Contains(t, b.hub.Observe(id).Unheard, "cannot reach")

	copied := copyOf(t, agents[0], b)
	copied.start()
	eventually(t, func() bool { o, _ := b.hub.Observe(id).Of(first); return o.Connected && !o.Cut },
		func() string { return fmt.Sprintf("%+v", b.hub.Observe(id)) })
	a.peers.lead(addresses[0])
	b.peers.lead(addresses[1])
	tm.untilAllHear()
	eventually(t, func() bool { return copied.refusal() == agentproto.RefusedIdentityConflict },
		func() string { return fmt.Sprint(copied.refusal(), agents[0].refusal()) })
	require.NoError(t, copied.stop())
	tm.untilServed(id, agents)
	for _, s := range states() {
		require.True(t, strings.HasPrefix(s, string(ecp.Running)) ||
			strings.Contains(s, string(ecp.ReasonIdentityConflict)), s)
	}
}

// TestPeersAlone: nothing of it is there without other daemons.
func TestPeersAlone(t *testing.T) {
	s := newSite(t)
	w := httptest.NewRecorder()
	s.hub.Server().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/peer/v1/agents", nil))
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Zero(t, s.hub.Heard())
}
