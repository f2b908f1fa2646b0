package agent_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/home"
)

// TestLife: started before it is registered, registered, given another identity,
// unregistered, stopped.
func TestLife(t *testing.T) {
	w := newWorld(t)
	stop := w.run()
	s := w.until("waiting", func(s agent.Status) bool { return s.Phase == agent.PhaseUnregistered })
	require.Contains(t, strings.Join(s.Todo, "\n"), "register")
	require.Equal(t, os.Getpid(), s.PID)

	w.broker("op", "canary-word-1")
	w.register("agent-1")
	began := time.Now()
	s = w.until("connected", func(s agent.Status) bool { return complete(s) && s.Broker.Credentials != "none" })
	require.Less(t, time.Since(began), 20*time.Second)
	require.Equal(t, "agent-1", s.Server.Agent)
	require.Equal(t, agentproto.CarrierDirect, s.Server.Carrier)
	require.NotEmpty(t, s.Server.TLS.Issuer)
	require.Equal(t, "emqx@10.0.0.1", s.Broker.Node)
	require.Contains(t, s.Broker.Credentials, "dashboard user")
	require.Empty(t, s.Todo)
	require.Empty(t, s.Problems)

	status, body := w.get("agent-1", agentproto.HostAPI, "/api/v5/nodes")
	require.Equal(t, http.StatusOK, status, body)
	status, body = w.get("agent-1", agentproto.HostDashboard, "/api/v5/nodes")
	require.Equal(t, http.StatusUnauthorized, status,
		"a visitor of the dashboard gets nothing with the agent's credentials: %s", body)

	for r, err := range w.server.Reports(t.Context(), "agent-1", agentproto.Position{}) {
		require.NoError(t, err)
		require.Equal(t, "emqx@10.0.0.1", r.Node)
		break
	}

	w.register("agent-2")
	w.until("another identity", func(s agent.Status) bool { return complete(s) && s.Server.Agent == "agent-2" })
	require.NoError(t, os.Remove(w.dir.Identity()))
	w.until("unregistered", func(s agent.Status) bool { return s.Phase == agent.PhaseUnregistered })
	stop()
	s, err := agent.ReadStatus(t.Context(), string(w.dir))
	require.NoError(t, err)
	require.Equal(t, agent.PhaseStopped, s.Phase)
	require.Contains(t, strings.Join(s.Todo, "\n"), "start")
	w.noSecrets(s, body)
}

// TestUpgradeThroughTheTunnel: a dashboard's WebSocket works in both directions, on
// both carriers.
func TestUpgradeThroughTheTunnel(t *testing.T) {
	for _, tunnel := range []agentproto.TunnelMode{agentproto.TunnelDirect, agentproto.TunnelWebSocket} {
		t.Run(string(tunnel), func(t *testing.T) {
			w := newWorld(t)
			sim := w.node.Dashboard()
			w.emqx.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") == "" {
					sim.ServeHTTP(rw, r)
					return
				}
				conn, both, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = both.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " +
					"websocket\r\n\r\n")
				_ = both.Flush()
				line, _ := both.ReadString('\n')
				_, _ = both.WriteString("echo " + line)
				_ = both.Flush()
			})
			w.broker("op", "canary-word-1")
			require.NoError(t, agent.SaveWay(string(w.dir), tunnel, ""))
			w.register("agent-1")
			w.run()
			w.until("connected", complete)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/mqtt", http.NoBody)
			require.NoError(t, err)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			res, err := w.server.Transport("agent-1", agentproto.HostDashboard).RoundTrip(r)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
			defer func() { _ = res.Body.Close() }()
			both, ok := res.Body.(io.ReadWriteCloser)
			require.True(t, ok)
			_, err = io.WriteString(both, "hello\n")
			require.NoError(t, err)
			line, err := bufio.NewReader(both).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "echo hello\n", line)
		})
	}
}

// TestRemoved: an agent that the server does not know any more stays up, says what to
// do, and comes back by another registration.
func TestRemoved(t *testing.T) {
	w := newWorld(t)
	w.broker("op", "canary-word-1")
	w.register("agent-1")
	w.run()
	w.until("connected", connected)
	require.NoError(t, w.roll.Unregister(t.Context(), "agent-1"))
	w.server.Disconnect("agent-1", agentproto.Refusal{Code: agentproto.RefusedRemoved, Message: "a person removed it"})
	s := w.until("refused", func(s agent.Status) bool { return s.Phase == agent.PhaseRefused })
	require.Equal(t, "removed", s.Server.Refusal)
	require.Contains(t, s.Todo[0], "register it again")
	w.register("agent-3")
	w.until("connected again", complete)
}

