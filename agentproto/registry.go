package agentproto

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"
)

// Registry knows the agents and their keys. Several goroutines call its methods at
// once. An error that is or wraps a [*Refusal] is sent to the agent. Any other error
// is logged, and the agent is refused with [RefusedBusy].
type Registry interface {
	// Register exchanges a registration token for an agent id. For a public key that
	// is registered already it MUST return the same agent.
	Register(ctx context.Context, r Registration) (Registered, error)

	// PublicKey returns the key of an agent that may connect. It returns a Refusal with
	// [RefusedUnknownAgent] if there is no such agent. It is called in every handshake:
	// an agent that was removed must be unknown from then on.
	PublicKey(ctx context.Context, agent string) (ed25519.PublicKey, error)

	// Unregister forgets an agent that has proved its request. It returns nil for an
	// unknown agent.
	Unregister(ctx context.Context, agent string) error
}

// Registration is an agent's request for an identity.
type Registration struct {
	Token     string            `json:"-" xml:"-"` // secret: it is never printed or encoded
	PublicKey ed25519.PublicKey // of the key that the agent made and keeps
	Hello     Hello
	Remote    string // address the request came from
}

// Format prints the registration without its token, whatever the verb.
func (r Registration) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "registration of host %q node %q from %s (token redacted)", r.Hello.Hostname, r.Hello.Node, r.Remote)
}

// Registered is a registry's answer to a Registration.
type Registered struct {
	Agent   string // the agent's id from now on
	Cluster string // name or id of what it was registered for; shown to people
}

// Connection is one connection that passed its handshake.
type Connection struct {
	Agent     string
	Instance  string
	Carrier   Carrier
	Remote    string        // address of the agent, or of the last proxy before the server
	Since     time.Time     // by the server's clock
	Hello     Hello         // as the agent sent it when it connected
	Protocol  int           // version that both sides agreed on
	ClockSkew time.Duration // agent's clock minus the server's, at the handshake
}

// Ending is why and when a connection ended.
type Ending struct {
	// Clean is true if one side ended the connection on purpose: the agent stopped,
	// or the server closed it. It is false if the connection broke or fell silent.
	Clean  bool
	Reason string // for people
	At     time.Time
}

// Observer learns of connections. Its methods must return soon; they are never
// called with a lock held. For each connection, Disconnected is called after
// Connected. If a connection replaces another one of the same agent, Connected is
// called after Disconnected of the former.
type Observer interface {
	// Connected is called when requests can be sent through a connection.
	Connected(Connection)

	// Disconnected is called once for each connection that Connected was called
	// for, after it has ended.
	Disconnected(Connection, Ending)

	// Conflicted is called when another instance connects with the key of an agent
	// whose connection still answers. The new connection is refused.
	Conflicted(serving, refused Connection)
}
