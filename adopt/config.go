package adopt

import (
	"cmp"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/openecp/openecp/agentproto"
)

// Config is what a [Hub] is made of. Name is required; every other zero value is
// usable.
type Config struct {
	// Name is what agents sign when they prove who they are: the host, and port
	// where it is not 443, that they were given. It must stay the same as long as
	// agents that registered under it are to come back.
	Name string
	// Logger gets what operators need; nil = nothing is logged.
	Logger *slog.Logger
	// Now is the clock; nil = time.Now. Waiting goes by real timers.
	Now func() time.Time
	// Authorities returns the certificates of the authorities that agents are to
	// trust from now on; nil = agents keep those they have.
	Authorities func() []*x509.Certificate
	// MaxAgents and MaxHandshakes bound connections; 0 = the protocol's defaults.
	MaxAgents, MaxHandshakes int
	// Unheard says why no agent can be heard, where the program takes none of their
	// connections; empty = they can be.
	Unheard string
	// Timings is the hub's patience, and that of its server.
	Timings Timings
}

// Timings is how long a Hub and its Server wait. Zero fields take the defaults.
type Timings struct {
	// Server are heartbeat, silence and grace of connections.
	Server agentproto.ServerTimings
	// Probe is how long an agent may take to answer when another one claims its
	// node; 0 = 3 s. If it does not, the other one takes the node over.
	Probe time.Duration
	// Away is how long an agent has been away when that is stored; 0 = 40 s. It is
	// longer than the silence after which a connection is given up, so that nothing
	// is written of agents that come right back.
	Away time.Duration
	// Refused is how long a conflict or a mismatch is shown after the agent that
	// caused it was last refused; 0 = 90 s. It is longer than such an agent waits
	// before it asks again.
	Refused time.Duration
	// Retry is how long such an agent waits before it asks again; 0 = 30 s.
	Retry time.Duration
	// Settled is how long an agent whose cluster's nodes all have other names than
	// the recorded ones serves before its node's new name is recorded; 0 = 60 s.
	Settled time.Duration
	// Quiet is how long an agent may be silent before anybody takes notice; 0 =
	// 20 s, two reports. Whatever it says after that wakes the Manager.
	Quiet time.Duration
	// Goodbye is how long the server may take to say goodbye to all agents when Run
	// ends; 0 = 5 s.
	Goodbye time.Duration
}

func (t Timings) withDefaults() Timings {
	t.Probe = cmp.Or(t.Probe, 3*time.Second)
	t.Away = cmp.Or(t.Away, 40*time.Second)
	t.Retry = cmp.Or(t.Retry, 30*time.Second)
	t.Refused = cmp.Or(t.Refused, 3*t.Retry)
	t.Settled = cmp.Or(t.Settled, time.Minute)
	t.Quiet = cmp.Or(t.Quiet, 20*time.Second)
	t.Goodbye = cmp.Or(t.Goodbye, 5*time.Second)
	return t
}
