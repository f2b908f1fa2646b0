package agent

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"

	"github.com/openecp/openecp/agentproto"
)

// runTunnel keeps the connection to the server. It connects again when the identity or the
// settings change.
func (a *Agent) runTunnel(ctx context.Context) {
	for ctx.Err() == nil {
		id, err := agentproto.ReadIdentity(a.home.Identity())
		if errors.Is(err, fs.ErrNotExist) {
			id, err = agentproto.Identity{}, nil
		}
		a.state.problemOf("identity", err)
		a.setIdentity(id)
		if err != nil || id.Agent == "" {
			a.waitForIdentity(ctx)
			continue
		}
		a.connect(ctx, id)
	}
}

// setIdentity sets the identity, and wakes runBroker if the agent was registered or
// unregistered.
func (a *Agent) setIdentity(id agentproto.Identity) {
	before := a.state.registered()
	a.state.setIdentity(id)
	if before != a.state.registered() {
		a.brokerChanged.send()
	}
}

func (a *Agent) waitForIdentity(ctx context.Context) {
	for {
		select {
		case <-a.identityChanged:
			return
		case <-a.tunnelChanged: // nothing is there to be set
		case <-ctx.Done():
			return
		}
	}
}

// connect keeps the agent connected until the identity or the settings change. If the server
// refuses the agent for good, it waits for another registration.
func (a *Agent) connect(ctx context.Context, id agentproto.Identity) {
	drain(a.tunnelChanged)
	agent, err := agentproto.NewAgent(a.tunnelConfig(id))
	a.state.problemOf("connection", err)
	if err != nil {
		a.log.ErrorContext(ctx, "cannot connect", "error", err)
		a.waitForIdentity(ctx)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { //nolint:gosec // awaited below, whatever it ends with
		a.contained(ctx, "connection", func(ctx context.Context) { err = agent.Run(ctx) })
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			a.refusedForGood(ctx, err)
			return
		case <-a.identityChanged:
			if a.sameIdentity(id) {
				continue
			}
		case <-a.tunnelChanged:
		case <-ctx.Done():
		}
		cancel()
		<-ended //nolint:errcheck // ended by us
		return
	}
}

// refusedForGood waits for another registration if the server does not know the agent any
// more.
func (a *Agent) refusedForGood(ctx context.Context, err error) {
	var r *agentproto.Refusal
	if errors.As(err, &r) {
		a.log.ErrorContext(ctx, "the server does not know this agent any more; register it again", "code", r.Code,
			"reason",
			r.Message)
		a.waitForIdentity(ctx)
	}
}

// sameIdentity reports whether the file still has the identity in use, apart from what the
// agent itself has learned about the server. After a registration with another cluster the
// agent must connect at once, even if it waits after a refusal.
func (a *Agent) sameIdentity(id agentproto.Identity) bool {
	now, err := agentproto.ReadIdentity(a.home.Identity())
	return err == nil && now.Agent == id.Agent && bytes.Equal(now.Key, id.Key) && now.Server == id.Server &&
		now.Cluster == id.Cluster && now.ServerName == id.ServerName && slices.Equal(now.CASHA256, id.CASHA256)
}

func drain(w wakeup) {
	select {
	case <-w:
	default:
	}
}

func (a *Agent) tunnelConfig(id agentproto.Identity) agentproto.AgentConfig {
	s := a.state.getSettings()
	timings := a.config.Timings
	if s.Heartbeat != usualInterval {
		timings.Heartbeat = s.Heartbeat
	}
	return agentproto.AgentConfig{
		Identity: id, Instance: a.instance, Hello: a.hello, Tunnel: s.Tunnel, Proxy: s.proxy(),
		Now: a.now, BuildTime: a.config.BuildTime,
		API: a.gateway.api(), Dashboard: a.gateway.dashboard(), Reports: a.reports, History: &a.buffer, Logs: a.logs,
		Save: a.save, Status: a.state.setTunnel, Timings: timings, Logger: a.log,
	}
}

// save stores what the agent has learned about the server. It reports a full disk.
func (a *Agent) save(id agentproto.Identity) error {
	err := agentproto.UpdateIdentity(a.home.Identity(), id)
	if errors.Is(err, agentproto.ErrIdentityReplaced) || errors.Is(err, fs.ErrNotExist) {
		return nil // another registration, which is on its way
	}
	a.state.problemOf("save identity", err)
	return err
}

// proxy returns the proxy to the server.
func (s Settings) proxy() func(*url.URL) (*url.URL, error) {
	switch s.Proxy {
	case "":
		return func(u *url.URL) (*url.URL, error) {
			return http.ProxyFromEnvironment(&http.Request{URL: u})
		}
	case noProxy:
		return func(*url.URL) (*url.URL, error) { return nil, nil } //nolint:nilnil // as of http.Transport: no proxy
	}
	u, err := url.Parse(s.Proxy)
	return func(*url.URL) (*url.URL, error) { return u, err }
}

// hello returns what the agent tells the server about itself.
func (a *Agent) hello() agentproto.Hello {
	h := Hello(a.config.Version)
	h.Node = a.state.node()
	return h
}

// Hello returns what an agent on this host tells a server about itself.
func Hello(version string) agentproto.Hello {
	name, _ := os.Hostname() // empty if the host has no name
	return agentproto.Hello{Version: version, OS: runtime.GOOS, Arch: runtime.GOARCH, Hostname: name}
}
