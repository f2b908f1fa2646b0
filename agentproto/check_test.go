package agentproto

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stepsOf returns the results of a check by step: "ok", "not tried" or the error.
func stepsOf(steps []CheckStep) map[Step]string {
	out := map[Step]string{}
	for _, s := range steps {
		switch {
		case s.OK:
			out[Step(s.Name)] = "ok"
		case s.Err == "":
			out[Step(s.Name)] = s.Detail
		default:
			out[Step(s.Name)] = s.Err
		}
	}
	return out
}

// assertStops checks that all steps are ok before one, that this one fails, and
// that none behind it was tried.
func assertStops(t *testing.T, steps []CheckStep, at Step) CheckStep {
	t.Helper()
	var failed CheckStep
	for _, s := range steps {
		switch {
		case failed.Name != "":
			assert.Equal(t, "not tried", s.Detail, s.Name)
			assert.False(t, s.OK, s.Name)
		case s.Name == string(at):
			failed = s
			assert.False(t, s.OK)
			assert.NotEmpty(t, s.Err)
			assert.NotEmpty(t, s.Hint)
		default:
			assert.True(t, s.OK, "%v", s)
		}
	}
	assert.Equal(t, string(at), failed.Name, "%v", steps)
	return failed
}

func TestCheck(t *testing.T) {
	r := newRig(t)
	id := r.identity()
	for _, tunnel := range []TunnelMode{"", TunnelAuto, TunnelDirect, TunnelWebSocket} {
		t.Run(string(tunnel), func(t *testing.T) {
			steps := Check(t.Context(), AgentConfig{Identity: id, Tunnel: tunnel, Proxy: noProxy})
			got := stepsOf(steps)
			require.Len(t, got, len(wayThere)-1, "no proxy")
			for step, result := range got {
				assert.Equal(t, "ok", result, step)
			}
		})
	}

	t.Run("beside an agent that runs", func(t *testing.T) {
		run := r.agent(id, TunnelAuto)
		before := r.waitConnected(run.id)
		assert.Equal(t, "ok", stepsOf(Check(t.Context(), AgentConfig{Identity: id, Proxy: noProxy}))[StepProof])
		after, ok := r.server.Connection(run.id)
		require.True(t, ok)
		assert.Equal(t, before, after, "its connection stays")
		_, conflict := r.events.last("conflicted")
		assert.False(t, conflict)
		run.stop()
	})
	t.Run("not registered", func(t *testing.T) {
		steps := Check(t.Context(), AgentConfig{Identity: Identity{Server: r.url, CASHA256: id.CASHA256},
			Proxy: noProxy})
		for step, result := range stepsOf(steps) {
			assert.Equal(t, "ok", result, step)
		}
		assert.Contains(t, steps[len(steps)-1].Detail, "not registered")
	})
	t.Run("unknown at the server", func(t *testing.T) {
		removed := r.identity()
		require.NoError(t, r.registry.Unregister(t.Context(), removed.Agent))
		steps := Check(t.Context(), AgentConfig{Identity: removed, Proxy: noProxy})
		assert.Equal(t, "no such agent; register again", stepsOf(steps)[StepProof])
	})
	t.Run("registered with another name", func(t *testing.T) {
		other := id
		other.ServerName = "ecp.example.com"
		assertStops(t, Check(t.Context(), AgentConfig{Identity: other, Proxy: noProxy}), StepProof)
	})
	t.Run("clock an hour behind", func(t *testing.T) {
		steps := Check(t.Context(), AgentConfig{Identity: id, Proxy: noProxy,
			Now: func() time.Time { return time.Now().Add(-time.Hour) }})
		for _, s := range steps {
			assert.True(t, s.OK, "%v", s)
			if s.Name == string(StepClock) {
				assert.Contains(t, s.Detail, "1h0m0s behind the server's")
				assert.NotEmpty(t, s.Hint)
			}
		}
	})
	t.Run("another CA", func(t *testing.T) {
		other := id
		other.CASHA256 = []string{Fingerprint(newTestCA(t, "x").cert)}
		assertStops(t, Check(t.Context(), AgentConfig{Identity: other, Proxy: noProxy}), StepTLS)
	})
}

func TestCheckNamesTheStepThatFails(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	const closed = "127.0.0.1:1" // of a service that is not in use any more; a port that was free may be taken by now
	pages := &url.URL{Scheme: "http", Host: page.Listener.Addr().String(), User: url.UserPassword("user", "canary")}

	tests := map[string]struct {
		server string
		proxy  *url.URL
		want   Step
	}{
		"no URL":           {"ecp.example.com", nil, StepAddress},
		"no such name":     {"https://ecp.invalid", nil, StepDNS},
		"nobody listens":   {"https://" + closed, nil, StepTCP},
		"no proxy there":   {"https://ecp.example.com", &url.URL{Scheme: "http", Host: closed}, StepTCP},
		"not a proxy":      {"https://ecp.example.com", pages, StepProxy},
		"plain HTTP":       {"https://" + page.Listener.Addr().String(), nil, StepTLS},
		"another web site": {page.URL, nil, StepHTTP},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			steps := Check(t.Context(), AgentConfig{Identity: Identity{Server: tt.server},
				Proxy: func(*url.URL) (*url.URL, error) { return tt.proxy, nil }})
			failed := assertStops(t, steps, tt.want)
			assertNoSecret(t, failed, "canary")
		})
	}
}

// TestCheckWithoutTheDirectCarrier goes through what ends TLS in between, and
// through what passes no WebSocket.
func TestCheckWithoutTheDirectCarrier(t *testing.T) {
	r := newRig(t)
	id := r.identity()
	front := startTLS(t, r.server, r.ca.server(t, "127.0.0.1")) // no ALPN of ours
	id.Server = front.URL
	steps := Check(t.Context(), AgentConfig{Identity: id, Proxy: noProxy})
	for _, s := range steps {
		assert.True(t, s.OK, "%v", s)
		if s.Name == string(StepDirect) {
			assert.Contains(t, s.Detail, "WebSocket is used instead")
		}
	}
	only := stepsOf(Check(t.Context(), AgentConfig{Identity: id, Tunnel: TunnelDirect, Proxy: noProxy}))
	assert.Contains(t, only[StepDirect], "did not select")
	assert.Equal(t, "not tried", only[StepProof])

	strip := startTLS(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.Header.Del("Upgrade")
		r.server.ServeHTTP(w, q)
	}), r.ca.server(t, "127.0.0.1"))
	id.Server = strip.URL
	got := stepsOf(Check(t.Context(), AgentConfig{Identity: id, Proxy: noProxy}))
	assert.Contains(t, got[StepDirect], "did not select")
	assert.Contains(t, got[StepWebSocket], "101")
	assert.Equal(t, "not tried", got[StepProof])
}
