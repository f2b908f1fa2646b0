package agentproto

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// behind returns an identity whose way to the server leads over the link.
func (r *rig) behind(k *link) Identity {
	id := r.identity()
	id.Server = "https://" + k.Addr().String()
	return id
}

// never is a pause between attempts that no test waits for.
func never(c *AgentConfig) { c.Timings.BackoffMin, c.Timings.BackoffMax = time.Hour, time.Hour }

func (r *rig) waitEvent(what, agent string, count int) event {
	r.t.Helper()
	var found event
	r.eventually(what+" of "+agent, func() bool {
		n := 0
		for _, e := range r.events.all() {
			if e.what == what && e.conn.Agent == agent {
				n++
				found = e
			}
		}
		return n >= count
	})
	return found
}

func TestConnectionThatIsCut(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		k := newLink(t, r.addr)
		a := r.agent(r.behind(k), tunnel)
		r.waitBoth(a)
		k.cut()
		e := r.waitEvent("disconnected", a.id, 1)
		assert.False(t, e.ending.Clean, "%s", e)
		assert.Contains(t, e.ending.Reason, "broke")
		r.waitEvent("connected", a.id, 2)
	})
}

// TestHalfOpen lets a connection fall silent without an end: each side notices
// by itself.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		t.Parallel()
		const heartbeat, silence = 500 * time.Millisecond, 5 * time.Second
		r := newRig(t, func(c *ServerConfig) { c.Timings.Heartbeat, c.Timings.Silence = heartbeat, silence })
		k := newLink(t, r.addr)
		a := r.agent(r.behind(k), tunnel, never, func(c *AgentConfig) { c.Timings.Silence = silence })
		r.waitBoth(a)
		began := time.Now()
		k.freeze()
		e := r.waitEvent("disconnected", a.id, 1)
		assert.False(t, e.ending.Clean, "%s", e)
		assert.Contains(t, e.ending.Reason, "nothing was heard")
		assert.GreaterOrEqual(t, time.Since(began), silence-heartbeat)
		r.eventually("the agent notices, too", func() bool { return a.status.last().Phase == PhaseWaiting })
		assert.ErrorContains(t, a.status.last().Err, "nothing was heard")
	})
}

// TestHalfOpenIsReplaced shows that a process whose connection is half-open
// need not wait for the server to notice.
func TestHalfOpenIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *ServerConfig) { c.Timings.Heartbeat, c.Timings.Silence = time.Hour, 3*time.Hour })
	k := newLink(t, r.addr)
	a := r.agent(r.behind(k), TunnelDirect, func(c *AgentConfig) {
		c.Timings.Heartbeat, c.Timings.Silence = 500*time.Millisecond, 5*time.Second
		c.Timings.Handshake = 5 * time.Second // the link may freeze before the first byte of HTTP/2
	})
	r.waitBoth(a)
	k.freeze()
	r.waitEvent("connected", a.id, 2)
	e := r.waitEvent("disconnected", a.id, 1)
	assert.Contains(t, e.ending.Reason, "replaced")
	assert.Equal(t, "disconnected", r.events.all()[1].what, "the end is told before the new connection")
}

// TestQuietConnectionsLive shows that nothing but heartbeats keeps one.
func TestQuietConnectionsLive(t *testing.T) {
	t.Parallel()
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		t.Parallel()
		const silence = 4 * time.Second
		r := newRig(t, func(c *ServerConfig) { c.Timings.Heartbeat, c.Timings.Silence = 500*time.Millisecond, silence })
		a := r.connected(tunnel)
		c, _ := r.server.Connection(a.id)
		timer := time.NewTimer(silence * 5 / 4)
		defer timer.Stop()
		<-timer.C
		again, ok := r.server.Connection(a.id)
		require.True(t, ok, "events: %v", r.events.all())
		assert.Equal(t, c.Since, again.Since)
	})
}

func TestServerRestarts(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel)
		r.stop()
		e := r.waitEvent("disconnected", a.id, 1)
		assert.True(t, e.ending.Clean, "%s", e)
		r.eventually("the agent was told", func() bool {
			a.status.mu.Lock()
			defer a.status.mu.Unlock()
			for _, st := range a.status.list {
				if st.Refusal != nil && st.Refusal.Code == RefusedGoingAway && !st.RetryAt.IsZero() {
					return true
				}
			}
			return false
		})
		r.start(r.addr)
		t.Cleanup(func() { r.stop() })
		r.waitBoth(a)
		r.eventually("the agent says so", func() bool { return a.status.last().Phase == PhaseConnected })
		assert.NoError(t, a.status.last().Err)
	})
}

func TestSecondProcessWithTheSameKey(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		k := newLink(t, r.addr)
		id := r.behind(k)
		first := r.agent(id, tunnel, never, func(c *AgentConfig) {
			c.Instance, c.API = "first", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("first"))
			})
		})
		r.waitBoth(first)
		id.Server = r.url
		copied := r.agent(id, tunnel, func(c *AgentConfig) { c.Instance = "copied" })
		e := r.waitEvent("conflicted", id.Agent, 1)
		assert.Equal(t, "first", e.conn.Instance)
		assert.Equal(t, "copied", e.other.Instance)
		r.eventually("the copy was told", func() bool {
			st := copied.status.last()
			return st.Refusal != nil && st.Refusal.Code == RefusedIdentityConflict
		})
		assert.ErrorContains(t, copied.status.last().Err, "another process")
		copied.stop()
		_, body := get(t, r.client(first, HostAPI), "http://x/")
		assert.Equal(t, "first", body, "the one that served goes on")
		require.Len(t, first.status.list, 2, "and has not noticed: connecting, connected")

		k.freeze() // now it answers no ping
		other := r.agent(id, tunnel, func(c *AgentConfig) { c.Instance = "other" })
		r.eventually("the other process serves", func() bool {
			c, ok := r.server.Connection(id.Agent)
			return ok && c.Instance == "other"
		})
		other.stop()
	})
}