// TestRegisteredElsewhere: who was refused as a member of one cluster and registers
// with another does not wait as long as the refusal asked for.
func TestRegisteredElsewhere(t *testing.T) {
	w := newWorld(t)
	w.broker("op", "canary-word-1")
	id := w.register("agent-1")
	w.run()
	w.until("connected", connected)
	w.server.Disconnect("agent-1", agentproto.Refusal{Code: agentproto.RefusedClusterMismatch,
		Message: "of another cluster", RetryAfter: time.Hour})
	w.until("refused", func(s agent.Status) bool { return s.Phase == agent.PhaseRefused })
	id.Cluster = "another"
	require.NoError(t, agentproto.WriteIdentity(w.dir.Identity(), id))
	w.until("connected again", complete)
}

// TestCredentials: refused ones are told with the command that mends them, and taken
// back as soon as others are saved.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	w.broker("op", "canary-wrong-1")
	w.register("agent-1")
	w.run()
	// After a change of the settings file the last report is still of before.
	s := w.until("refused", func(s agent.Status) bool {
		return connected(s) && len(s.Report.Errors) > 0 && !s.Broker.RefusedSince.IsZero()
	})
	require.Equal(t, agentproto.CodeAuthFailed, s.Report.Errors[0].Code)
	require.False(t, s.Broker.NextTry.IsZero())
	require.Contains(t, strings.Join(s.Todo, "\n"), "emqxee-agent register")
	status, body := w.get("agent-1", agentproto.HostAPI, "/api/v5/nodes")
	require.Equal(t, http.StatusBadGateway, status, "it is not whoever asks that is refused")
	require.Contains(t, body, "BAD_USERNAME_OR_PWD", "EMQX's own words")
	w.noSecrets(s, body)
	w.broker("op", "canary-word-1")
	s = w.until("taken", complete)
	require.Empty(t, s.Todo)
	require.True(t, s.Broker.RefusedSince.IsZero())
	w.noSecrets(s)
}

// TestNothingGiven: with no settings of EMQX at all it is found by itself, or the
// status says where was looked.
func TestNothingGiven(t *testing.T) {
	w := newWorld(t)
	w.env["EMQXEE_AGENT_EMQX_DASHBOARD_URL"] = w.emqx.URL
	w.register("agent-1")
	stop := w.run()
	w.until("found by the defaults", complete)
	stop()
	w.cluster.AddUser("admin", "canary-word-2", "administrator")
	w.run()
	s := w.until("looked in vain", func(s agent.Status) bool { return connected(s) && len(s.Report.Errors) > 0 })
	require.Equal(t, agentproto.CodeAuthFailed, s.Report.Errors[0].Code)
	require.Contains(t, strings.Join(s.Todo, "\n"), "comes with")
	status, body := w.get("agent-1", agentproto.HostAPI, "/api/v5/nodes")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "BROKER_UNKNOWN")
	w.env["EMQXEE_AGENT_EMQX_DASHBOARD_USERNAME"] = "unused" // nobody has told the agent
	w.broker("op", "canary-word-1")
	w.noSecrets(w.until("given", complete), body)
}

// TestBrokerComesAndGoes: stopped and started, without help.
func TestBrokerComesAndGoes(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.WriteFile(w.dir.Settings(), []byte("monitoring: {interval: 1s}\nwho: knows\n"), 0o600))
	w.broker("op", "canary-word-1")
	w.register("agent-1")
	w.run()
	s := w.until("complete", complete)
	require.Equal(t, []string{"line 2: who is not used"}, s.Notes)
	w.node.Kill()
	s = w.until("unreachable", func(s agent.Status) bool {
		return len(s.Report.Errors) > 0 && s.Report.Errors[0].Stage == agentproto.StageNodeConnect
	})
	require.NotEmpty(t, s.Todo)
	w.node.Revive()
	s = w.until("back", func(s agent.Status) bool { return complete(s) && len(s.Report.Errors) == 0 })
	require.Empty(t, s.Todo)
}

