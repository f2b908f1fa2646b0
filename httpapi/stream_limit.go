package httpapi

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Streams limits how many streams are open at the same time: streams of events, and
// logs that are followed. Each costs a connection, memory and some processor time for
// each event. Zero fields take the default.
type Streams struct {
	InAll    int // of all clients together; 1,000 by default
	PerActor int // of one user, over all sessions, or of one token; 100 by default
}

func (s Streams) withDefaults() Streams {
	if s.InAll <= 0 {
		s.InAll = 1000
	}
	if s.PerActor <= 0 {
		s.PerActor = 100
	}
	return s
}

// streamsRetry is how long a client that has met the limit should wait.
const streamsRetry = 10 * time.Second

// streamCount counts the streams that are open.
type streamCount struct {
	most Streams

	mu    sync.Mutex
	all   int            // guarded by mu
	actor map[string]int // guarded by mu; those that have any
}

func newStreamCount(most Streams) *streamCount {
	return &streamCount{most: most.withDefaults(), actor: map[string]int{}}
}

// admitStream counts the stream that a request asks for until leave is called, or
// returns why the limit does not allow it now.
func (a *api) admitStream(r *http.Request) (leave func(), p *problemView) {
	actor, _ := ecp.ActorFrom(r.Context())
	leave, err := a.streams.begin(actor)
	if err != nil {
		return nil, a.failed(r.Context(), err)
	}
	return leave, nil
}

// begin counts one more stream until leave is called, or refuses it.
func (c *streamCount) begin(a ecp.Actor) (leave func(), err error) {
	key := a.Identity()
	c.mu.Lock()
	defer c.mu.Unlock()
	refuse := func(format string, args ...any) error {
		return &ecp.Error{
			Code: ecp.CodeThrottled, Op: "open stream", Message: fmt.Sprintf(format, args...), RetryAfter: streamsRetry,
		}
	}
	switch {
	case c.actor[key] >= c.most.PerActor:
		return nil, refuse("%s has %d streams of events or logs open, which is the limit for one user or token; "+
			"close some, or let one stream serve all who want its events", a.Name, c.actor[key])
	case c.all >= c.most.InAll:
		return nil, refuse("%d streams of events or logs are open, which is the limit of this server; "+
			"try again later, or have its limit raised", c.all)
	}
	c.all++
	c.actor[key]++
	return sync.OnceFunc(func() { c.end(key) }), nil
}

func (c *streamCount) end(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.actor[key]--; c.actor[key] == 0 {
		delete(c.actor, key)
	}
}
