package agentproto

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// gate bounds the number of connections whose agents have not proved who they are. When it
// is full, a new connection replaces an old one: one of the address with the most
// connections, if the new one is from another address; otherwise the oldest one, if it is
// old enough. Agents need milliseconds, so an old connection is rarely one of an agent. A
// flood from one address thus locks out that address only.
type gate struct {
	max      int
	eviction time.Duration

	mu      sync.Mutex
	waiting list.List                  // of *entrant, oldest first
	byConn  map[net.Conn]*list.Element // those that net/http knows and has not handed over
	from    map[netip.Prefix]int       // how many of waiting come from an address
}

type entrant struct {
	since time.Time
	from  netip.Prefix
	abort func() error
}

func newGate(max int, eviction time.Duration) *gate {
	return &gate{max: max, eviction: eviction, byConn: map[net.Conn]*list.Element{}, from: map[netip.Prefix]int{}}
}

// enter adds a connection and reports whether there is room. The caller must call leave when
// the connection no longer waits for a proof. abort is called when the connection is
// replaced by a newer one.
func (g *gate) enter(remote string, abort func() error) (leave func(), ok bool) {
	at, ok := g.add(nil, remote, abort)
	return func() { g.remove(at) }, ok
}

// enterConn is enter for a connection that is removed by leaveConn.
func (g *gate) enterConn(conn net.Conn) bool {
	_, ok := g.add(conn, conn.RemoteAddr().String(), conn.Close)
	return ok
}

func (g *gate) leaveConn(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.byConn[conn]; ok {
		delete(g.byConn, conn)
		g.removeLocked(at)
	}
}

func (g *gate) add(conn net.Conn, remote string, abort func() error) (*list.Element, bool) {
	fresh := &entrant{time.Now(), networkOf(remote), abort}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.Len() >= g.max {
		least := g.leastLocked(fresh)
		if least == nil {
			return nil, false
		}
		g.removeLocked(least)
		go func() { _ = least.Value.(*entrant).abort() }() // closing may take a moment
	}
	at := g.waiting.PushBack(fresh)
	g.from[fresh.from]++
	if conn != nil {
		g.byConn[conn] = at
	}
	return at, true
}

// leastLocked returns the connection that a new one replaces, or nil if the new one is to be
// refused.
func (g *gate) leastLocked(fresh *entrant) *list.Element {
	own, most := g.from[fresh.from], 0
	for _, n := range g.from {
		most = max(most, n)
	}
	for at := g.waiting.Front(); at != nil; at = at.Next() {
		e := at.Value.(*entrant)
		switch n := g.from[e.from]; {
		case most > own+1 && n == most:
			return at
		case most <= own+1 && n >= own && fresh.since.Sub(e.since) >= g.eviction:
			return at
		}
	}
	return nil
}

func (g *gate) remove(at *list.Element) {
	if at == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeLocked(at)
}

// removeLocked does nothing for a connection that has been replaced.
func (g *gate) removeLocked(at *list.Element) {
	before := g.waiting.Len()
	e := g.waiting.Remove(at).(*entrant)
	if g.waiting.Len() == before {
		return
	}
	if g.from[e.from]--; g.from[e.from] == 0 {
		delete(g.from, e.from)
	}
}

// abortAll closes all connections that wait.
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
