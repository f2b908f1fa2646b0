package faulttest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	internal "github.com/openecp/openecp/internal/agent"
)

// clockOff is an agent whose host's clock is wrong from the beginning.
func clockOff(by time.Duration) func(*testing.T, *server) {
	return func(t *testing.T, s *server) {
		view, status := withClock(t, s, func() time.Time { return time.Now().Add(by) })
		require.InDelta(t, by.Seconds(), float64(view.ClockSkewSeconds), 5)
		require.Contains(t, strings.Join(status.Todo, "\n"), "set this host's clock")
	}
}

// clockAt1970 is one on a board without a clock that has just been started.
func clockAt1970(t *testing.T, s *server) {
	began := time.Now()
	view, status := withClock(t, s, func() time.Time { return time.Unix(0, 0).Add(time.Since(began)) })
	require.Less(t, view.ClockSkewSeconds, -int((50 * 365 * 24 * time.Hour).Seconds()))
	require.Contains(t, strings.Join(status.Todo, "\n"), "set this host's clock")
}

// withClock registers and runs an agent with a clock of its own, in this process: the
// program has no way to be told of one. It waits until its cluster runs.
func withClock(t *testing.T, s *server, now func() time.Time) (agentView, internal.Status) {
	t.Helper()
	c := adoptNothing(t, s)
	h := newHost(t)
	node := newEMQX(h, c.sim.Join(nodeName(0)))
	token, home := c.token(), filepath.Join(h.dir, "agent")
	require.NoError(t, os.Mkdir(home, 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(home, "data"), 0o700))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	built := time.Now().Add(-24 * time.Hour)
	id, err := agentproto.Register(t.Context(), agentproto.RegisterConfig{
		URL: s.url, Token: token.Token, CASHA256: []string{token.CASHA256}, Key: key, Now: now, BuildTime: built,
		Hello: agentproto.Hello{Version: "test", OS: "linux", Arch: "amd64", Hostname: h.name},
	})
	require.NoError(t, err)
	require.NoError(t, agentproto.WriteIdentity(filepath.Join(home, "data", "identity.json"), id))
	require.NoError(t, internal.SaveBroker(home, internal.BrokerSettings{DashboardURL: relayTo(t, node),
		Username: "admin",
		Password: "public"}))
	a, err := internal.New(internal.Config{Home: home, Logger: slog.New(slog.DiscardHandler), Version: "test",
		BuildTime: built, Now: now})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	c.broken()
	c.until(ecp.Running, ecp.ReasonAsExpected, 10*time.Second)
	c.broken()
	c.stays(12 * time.Second)
	return c.agentViews()[0], a.Status()
}

// relayTo serves the node where this process reaches it.
func relayTo(t *testing.T, e *emqx) string {
	t.Helper()
	l := listenHere(t)
	web := &http.Server{Handler: e.node.Handler(), ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(l) })
	t.Cleanup(func() { _ = web.Close(); serving.Wait() })
	return "http://" + l.Addr().String()
}
