package agentproto

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"
)

// Registry knows which agents there are. Its methods are called by many
// goroutines at once. An error that is (or wraps) a [*Refusal] reaches the
// agent as it is; of any other one the agent learns only [RefusedBusy], and
// the server logs it.
type Registry interface {
	// Register redeems a registration token. The same public key again MUST be
	// the same agent.
	Register(ctx context.Context, r Registration) (Registered, error)

	// PublicKey returns the key of an agent that may connect, and a Refusal with
	// [RefusedUnknownAgent] if there is no such agent. It is asked at every
	// handshake: an agent that was removed must be unknown from then on.
	PublicKey(ctx context.Context, agent string) (ed25519.PublicKey, error)

	// Unregister forgets an agent at its own request, which it has already
	// proved. An agent that is unknown is no error.
	Unregister(ctx context.Context, agent string) error
}

// Registration is an agent's request for an identity.
type Registration struct {
	Token     string            `json:"-" xml:"-"` // secret: printing and encoding leave it out
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
	Hello     Hello         // as the agent told it when it connected
	Protocol  int           // version both sides agreed on
	ClockSkew time.Duration // agent's clock minus the server's, at the handshake
}

// Ending is why and when a connection ended.
type Ending struct {
	// Clean is true if one side said goodbye: the agent stopped, or the server
	// ended it. It is false if the connection broke or fell silent.
	Clean  bool
	Reason string // for people
	At     time.Time
}

// Observer is told about connections. Its methods must return soon; they are
// never called with a lock held. For one connection, Disconnected follows
// Connected; a Connection that replaces another one of the same agent is
// announced after the end of the former.
type Observer interface {
	// Connected is called when a connection begins to serve.
	Connected(Connection)

	// Disconnected is called once for each connection that Connected was called
	// for, after it has ended.
	Disconnected(Connection, Ending)

	// Conflicted is called when another instance came with the key of an agent
	// whose connection still answers. The one that serves goes on serving.
	Conflicted(serving, refused Connection)
}
