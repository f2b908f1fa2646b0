package agentproto

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// AgentConfig is what an [Agent] is made of. Only Identity is required.
type AgentConfig struct {
	Identity Identity

	// Instance names this process to the server; an empty one is drawn at random.
	// The same instance may replace its own connection at once.
	Instance string

	// Hello is called for each connection; agent, instance, time and carrier are
	// filled in. nil = nothing is told.
	Hello func() Hello

	// Tunnel is which carriers may be used; empty means [TunnelAuto].
	Tunnel TunnelMode

	// Proxy returns the HTTP proxy for the server's URL; none is a nil URL. A nil
	// function means what HTTPS_PROXY and NO_PROXY say.
	Proxy func(*url.URL) (*url.URL, error)

	// Now is the clock, BuildTime the program's: a certificate is judged at the
	// latest of clock, build time and Identity.LastServerTime. nil means time.Now.
	Now       func() time.Time
	BuildTime time.Time

	// API and Dashboard serve the virtual hosts of those names; nil answers 404.
	// A panic ends only the request it happened in.
	API       http.Handler
	Dashboard http.Handler

	// Reports is what the server reads; nil means that there are none.
	Reports *ReportLog

	// History is what the agent has kept of its broker; nil = nothing, and servers
	// are answered 404.
	History HistorySource

	// Logs reads the broker's log files; nil answers 404.
	Logs LogSource

	// Save is called when the identity has changed: the server announced
	// authorities, or told a later time. An error is logged; the agent goes on.
	Save func(Identity) error

	// Status is called on each change, by one goroutine at a time, from Run. It must
	// return soon.
	Status func(AgentStatus)

	Timings AgentTimings
	Logger  *slog.Logger // nil = nothing is logged
}

// AgentTimings are the times of an [Agent]. A zero field means its default.
type AgentTimings struct {
	Dial       time.Duration // 15 s for a connection with its TLS, and a proxy's CONNECT
	Handshake  time.Duration // 15 s for the carrier and the proof
	Heartbeat  time.Duration // what the server asked for, else 10 s
	Silence    time.Duration // three heartbeats
	BackoffMin time.Duration // 1 s: the shortest pause before the next attempt
	BackoffMax time.Duration // 30 s: the longest one that the agent chooses itself
	Drain      time.Duration // 2 s for requests under way when the agent stops
}

func (t AgentTimings) withDefaults() AgentTimings {
	for field, value := range map[*time.Duration]time.Duration{
		&t.Dial: 15 * time.Second, &t.Handshake: 15 * time.Second,
		&t.BackoffMin: time.Second, &t.BackoffMax: 30 * time.Second, &t.Drain: 2 * time.Second,
	} {
		if *field <= 0 {
			*field = value
		}
	}
	t.BackoffMax = max(t.BackoffMax, t.BackoffMin)
	return t
}

// heartbeat returns how a connection is watched, given what the server asked for.
func (t AgentTimings) heartbeat(asked time.Duration) (heartbeat, silence time.Duration) {
	heartbeat, silence = t.Heartbeat, t.Silence
	if heartbeat <= 0 {
		heartbeat = asked
	}
	if heartbeat <= 0 {
		heartbeat = 10 * time.Second
	}
	if silence <= 0 {
		silence = 3 * heartbeat
	}
	return heartbeat, silence
}

func (c AgentConfig) withDefaults() (AgentConfig, error) {
	if c.Identity.Agent == "" || len(c.Identity.Key) == 0 {
		return c, errors.New("agentproto: AgentConfig.Identity is not one of a registered agent")
	}
	if _, err := ParseServerURL(c.Identity.Server); err != nil {
		return c, err
	}
	if c.Tunnel == "" {
		c.Tunnel = TunnelAuto
	}
	if !slices.Contains([]TunnelMode{TunnelAuto, TunnelDirect, TunnelWebSocket}, c.Tunnel) {
		return c, fmt.Errorf("tunnel %q is not known; use %s, %s or %s", c.Tunnel, TunnelAuto, TunnelDirect, TunnelWebSocket)
	}
	if c.Instance == "" {
		var b [12]byte
		_, _ = rand.Read(b[:]) // never fails
		c.Instance = hex.EncodeToString(b[:])
	}
	if c.Hello == nil {
		c.Hello = func() Hello { return Hello{} }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Reports == nil {
		c.Reports = NewReportLog(1)
	}
	if c.Save == nil {
		c.Save = func(Identity) error { return nil }
	}
	if c.Status == nil {
		c.Status = func(AgentStatus) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Timings = c.Timings.withDefaults()
	return c, nil
}
