package agentproto

import (
	"net/http"
	"time"
)

// Limits of a connection. They are part of the protocol: spec.md lists them and
// says how they were measured.
const (
	// maxStreams is how many requests an agent serves at once; reservedStreams
	// of them are kept for the control host, so that reports and pings never
	// wait behind dashboards.
	maxStreams      = 512
	reservedStreams = 24

	// The windows of a stream: how many bytes a side sends before the other has
	// taken them. They bound what a stalled stream holds in memory, and the rate
	// of one stream over a long pipe (window / round trip). Answers are large and
	// the server has room; requests are small and the agent has little.
	serverStreamWindow = 4 << 20
	agentStreamWindow  = 256 << 10

	// The same for all streams together. The server's is far above any number of
	// stalled streams, so that those never delay others. The agent's bounds the memory
	// that requests use while its broker does not read them; it is that of 64 streams,
	// and when it is used up only the bodies of requests wait.
	serverWindow = 1 << 30
	agentWindow  = 64 * agentStreamWindow

	// frameBytes is the largest frame that a side takes.
	frameBytes = 64 << 10

	// maxHeaderBytes bounds the header of an answer.
	maxHeaderBytes = 256 << 10

	// maxRequestHeader bounds that of a request, which the agent holds as long as it
	// lasts; what people send the daemon is smaller.
	maxRequestHeader = 72 << 10

	// headerTableBytes is the size of HPACK's tables of each direction: none. What
	// they would hold of each connection for good (some KiB, of dates and paths that
	// never come again) is worth more than the bytes of headers that they save.
	headerTableBytes = 1

	// maxReportBytes bounds one report on the wire.
	maxReportBytes = 256 << 10

	// maxControlBytes bounds the body of a call of the control host.
	maxControlBytes = 64 << 10

	// coalesceBytes is the largest message that a WebSocket carries: a full frame with
	// its header, and small ones before it.
	coalesceBytes = frameBytes + 64

	// unsentBytes is how much the kernel takes beyond what is under way
	// (TCP_NOTSENT_LOWAT): what waits there can no longer be overtaken by a small
	// request.
	unsentBytes = 64 << 10
)

// http2Config returns the settings of HTTP/2 for both sides. After a heartbeat without a
// byte a side sends a PING, and after silence it closes the connection. The documentation of net/http names 4 MiB
// as the largest window; the code takes any, and a test would notice if it did
// not: a stalled stream would then hold up the others.
func http2Config(heartbeat, silence time.Duration, streamWindow, connectionWindow int) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerConnection: connectionWindow,
		MaxReceiveBufferPerStream:     streamWindow,
		MaxReadFrameSize:              frameBytes,
		MaxDecoderHeaderTableSize:     headerTableBytes,
		MaxEncoderHeaderTableSize:     headerTableBytes,
		SendPingTimeout:               heartbeat,
		PingTimeout:                   max(silence-heartbeat, time.Millisecond),
		WriteByteTimeout:              silence,
	}
}

// http2Only is for connections that begin with HTTP/2 and know no other
// protocol: what they run on is encrypted below.
func http2Only() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}
