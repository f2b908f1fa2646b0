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

// AgentConfig configures an [Agent]. Only Identity is required.
type AgentConfig struct {
	Identity Identity

	// Instance identifies this process to the server. If it is empty, a random one is
	// used. A new connection of the same instance replaces the old one at once.
	Instance string

	// Hello returns what the agent tells the server about itself. It is called for each
	// connection, and may be nil. Agent, instance, time and carrier are filled in.
	Hello func() Hello

	// Tunnel is which carriers may be used. An empty value means [TunnelAuto].
	Tunnel TunnelMode

	// Proxy returns the HTTP proxy for the URL of the server, or nil for none. If Proxy
	// is nil, HTTPS_PROXY and NO_PROXY define the proxy.
	Proxy func(*url.URL) (*url.URL, error)

	// Now is the clock; nil means time.Now. BuildTime is that of the program. The
	// validity of certificates is checked at the latest of the clock, BuildTime and
	// Identity.LastServerTime.
	Now       func() time.Time
	BuildTime time.Time

	// API and Dashboard serve the virtual hosts [HostAPI] and [HostDashboard]. A nil
	// handler means that requests are answered with 404. A panic ends only its request.
	API       http.Handler
	Dashboard http.Handler

	// Reports holds the reports that the server reads. If it is nil, there are none.
	Reports *ReportLog

	// History reads the history that the agent keeps. If it is nil, requests for it are
	// answered with 404.
	History HistorySource

	// Logs reads the log files of the broker. If it is nil, requests for them are
	// answered with 404.
	Logs LogSource

	// Save stores the identity. It is called when the identity has changed: the server
	// has announced authorities, or told a later time. If Save returns an error, it is
	// logged, and the agent goes on. Save may be nil.
	Save func(Identity) error

	// Status is called from Run when the status changes, by one goroutine at a time. It
	// must return soon. It may be nil.
	Status func(AgentStatus)

	Timings AgentTimings

	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger
}

// AgentTimings are the times of an [Agent]. A zero field means the default, which stands
// beside it.
type AgentTimings struct {
	Dial       time.Duration // 15 s for a connection with TLS and, through a proxy, CONNECT
	Handshake  time.Duration // 15 s for the carrier and the proof
	Heartbeat  time.Duration // the interval that the server asks for; 10 s if it asks for none
	Silence    time.Duration // three times the heartbeat
	BackoffMin time.Duration // 1 s: the shortest pause before the next attempt
	BackoffMax time.Duration // 30 s: the longest pause, unless the server asks for a longer one
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

// heartbeat returns the times for a connection on which the server asks for a heartbeat.
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
		return c, fmt.Errorf("tunnel %q is not known; use %s, %s or %s", c.Tunnel, TunnelAuto, TunnelDirect,
			TunnelWebSocket)
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
