package agentproto

import "time"

// Phase is the state of an agent's connection.
type Phase string

// The phases.
const (
	PhaseConnecting Phase = "connecting"
	PhaseConnected  Phase = "connected"
	PhaseWaiting    Phase = "waiting" // for the next attempt
	PhaseRefused    Phase = "refused" // waiting after a refusal; without RetryAt the agent has stopped
)

// AgentStatus is the state of an agent's connection to its server.
type AgentStatus struct {
	Phase  Phase
	Since  time.Time // of the phase, by the agent's clock
	Server string    // URL that is dialled

	Carrier Carrier // of the present or the last connection; empty if there was none
	Why     string  // why that carrier is used

	Err     error     // why the last attempt or connection ended; nil while connected
	Refusal *Refusal  // set if Err is a refusal of the server
	RetryAt time.Time // when the next attempt begins; zero if there is none

	ClockSkew time.Duration // agent's clock minus the server's, at the last handshake
	TLS       *TLSStatus    // of the present or the last connection; nil if there was none, or over plain HTTP
}

// TLSStatus describes the TLS connection to the server.
type TLSStatus struct {
	Version     string    // e.g. "TLS 1.3"
	CipherSuite string    // as crypto/tls names it
	ALPN        string    // protocol that was selected; empty if none was
	Subject     string    // of the server's certificate
	Issuer      string    // of the same
	NotAfter    time.Time // of the same
}
