package agentproto

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// gate bounds the connections that have not proved who they are, so that
// garbage cannot fill the server. When it is full, the oldest gives way if it
// has had its time: an agent needs milliseconds, what is slow is mostly not one.
type gate struct {
	max      int
	eviction time.Duration

	mu      sync.Mutex
	waiting list.List                  // of *entrant, oldest first
	byConn  map[net.Conn]*list.Element // those that net/http knows and has not handed over
}

type entrant struct {
	since time.Time
	abort func() error
}

func newGate(max int, eviction time.Duration) *gate {
	return &gate{max: max, eviction: eviction, byConn: map[net.Conn]*list.Element{}}
}

// enter lets a connection wait for its proof, and reports whether there is
// room. leave must be called when the connection no longer waits. abort is
// called without warning when it has to give way.
func (g *gate) enter(abort func() error) (leave func(), ok bool) {
	at, ok := g.add(nil, abort)
	return func() { g.remove(at) }, ok
}

// enterConn is enter for a connection that leaveConn names again.
func (g *gate) enterConn(conn net.Conn) bool {
	_, ok := g.add(conn, conn.Close)
	return ok
}

func (g *gate) leaveConn(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.byConn[conn]; ok {
		delete(g.byConn, conn)
		g.waiting.Remove(at)
	}
}

func (g *gate) add(conn net.Conn, abort func() error) (*list.Element, bool) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.Len() >= g.max {
		oldest := g.waiting.Front()
		e := oldest.Value.(*entrant)
		if now.Sub(e.since) < g.eviction {
			return nil, false
		}
		g.waiting.Remove(oldest)
		go func() { _ = e.abort() }() // closing may take a moment; whoever waits for the connection sees it end
	}
	at := g.waiting.PushBack(&entrant{now, abort})
	if conn != nil {
		g.byConn[conn] = at
	}
	return at, true
}

func (g *gate) remove(at *list.Element) {
	if at == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting.Remove(at) // does nothing for one that gave way
}

// len returns how many wait.
func (g *gate) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting.Len()
}

// abortAll ends all that wait.
func (g *gate) abortAll() {
	g.mu.Lock()
	var all []*entrant
	for at := g.waiting.Front(); at != nil; at = at.Next() {
		all = append(all, at.Value.(*entrant))
	}
	g.mu.Unlock()
	for _, e := range all {
		_ = e.abort()
	}
}
