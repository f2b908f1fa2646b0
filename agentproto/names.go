package agentproto

// The names that both sides of the wire use. They are listed in spec.md.
const (
	// ALPN is the protocol that an agent offers in its TLS handshake, before
	// http/1.1. A server that selects it speaks the direct carrier.
	ALPN = "openecp/1"

	// PathRegister answers POST: a registration token and a public key become
	// an agent id.
	PathRegister = "/agent/v1/register"

	// PathUnregister answers POST, signed by the agent's key.
	PathUnregister = "/agent/v1/unregister"

	// PathConnect answers GET with a WebSocket, the carrier for places where
	// TLS ends between agent and server.
	PathConnect = "/agent/v1/connect"
)

// Host is a virtual host of the requests that travel through a connection. It
// selects a handler of the agent; it is never resolved or dialled.
type Host string

// The virtual hosts of an agent.
const (
	HostControl   Host = "control"   // the agent itself: reports
	HostAPI       Host = "api"       // the broker's API; the agent adds its credentials
	HostDashboard Host = "dashboard" // the broker's dashboard; bytes as they are
)

// Carrier is how the bytes of a connection travel.
type Carrier string

// The carriers. Both carry the same streams; they differ in cost and in what
// stands between agent and server.
const (
	CarrierDirect    Carrier = "direct"    // TLS that selected [ALPN]
	CarrierWebSocket Carrier = "websocket" // binary WebSocket messages
)

// TunnelMode is which carriers an agent may use.
type TunnelMode string

// The modes. An empty mode means [TunnelAuto].
const (
	TunnelAuto      TunnelMode = "auto"      // direct where TLS selects it, WebSocket otherwise
	TunnelDirect    TunnelMode = "direct"    // direct, or an error that says what stands in between
	TunnelWebSocket TunnelMode = "websocket" // WebSocket only
)
