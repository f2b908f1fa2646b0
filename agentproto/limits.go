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
	maxStreams      = 1024
	reservedStreams = 24

	// streamWindow is how many bytes one side sends on one stream before the
	// other has taken them: it bounds what a stalled stream holds in memory, and
	// the rate of one stream over a long pipe (window / round trip).
	streamWindow = 2 << 20

	// connectionWindow is the same for all streams together. It is far above any
	// number of stalled streams, so that they hold up nobody.
	connectionWindow = 1 << 30

	// maxHeaderBytes bounds the header of a request or an answer.
	maxHeaderBytes = 256 << 10

	// maxReportBytes bounds one report on the wire.
	maxReportBytes = 256 << 10

	// maxControlBytes bounds the body of a call of the control host.
	maxControlBytes = 64 << 10

	// coalesceBytes is the largest piece that a carrier makes of small writes.
	coalesceBytes = 16 << 10

	// unsentBytes is how much the kernel takes beyond what is under way
	// (TCP_NOTSENT_LOWAT): what waits there can no longer be overtaken by a small
	// request.
	unsentBytes = 128 << 10
)

// http2Config returns what both sides tell HTTP/2. A side that has heard
// nothing for a heartbeat asks whether the other is there, and closes the
// connection when silence is reached.
func http2Config(heartbeat, silence time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerConnection: connectionWindow,
		MaxReceiveBufferPerStream:     streamWindow,
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