func TestRemovedAgentsStopAsking(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		a := r.connected(tunnel)
		r.server.Disconnect(a.id, Refusal{Code: RefusedRemoved, Message: "removed by a person"})
		_, ok := r.server.Connection(a.id)
		assert.False(t, ok, "it serves no more, at once")
		err := <-a.err
		var no *Refusal
		require.ErrorAs(t, err, &no)
		assert.Equal(t, Refusal{Code: RefusedRemoved, Message: "removed by a person"}, *no)
		assert.Equal(t, PhaseRefused, a.status.last().Phase)
		assert.Zero(t, a.status.last().RetryAt)
		e := r.waitEvent("disconnected", a.id, 1)
		assert.True(t, e.ending.Clean)
	})
}

func TestUnknownAgentsStopAsking(t *testing.T) {
	r := newRig(t)
	id := r.identity()
	require.NoError(t, r.registry.Unregister(t.Context(), id.Agent))
	a := r.agent(id, TunnelAuto)
	var no *Refusal
	require.ErrorAs(t, <-a.err, &no)
	assert.Equal(t, RefusedUnknownAgent, no.Code)
}

// TestRemovedDuringItsHandshake removes an agent between the look at its key
// and its admission.
func TestRemovedDuringItsHandshake(t *testing.T) {
	r := newRig(t)
	id := r.identity()
	r.registry.asked = func(agent string) {
		_ = r.registry.Unregister(t.Context(), agent)
		r.server.Disconnect(agent, Refusal{Code: RefusedRemoved, Message: "removed"})
	}
	a := r.agent(id, TunnelDirect)
	var no *Refusal
	require.ErrorAs(t, <-a.err, &no)
	assert.Equal(t, RefusedRemoved, no.Code)
	assert.Empty(t, r.events.all())
}

func TestServerThatIsFull(t *testing.T) {
	r := newRig(t, func(c *ServerConfig) { c.MaxAgents = 1 })
	first := r.connected(TunnelDirect)
	second := r.agent(r.identity(), TunnelDirect)
	r.eventually("the second is told", func() bool {
		st := second.status.last()
		return st.Refusal != nil && st.Refusal.Code == RefusedBusy
	})
	assert.ErrorContains(t, second.status.last().Err, "already serves 1 agents")
	assert.GreaterOrEqual(t, time.Until(second.status.last().RetryAt), 30*time.Second,
		"it waits as long as it was asked to")
	_, ok := r.server.Connection(first.id)
	assert.True(t, ok)
}

func TestShutdownCutsAgentsThatDoNotAnswer(t *testing.T) {
	r := newRig(t, func(c *ServerConfig) { c.Timings.Goodbye = time.Hour })
	k := newLink(t, r.addr)
	a := r.agent(r.behind(k), TunnelDirect, never)
	r.waitBoth(a)
	sess, _ := r.server.session(a.id)
	k.freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.server.Shutdown(ctx), context.DeadlineExceeded)
	<-sess.gone
}

// TestStopLetsRequestsEnd stops an agent while it answers.
func TestStopLetsRequestsEnd(t *testing.T) {
	r := newRig(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	var cancelled atomic.Bool
	a := r.connected(TunnelDirect, func(c *AgentConfig) { c.Timings.Drain = 10 * time.Second },
		withAPI(func(w http.ResponseWriter, q *http.Request) {
			close(arrived)
			<-release
			cancelled.Store(q.Context().Err() != nil)
			_, _ = w.Write([]byte("answered"))
		}))
	answer := make(chan string)
	go func() {
		resp, err := r.client(a, HostAPI).Get("http://x/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b := make([]byte, 8)
		_, _ = resp.Body.Read(b)
		answer <- string(b)
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		a.stop()
	}()
	close(release)
	assert.Equal(t, "answered", <-answer)
	<-stopped
	assert.False(t, cancelled.Load())
	require.NoError(t, <-a.err)
}

// TestStopSendsTheLastAnswer checks that an agent does not end its connection between
// the end of the last stream and the write that sends it.
func TestStopSendsTheLastAnswer(t *testing.T) {
	id, _ := newTestIdentity(t)
	a, err := NewAgent(AgentConfig{Identity: id})
	require.NoError(t, err)
	s := a.newServed(t.Context(), closedChannel())
	out := &newsConn{Conn: &bytesConn{}, wrote: s.wrote}
	settled := func() bool {
		select {
		case <-s.settled:
			return true
		default:
			return false
		}
	}
	s.mark(http.StateActive)
	require.True(t, s.begin())
	s.close()
	s.done()
	require.False(t, settled(), "the stream is open")
	s.mark(http.StateIdle)
	require.False(t, settled(), "its end is in a buffer")
	_, err = out.Write(frame(10))
	require.NoError(t, err)
	require.True(t, settled())
}
