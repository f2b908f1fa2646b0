package agentproto

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// ServerConfig is what a [Server] is made of. Name and Registry are required.
type ServerConfig struct {
	// Name is the server's own name, which agents sign: the host, with its port if
	// it is not 443, of the URL that agents were given. A server that changes its
	// name is another server to them.
	Name string

	Registry Registry
	Observer Observer     // nil = nobody is told
	Logger   *slog.Logger // nil = nothing is logged

	// Reported is called when an agent announces new reports, which
	// [Server.KeptReports] then reads; nil = nobody is told. It must return at once,
	// and may be called for an agent whose connection the Observer does not know yet,
	// or no more. An agent says nothing of reports that are older than its connection.
	Reported func(agent string)

	// Authorities returns the certificates that agents should trust from now on,
	// beside those they trust already: a change of the CA is announced by it. A
	// nil function, or an empty list, announces nothing, and so does one that
	// [CheckAuthorities] refuses.
	Authorities func() []*x509.Certificate

	// MaxAgents bounds the agents that are connected at once; zero means 20,000.
	MaxAgents int

	// MaxHandshakes bounds the connections that have not proved who they are;
	// zero means 2,000. When there are more, the oldest is closed.
	MaxHandshakes int

	Timings ServerTimings
}

// ServerTimings are the times of a [Server]. A zero field means its default.
type ServerTimings struct {
	Heartbeat    time.Duration // 10 s: a connection that is silent for so long is asked whether it lives
	Silence      time.Duration // 30 s: and closed when it stays silent for so long
	Handshake    time.Duration // 10 s for TLS, 10 s for the proof
	ConflictPing time.Duration // 3 s for the old connection to answer when its key comes from elsewhere
	Goodbye      time.Duration // 2 s for an agent to take a goodbye
	RetryAfter   time.Duration // 5 s: what agents wait at least after Shutdown
	Reconnect    time.Duration // 2 s: how often one key may connect in the long run, after 20 times at once
	Eviction     time.Duration // 1 s: age from which an unproved connection gives way to a newer one
}

func (t ServerTimings) withDefaults() ServerTimings {
	for field, value := range map[*time.Duration]time.Duration{
		&t.Heartbeat: 10 * time.Second, &t.Silence: 30 * time.Second, &t.Handshake: 10 * time.Second,
		&t.ConflictPing: 3 * time.Second, &t.Goodbye: 2 * time.Second, &t.RetryAfter: 5 * time.Second, &t.Eviction: time.Second,
		&t.Reconnect: 2 * time.Second,
	} {
		if *field <= 0 {
			*field = value
		}
	}
	return t
}

func (c ServerConfig) withDefaults() (ServerConfig, error) {
	switch {
	case c.Name == "":
		return c, errors.New("agentproto: ServerConfig.Name is empty: agents sign it; set the host of the URL that they dial")
	case c.Registry == nil:
		return c, errors.New("agentproto: ServerConfig.Registry is nil: nobody could tell which agents there are")
	case c.MaxAgents < 0 || c.MaxHandshakes < 0:
		return c, errors.New("agentproto: ServerConfig.MaxAgents and MaxHandshakes must not be negative")
	}
	if c.MaxAgents == 0 {
		c.MaxAgents = 20000
	}
	if c.MaxHandshakes == 0 {
		c.MaxHandshakes = 2000
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Timings = c.Timings.withDefaults()
	return c, nil
}

type noObserver struct{}

func (noObserver) Connected(Connection)                  {}
func (noObserver) Disconnected(Connection, Ending)       {}
func (noObserver) Conflicted(_ Connection, _ Connection) {}
