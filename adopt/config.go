package adopt

import (
	"cmp"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/peers"
)

// Config configures a [Hub]. Name is required; every other field may be zero.
type Config struct {
	// Name is what agents sign when they prove who they are: the host that they dial,
	// with its port if that is not 443. Agents that have registered with another name
	// cannot connect any more.
	Name string
	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. Timers use the real time.
	Now func() time.Time
	// Authorities returns the certificates of the CAs that agents should trust from now
	// on. If it is nil, agents keep those that they trust.
	Authorities func() []*x509.Certificate
	// MaxAgents and MaxHandshakes limit connections as those of
	// [agentproto.ServerConfig] do, and have the same defaults.
	MaxAgents, MaxHandshakes int
	// Unheard is the reason for which no agent can connect, if the program accepts no
	// connections of agents. It is empty otherwise.
	Unheard string
	// Peers connects this program to the others that share its Store, each with a Hub of its
	// own: agents may then be connected to any of them. The Hub owns the Mesh: Bind and Run
	// call its methods of the same name. The Manager must have a [fleet.Shared] whose Address
	// is where others reach the listener of the Mesh. Nil means that there are no others.
	Peers *peers.Mesh
	// Timings are the times of the hub and its server.
	Timings Timings
}

// Timings are the times of a Hub and its Server. A zero field means the default.
type Timings struct {
	// Server are the times of connections.
	Server agentproto.ServerTimings
	// Probe is how long an agent has to answer when another one claims its node. If it
	// does not answer, the other one takes the node over. The default is 3 s.
	Probe time.Duration
	// Away is the time after which a disconnected agent is stored as away. It is longer
	// than the silence after which a connection is closed, so that nothing is written
	// for agents that reconnect soon. The default is 40 s.
	Away time.Duration
	// Refused is how long a conflict or a mismatch is shown after its agent was last
	// refused. It is longer than Retry. The default is three times Retry.
	Refused time.Duration
	// Retry is how long such an agent waits before it connects again. The default is
	// 30 s.
	Retry time.Duration
	// Settled is how long an agent must serve before the name of its node is recorded,
	// if none of the cluster's nodes has a recorded name. The default is 60 s.
	Settled time.Duration
	// Quiet is the time after which the next report of a silent agent wakes the Manager,
	// even if it contains nothing new. The default is 20 s, two reports.
	Quiet time.Duration
	// Goodbye is how long the server may take to inform all agents when Run ends. The
	// default is 5 s.
	Goodbye time.Duration
	// Beat is how often daemons that share a Store give one another a sign of life. After
	// four times as long without one, a daemon is not heard any more. The default is 2 s.
	Beat time.Duration
}

func (t Timings) withDefaults() Timings {
	t.Probe = cmp.Or(t.Probe, 3*time.Second)
	t.Away = cmp.Or(t.Away, 40*time.Second)
	t.Retry = cmp.Or(t.Retry, 30*time.Second)
	t.Refused = cmp.Or(t.Refused, 3*t.Retry)
	t.Settled = cmp.Or(t.Settled, time.Minute)
	t.Quiet = cmp.Or(t.Quiet, 20*time.Second)
	t.Goodbye = cmp.Or(t.Goodbye, 5*time.Second)
	t.Beat = cmp.Or(t.Beat, 2*time.Second)
	return t
}
