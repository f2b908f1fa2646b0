package agentproto

import (
	"crypto/ed25519"
	"fmt"
	"time"
)

// Identity is what an agent keeps of its registration. Key is secret: it
// leaves this package only through [WriteIdentity]. Whatever prints an
// identity, or encodes it as JSON, leaves the key out.
type Identity struct {
	Agent   string             // the id that the server gave
	Key     ed25519.PrivateKey // made by the agent; never sent
	Cluster string             // what it was registered for; shown to people

	Server     string // URL that the agent dials
	ServerName string // what the agent signs: the server's own name for itself

	// Authorities are certificates (DER) that may sign the server's. CASHA256
	// are their fingerprints, in hex. With none of the latter the authorities of
	// the operating system count too.
	Authorities [][]byte
	CASHA256    []string

	// LastServerTime is the newest time that a trusted server told. A clock that
	// is behind it is wrong.
	LastServerTime time.Time
}

// String returns the identity without its key.
func (id Identity) String() string {
	return fmt.Sprintf("identity of agent %s at %s (key redacted)", id.Agent, id.Server)
}

// Format prints the identity without its key, whatever the verb.
func (id Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(id.String())) }
