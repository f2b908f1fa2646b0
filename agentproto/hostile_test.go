package agentproto

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialTLS opens a TLS connection to the rig with a protocol.
func (r *rig) dialTLS(alpn ...string) *tls.Conn {
	r.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(r.ca.cert)
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, NextProtos: alpn, MinVersion: tls.VersionTLS12}}
	conn, err := d.DialContext(r.t.Context(), "tcp", r.addr)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*tls.Conn)
}

// proved returns a connection whose handshake is done, and that then speaks
// for itself.
func (r *rig) proved() (*tls.Conn, string) {
	r.t.Helper()
	id := r.identity()
	conn := r.dialTLS(ALPN)
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	_, err := proveTo(ctx, conn, proveConfig{Identity: id, Instance: "i", Now: time.Now})
	require.NoError(r.t, err)
	r.waitEvent("connected", id.Agent, 1)
	return conn, id.Agent
}

// TestPeopleKeepTheirProtocols shows that the direct carrier takes nothing from
// browsers.
func TestPeopleKeepTheirProtocols(t *testing.T) {
	r := newRig(t)
	roots := x509.NewCertPool()
	roots.AddCert(r.ca.cert)
	for want, h2 := range map[string]bool{"HTTP/2.0": true, "HTTP/1.1": false} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: h2}
		if !h2 {
			tr.Protocols = new(http.Protocols)
			tr.Protocols.SetHTTP1(true)
		}
		_, body := get(t, &http.Client{Transport: tr}, r.url+"/people")
		assert.Equal(t, want, body)
		tr.CloseIdleConnections()
	}
}

// TestGarbage fills the server with connections that say nothing, or nonsense.
func TestGarbage(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		const most = 8
		r := newRig(t, func(c *ServerConfig) { c.MaxHandshakes = most })
		for i := range 10 * most {
			conn, err := net.Dial("tcp", r.addr)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			if i%3 == 0 {
				_, _ = io.WriteString(conn, "\x16\x03\x01")
			}
			if i%3 == 1 {
				_, _ = io.WriteString(conn, "garbage that is no TLS at all\r\n\r\n")
			}
		}
		assert.LessOrEqual(t, r.server.gate.len(), most)
		a := r.connected(tunnel) // an agent gets through: old garbage gives way
		_, ok := r.server.Connection(a.id)
		assert.True(t, ok)
	})
}

// TestHandshakesThatSayNothing checks that the server ends them when their time is over,
// which is that of TLS, too.
func TestHandshakesThatSayNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *ServerConfig) { c.Timings.Handshake = 5 * time.Second })
	conns := map[string]*tls.Conn{}
	for name, first := range map[string]string{
		"nothing": "", "a large frame": "\xff\xff\xff\xff", "half a frame": "\x00\x00\x00\x09{}",
		"no JSON": "\x00\x00\x00\x02xx", "HTTP": "GET / HTTP/1.1\r\n\r\n",
	} {
		conns[name] = r.dialTLS(ALPN)
		_, _ = io.WriteString(conns[name], first) // fails where its time is over already
	}
	for name, conn := range conns {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		_, err := io.Copy(io.Discard, conn)
		assert.NotErrorIs(t, err, context.DeadlineExceeded, name)
		if nerr, ok := err.(net.Error); ok { //nolint:errorlint // the outermost
			assert.False(t, nerr.Timeout(), name)
		}
	}
	r.eventually("nobody waits any more", func() bool { return r.server.gate.len() == 0 })
	assert.Empty(t, r.events.all())
}

// TestHostileAgents have proved themselves and then break the protocol.
func TestHostileAgents(t *testing.T) {
	t.Parallel()
	const preface = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // SETTINGS
	for name, bytes := range map[string]string{
		"not HTTP/2":       "HTTP/1.1 200 OK\r\n\r\n",
		"a huge frame":     preface + "\xff\xff\xff\x00\x00\x00\x00\x00\x01",
		"data for nobody":  preface + "\x00\x00\x01\x00\x00\x00\x00\x00\x01x",
		"headers unasked":  preface + "\x00\x00\x01\x01\x04\x00\x00\x00\x02\x88",
		"a broken header":  preface + "\x00\x00\x02\x01\x04\x00\x00\x00\x01\xff\xff",
		"a push":           preface + "\x00\x00\x05\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x82",
		"a window too big": preface + "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *ServerConfig) {
				c.Timings.Heartbeat, c.Timings.Silence = 500*time.Millisecond, 2*time.Second
			})
			conn, agent := r.proved()
			_, _ = io.WriteString(conn, bytes) // fails where it was silent for too long already
			e := r.waitEvent("disconnected", agent, 1)
			assert.False(t, e.ending.Clean, "%s", e)
			_, ok := r.server.Connection(agent)
			assert.False(t, ok)
		})
	}
}

