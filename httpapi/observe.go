package httpapi

import (
	"strings"
	"time"
)

// Observation is a request that has been answered, without anything its client wrote:
// it has only the methods and routes of the API, so that metrics stay few.
type Observation struct {
	// Method and Route are those of the API's description, e.g. GET and
	// /api/v1/clusters/{id}; both are empty where no route was found.
	Method, Route string
	Status        int
	Took          time.Duration
	// Stream reports whether the answer was a stream of events, which lasts as long as
	// its client likes.
	Stream bool
}

// observe calls Config.Observe.
func (a *api) observe(out *responseRecorder, line *accessLog) {
	if a.observer == nil {
		return
	}
	method, route, _ := strings.Cut(line.pattern, " ")
	a.observer(Observation{
		Method: method, Route: route, Status: out.status, Took: time.Since(line.began),
		Stream: out.stream,
	})
}

// StreamEnd is how a stream of events ended.
type StreamEnd string

// The values of StreamEnd.
const (
	StreamDone StreamEnd = ""     // in order: by the server, or the client closed it
	StreamSlow StreamEnd = "slow" // the client did not take what was sent in time
	StreamGone StreamEnd = "gone" // the connection broke
)