// TestServerComesAndGoes: the connection comes back, and reports were kept.
func TestServerComesAndGoes(t *testing.T) {
	w := newWorld(t)
	w.broker("op", "canary-word-1")
	w.register("agent-1")
	w.run()
	w.until("complete", complete)
	addr := w.front.Listener.Addr().String()
	w.stopServer()
	s := w.until("away", func(s agent.Status) bool {
		return s.Phase != agent.PhaseConnected && s.Server.Error != "" && s.Server.Refusal == ""
	})
	require.NotEmpty(t, s.Todo)
	require.Equal(t, "https://"+addr, s.Server.URL)
}

// TestSettingsChange: what is wrong is told by its line, and taken when it is mended.
func TestSettingsChange(t *testing.T) {
	w := newWorld(t)
	w.broker("op", "canary-word-1")
	w.register("agent-1")
	w.run()
	w.until("direct", func(s agent.Status) bool { return connected(s) && s.Server.Carrier == agentproto.CarrierDirect })
	require.NoError(t, home.WriteFile(w.dir.Settings(), []byte("openecp:\n  tunnel: fast\n")))
	s := w.until("told", func(s agent.Status) bool { return len(s.Problems) > 0 })
	require.Contains(t, s.Problems[0], "line 2: openecp.tunnel")
	require.NoError(t, home.WriteFile(w.dir.Settings(), []byte("openecp:\n  tunnel: websocket\n")))
	s = w.until("websocket", func(s agent.Status) bool {
		return connected(s) && s.Server.Carrier == agentproto.CarrierWebSocket
	})
	require.Empty(t, s.Problems)
}

// TestOneProcess: a second agent on a directory is refused and says who runs.
func TestOneProcess(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.until("runs", func(s agent.Status) bool { return s.PID != 0 })
	a, err := agent.New(agent.Config{Home: string(w.dir)})
	require.NoError(t, err)
	var taken *home.RunningError
	require.True(t, errors.As(a.Run(t.Context()), &taken))
	require.Equal(t, os.Getpid(), taken.PID)
	_, err = agent.New(agent.Config{})
	require.Error(t, err)
}

// TestReload: asked for by the socket, files are read at once; without an agent it is
// no error.
func TestReload(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, agent.Reload(t.Context(), string(w.dir)))
	stop := w.run()
	w.until("runs", func(s agent.Status) bool { return s.PID != 0 })
	require.NoError(t, agent.Reload(t.Context(), string(w.dir)))
	stop()
}

// TestOffline: the status of a directory without an agent tells what its files say.
func TestOffline(t *testing.T) {
	w := newWorld(t)
	w.register("agent-9")
	w.broker("op", "canary-word-1")
	s, err := agent.ReadStatus(t.Context(), string(w.dir))
	require.NoError(t, err)
	require.Equal(t, "agent-9", s.Server.Agent)
	require.Equal(t, w.emqx.URL, s.Broker.DashboardURL)
	require.NoError(t, os.WriteFile(w.dir.Broker(), []byte(`{"password":"canary`), 0o600))
	require.NoError(t, os.WriteFile(w.dir.Settings(), []byte("logger: loud"), 0o600))
	s, err = agent.ReadStatus(t.Context(), string(w.dir))
	require.NoError(t, err)
	require.Len(t, s.Problems, 2)
	w.noSecrets(s)
}

// TestSettingsOfEMQXThatAreBroken: the agent stays up and says it.
func TestSettingsOfEMQXThatAreBroken(t *testing.T) {
	w := newWorld(t)
	w.register("agent-1")
	require.NoError(t, os.WriteFile(w.dir.Broker(), []byte(`{"password":"canary`), 0o600))
	w.run()
	s := w.until("told", func(s agent.Status) bool { return connected(s) && len(s.Report.Errors) > 0 })
	require.Contains(t, strings.Join(s.Problems, "\n"), "broker.json")
	w.noSecrets(s)
	w.broker("op", "canary-word-1")
	w.until("mended", complete)
}

// TestDiscoverThroughTheSurface keeps the aliases honest.
func TestDiscoverThroughTheSurface(t *testing.T) {
	w := newWorld(t)
	s, tried, err := agent.DiscoverBroker(context.WithoutCancel(t.Context()),
		agent.DiscoverConfig{Given: broker.Settings{DashboardURL: w.emqx.URL, APIURL: w.emqx.URL}, Root: t.TempDir()})
	require.NoError(t, err, tried)
	for _, step := range agent.CheckBroker(t.Context(), s) {
		require.True(t, step.OK, "%+v", step)
	}
}
