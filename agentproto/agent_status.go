package agentproto

import "time"

// Phase is what an agent is doing about its connection.
type Phase string

// The phases.
const (
	PhaseConnecting Phase = "connecting"
	PhaseConnected  Phase = "connected"
	PhaseWaiting    Phase = "waiting" // for the next attempt
	PhaseRefused    Phase = "refused" // as waiting; with no RetryAt the agent has given up
)

// AgentStatus is where an agent stands with its server.
type AgentStatus struct {
	Phase  Phase
	Since  time.Time // of the phase, by the agent's clock
	Server string    // URL that is dialled

	Carrier Carrier // of the present or the last connection; empty = none yet
	Why     string  // why it is that carrier

	Err     error     // why the last attempt or connection ended; nil while connected
	Refusal *Refusal  // set if Err is a refusal of the server
	RetryAt time.Time // when the next attempt begins; zero if none will

	ClockSkew time.Duration // agent's clock minus the server's, at the last handshake
	TLS       *TLSStatus    // of the present or the last connection; nil = none, or plain HTTP
}

// TLSStatus is what the server showed in TLS.
type TLSStatus struct {
	Version     string    // e.g. "TLS 1.3"
	CipherSuite string    // as crypto/tls names it
	ALPN        string    // protocol that was selected; empty = none
	Subject     string    // of the server's certificate
	Issuer      string    // of the same
	NotAfter    time.Time // of the same
}
