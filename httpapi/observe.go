package httpapi

import (
	"net/http"
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
		Stream: IsEventStream(out.Header()),
	})
}

// IsEventStream reports whether the headers of a response are those of an event stream.
func IsEventStream(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), eventStream) }
