package agentproto

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// ServerConfig configures a [Server]. Name and Registry are required.
type ServerConfig struct {
	// Name is the server's own name, which agents sign: the host of the URL that
	// agents dial, with its port if that is not 443. To its agents a server with a
	// new name is another server.
	Name string

	// Registry knows the agents and their keys.
	Registry Registry

	// Observer is called when agents connect and disconnect. It may be nil.
	Observer Observer

	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger

	// Reported is called when an agent announces new reports, which
	// [Server.KeptReports] then returns. It may be nil. It must return at once. It may
	// be called before the Observer knows of the connection, and after its end. An
	// agent does not announce reports that are older than its connection.
	Reported func(agent string)

	// Authorities returns the certificates that agents should trust from now on, in
	// addition to those that they trust already. It announces a change of the CA. If
	// it is nil, or returns no certificates or a list that [CheckAuthorities] refuses,
	// nothing is announced.
	Authorities func() []*x509.Certificate

	// Fellows are other servers that the same agents can connect to. It may be nil: then
	// there are none.
	Fellows Fellows

	// MaxAgents is how many agents may be connected at once. Zero means 20,000.
	MaxAgents int

	// MaxHandshakes is how many connections may be open whose agents have not proved
	// who they are. Zero means 2,000. When there are more, the oldest is closed.
	MaxHandshakes int

	Timings ServerTimings
}

// ServerTimings are the times of a [Server]. A zero field means the default, which stands
// beside it.
type ServerTimings struct {
	Heartbeat    time.Duration // 10 s: after so long without a byte the agent is asked for a sign of life
	Silence      time.Duration // 30 s: after so long without a byte the connection is closed
	Handshake    time.Duration // 10 s for TLS, 10 s for the proof
	ConflictPing time.Duration // 3 s for the old connection to answer when another process has its key
	Goodbye      time.Duration // 2 s for an agent to take a goodbye
	RetryAfter   time.Duration // 5 s: how long agents wait at least after Shutdown, unless Fellows take them
	Reconnect    time.Duration // 2 s: the interval in which one key may connect, after 20 times at once
	Eviction     time.Duration // 1 s: the age from which an unproved connection may be closed for a newer one
}

func (t ServerTimings) withDefaults() ServerTimings {
	for field, value := range map[*time.Duration]time.Duration{
		&t.Heartbeat: 10 * time.Second, &t.Silence: 30 * time.Second, &t.Handshake: 10 * time.Second,
		&t.ConflictPing: 3 * time.Second, &t.Goodbye: 2 * time.Second, &t.RetryAfter: 5 * time.Second,
		&t.Eviction:  time.Second,
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
		return c, errors.New("agentproto: ServerConfig.Name is empty: agents sign it; set the host of the URL that " +
			"they dial")
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
