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

// Host is the virtual host of a request to an agent. It selects a handler of the
// agent and is never resolved or dialled.
type Host string

// The virtual hosts of an agent.
const (
	HostControl   Host = "control"   // the agent itself: reports, history and logs
	HostAPI       Host = "api"       // the broker's API; the agent adds its credentials
	HostDashboard Host = "dashboard" // the broker's dashboard, unchanged
)

// Carrier is how the bytes of a connection travel.
type Carrier string

// The carriers. Both carry the same streams. WebSocket costs more, but passes
// proxies that end TLS.
const (
	CarrierDirect    Carrier = "direct"    // TLS that selected [ALPN]
	CarrierWebSocket Carrier = "websocket" // binary WebSocket messages
)

// TunnelMode is which carriers an agent may use.
type TunnelMode string

// The modes. An empty mode means [TunnelAuto].
const (
	TunnelAuto      TunnelMode = "auto"      // direct where TLS selects it, WebSocket otherwise
	TunnelDirect    TunnelMode = "direct"    // direct only
	TunnelWebSocket TunnelMode = "websocket" // WebSocket only
)

// The calls of the control host. Bodies and answers are JSON; spec.md has them.
const (
	pathPing    = "/v1/ping"         // POST: 204
	pathGoodbye = "/v1/goodbye"      // POST, a Refusal: 204; the server closes then
	pathTrust   = "/v1/authorities"  // POST, announcement: 204; 409 where it is not followed
	pathReports = "/v1/reports"      // GET ?epoch=&seq=: those that are kept, one JSON object a line
	pathLive    = "/v1/reports/live" // GET ?epoch=&seq=: the same, and each new one until the stream ends
	pathHistory = "/v1/history"      // GET ?epoch=&seq=&since=&until=&kind=: records, one JSON object a line
	// GET ?after=&since=&until=&tail=&level=&text=&follow=: a page of the log, one JSON object a line
	pathLogs = "/v1/logs"
)