// TestAnswersWithHugeHeaders end the request and not the agent.
func TestAnswersWithHugeHeaders(t *testing.T) {
	r := newRig(t)
	a := r.connected(TunnelDirect, withAPI(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/huge" {
			w.Header().Set("X-Huge", strings.Repeat("x", 2*maxHeaderBytes))
		}
	}))
	_, err := r.client(a, HostAPI).Get("http://x/huge") //nolint:bodyclose // there is none
	require.Error(t, err)
	r.waitConnected(a.id)
	code, _ := get(t, r.client(a, HostAPI), "http://x/")
	assert.Equal(t, http.StatusOK, code)
}

// TestManyConnectionsOfOneKey holds many connections with one key, which wait to be
// admitted: most are told to come later, and none holds the server.
func TestManyConnectionsOfOneKey(t *testing.T) {
	r := newRig(t)
	id := r.identity()
	release, err := r.server.claim(t.Context(), id.Agent) // one is being admitted, and takes its time
	require.NoError(t, err)
	const many = 5 * maxClaims
	refused := make(chan error, many)
	for range many {
		conn := r.dialTLS(ALPN)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := proveTo(ctx, conn, proveConfig{Identity: id, Instance: "i", Now: time.Now})
			refused <- err
		}()
	}
	for range many - maxClaims {
		var no *Refusal
		require.ErrorAs(t, <-refused, &no)
		assert.Equal(t, RefusedBusy, no.Code)
		assert.Positive(t, no.RetryAfter)
	}
	release()
	for range maxClaims {
		require.NoError(t, <-refused)
	}
}

// TestReconnectsOfOneKey checks that an agent that connects time and again is told to
// wait, and its neighbor behind the same address is not.
func TestReconnectsOfOneKey(t *testing.T) {
	r := newRig(t, func(c *ServerConfig) { c.Timings.Reconnect = time.Hour })
	id := r.identity()
	prove := func(id Identity) error {
		conn := r.dialTLS(ALPN)
		defer func() { _ = conn.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := proveTo(ctx, conn, proveConfig{Identity: id, Instance: "i", Now: time.Now})
		return err
	}
	for range connectBurst {
		require.NoError(t, prove(id))
	}
	var no *Refusal
	require.ErrorAs(t, prove(id), &no)
	assert.Equal(t, RefusedBusy, no.Code)
	assert.Greater(t, no.RetryAfter, 50*time.Minute)
	assert.LessOrEqual(t, no.RetryAfter, time.Hour)
	require.NoError(t, prove(r.identity()))
}

// TestReconnectsAreForgiven counts in a bubble: one in each interval goes on for ever,
// another address has its own count, and nothing is remembered for long.
func TestReconnectsAreForgiven(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := newRateLimit[connectKey](connectBurst, 2*time.Second, 0, func() time.Time { return now })
	for range connectBurst {
		require.Zero(t, c.take(connectKey{"a", networkOf("192.0.2.1:5")}))
	}
	require.Equal(t, 2*time.Second, c.take(connectKey{"a", networkOf("192.0.2.1:6")}))
	require.Zero(t, c.take(connectKey{"a", networkOf("192.0.2.2:5")}), "a copy elsewhere locks nobody out")
	for range 100 {
		now = now.Add(2 * time.Second)
		require.Zero(t, c.take(connectKey{"a", networkOf("192.0.2.1:5")}))
		require.Positive(t, c.take(connectKey{"a", networkOf("192.0.2.1:5")}))
	}
	now = now.Add(2 * sweepEvery)
	require.Zero(t, c.take(connectKey{"b", networkOf("192.0.2.1:5")}))
	require.Len(t, c.debt, 1)
}

// TestWhatAServerCanMakeAgentsHold sends bodies that no handler takes: the agent holds
// as much as its windows, and still answers.
func TestWhatAServerCanMakeAgentsHold(t *testing.T) {
	r := newRig(t)
	a := r.connected(TunnelDirect, withAPI(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/stall" {
			return
		}
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	var sent atomic.Int64
	var group sync.WaitGroup
	const streams = 2 * agentWindow / agentStreamWindow
	for range streams {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://x/stall", counted{&sent})
		require.NoError(t, err)
		group.Go(func() {
			if resp, err := r.server.Transport(a.id, HostAPI).RoundTrip(req); err == nil {
				<-ctx.Done()
				_ = resp.Body.Close()
			}
		})
	}
	const under = streams * (2*frameBytes + unsentBytes) // what is on its way to be sent
	r.eventually("the windows are full", func() bool { return sent.Load() >= agentWindow })
	code, _ := get(t, r.client(a, HostAPI), "http://x/")
	assert.Equal(t, http.StatusOK, code, "requests without a body go through")
	assert.LessOrEqual(t, sent.Load(), int64(agentWindow+under))
	cancel()
	group.Wait()
}

// counted is a body without end that counts what was taken of it.
type counted struct{ n *atomic.Int64 }

func (c counted) Read(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
