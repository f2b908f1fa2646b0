package proxy

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// places bounds how many exchanges with brokers run at once. Each begins in a quick
// place, for which it waits a moment if none is free for its actor. One that lasts
// moves to a long place, of which an actor has few at each cluster; where none is
// free for it the exchange is ended. So a quick place comes free soon, whoever holds
// it: readers that are slow or have stopped, brokers that trickle and large
// downloads compete with one another only.
//
// Places are counted because of what an exchange may hold: a connection of the
// broker's, and for each answer that its reader does not take as much memory as the
// tunnel sends ahead (agentproto's serverStreamWindow).
type places[K comparable] struct {
	patience time.Duration // for a quick place
	lasting  time.Duration // after which an exchange is a long one; 0 = never
	most     int           // exchanges of an actor with one cluster that wait

	mu    sync.Mutex
	quick tally[K]  // guarded by mu
	long  tally[K]  // guarded by mu
	queue list.List // guarded by mu: of *place[K] that wait, oldest first
	waits tally[K]  // guarded by mu: how many those are
}

// Times of places, and how many exchanges of an actor with one cluster may wait.
const (
	lastsAfter    = 5 * time.Second
	quickPatience = lastsAfter + time.Second // what holds a place when one begins to wait has moved on, or ended, before
	mostWaiting   = 128
)

func newPlaces[K comparable](quick, long limits) *places[K] {
	return &places[K]{patience: quickPatience, lasting: lastsAfter, most: mostWaiting, quick: tally[K]{limits: quick}, long: tally[K]{limits: long}}
}

// place is one exchange.
type place[K comparable] struct {
	of    *places[K]
	key   K
	who   string
	ready chan struct{} // closed when it has a quick place

	in    *tally[K]   // guarded by of.mu: where it counts; nil = it waits or has ended
	timer *time.Timer // nil = it is not watched
}

// enter takes a quick place for an actor; nil = none came free in time, or too
// many wait already.
func (g *places[K]) enter(ctx context.Context, key K, who string) *place[K] {
	p := &place[K]{of: g, key: key, who: who, ready: make(chan struct{})}
	at, ok := g.ask(p)
	if !ok {
		return nil
	}
	late := time.NewTimer(g.patience)
	defer late.Stop()
	select {
	case <-p.ready:
		return p
	case <-late.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.in != nil { // just now
		return p
	}
	g.queue.Remove(at)
	g.waits.leave(key, who)
	return nil
}

// ask gives a quick place if one is free and else lets p wait; false = it may not.
func (g *places[K]) ask(p *place[K]) (*list.Element, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.quick.fits(p.key, p.who):
		g.takeLocked(p)
		return nil, true
	case g.waits.shares[share[K]{p.key, p.who}] >= g.most:
		return nil, false
	}
	g.waits.enter(p.key, p.who)
	return g.queue.PushBack(p), true
}

func (g *places[K]) takeLocked(p *place[K]) {
	g.quick.enter(p.key, p.who)
	p.in = &g.quick
	close(p.ready)
}

// admitLocked gives quick places to those that wait, the oldest first, but nobody
// waits behind others whose actor has enough.
func (g *places[K]) admitLocked() {
	for at := g.queue.Front(); at != nil; {
		p, next := at.Value.(*place[K]), at.Next()
		if g.quick.fits(p.key, p.who) {
			g.queue.Remove(at)
			g.waits.leave(p.key, p.who)
			g.takeLocked(p)
		}
		at = next
	}
}

// watch lets the exchange move to a long place when it has lasted, or be ended by
// calling end if there is none. It is called once, before leave.
func (p *place[K]) watch(end func()) {
	if p.of.lasting > 0 {
		p.timer = time.AfterFunc(p.of.lasting, func() {
			if !p.move() {
				end()
			}
		})
	}
}

// move reports whether the exchange may go on.
func (p *place[K]) move() bool {
	g := p.of
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case p.in == nil: // it has just ended
		return true
	case !g.long.fits(p.key, p.who):
		return false // it counts where it does until it has ended
	}
	p.in.leave(p.key, p.who)
	p.in = &g.long
	p.in.enter(p.key, p.who)
	g.admitLocked()
	return true
}

// leave gives the place back.
func (p *place[K]) leave() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.in.leave(p.key, p.who)
	p.in = nil
	p.of.admitLocked()
}

// limits is how many there may be at once.
type limits struct {
	all  int // by everybody, with all clusters
	each int // with one cluster
	own  int // of one actor with one cluster
}

// tally counts exchanges. Of what is free an actor gets one only while more are
// free than it has, in all and of each cluster: alone it has half of them, and
// however many it asks for, others find some.
type tally[K comparable] struct {
	limits
	in     int
	by     map[K]int
	shares map[share[K]]int
	whos   map[string]int // what an actor has in all
}

// share is what one actor has of one cluster's places.
type share[K comparable] struct {
	key K
	who string
}

// fits reports whether there is one more for an actor.
func (t *tally[K]) fits(key K, who string) bool {
	has := t.shares[share[K]{key, who}]
	return has < t.own && has < t.each-t.by[key] && t.whos[who] < t.all-t.in
}

func (t *tally[K]) enter(key K, who string) {
	if t.by == nil {
		t.by, t.shares, t.whos = map[K]int{}, map[share[K]]int{}, map[string]int{}
	}
	t.in++
	t.by[key]++
	t.shares[share[K]{key, who}]++
	t.whos[who]++
}

func (t *tally[K]) leave(key K, who string) {
	t.in--
	less(t.by, key)
	less(t.shares, share[K]{key, who})
	less(t.whos, who)
}

// less counts down, and forgets what is at nothing.
func less[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}
