package proxy

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// limiter bounds how many exchanges with brokers run at once. Each begins in a quick
// slot, for which it waits a moment if none is free for its actor. An exchange that
// lasts moves to a long slot, of which an actor has few at each cluster; if none is
// free for it, the exchange is ended. So a quick slot becomes free soon, whoever holds
// it: readers that are slow or have stopped, brokers that trickle and large downloads
// compete with one another only.
//
// Slots are counted because of what an exchange may hold: a connection of the
// broker's, and for each answer that its reader does not take as much memory as the
// tunnel sends ahead (serverStreamWindow in agentproto).
type limiter[K comparable] struct {
	maxWait   time.Duration // for a quick slot
	longAfter time.Duration // when an exchange needs a long slot; 0 means never
	maxQueued int           // exchanges of an actor with one cluster that wait

	mu     sync.Mutex
	quick  usage[K]  // guarded by mu
	long   usage[K]  // guarded by mu
	queue  list.List // guarded by mu: the *slot[K] that wait, oldest first
	queued usage[K]  // guarded by mu: of the slots in queue
}

// The usual values of a limiter. Whoever holds a slot when an exchange begins to wait
// has moved on, or ended, before that gives up.
const (
	usualLongAfter = 5 * time.Second
	usualMaxWait   = usualLongAfter + time.Second
	usualMaxQueued = 128
)

func newLimiter[K comparable](quick, long limits) *limiter[K] {
	return &limiter[K]{
		maxWait: usualMaxWait, longAfter: usualLongAfter, maxQueued: usualMaxQueued,
		quick: usage[K]{limits: quick}, long: usage[K]{limits: long},
	}
}

// slot is the slot of one exchange.
type slot[K comparable] struct {
	of    *limiter[K]
	key   K
	actor string
	ready chan struct{} // closed when it is a quick slot

	in    *usage[K]   // guarded by of.mu: where it counts; nil while it waits and after its end
	timer *time.Timer // nil until onOverload is called
}

// acquire returns a quick slot for an actor. It returns nil if none becomes free in
// time, or too many exchanges of the actor wait already.
func (l *limiter[K]) acquire(ctx context.Context, key K, actor string) *slot[K] {
	s := &slot[K]{of: l, key: key, actor: actor, ready: make(chan struct{})}
	at, ok := l.takeOrQueue(s)
	if !ok {
		return nil
	}
	late := time.NewTimer(l.maxWait)
	defer late.Stop()
	select {
	case <-s.ready:
		return s
	case <-late.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.in != nil { // it became ready just now
		return s
	}
	l.queue.Remove(at)
	l.queued.remove(key, actor)
	return nil
}

// takeOrQueue makes s a quick slot if one is free, and else puts it into the queue. ok
// is false if the actor may queue no more.
func (l *limiter[K]) takeOrQueue(s *slot[K]) (at *list.Element, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.quick.fits(s.key, s.actor):
		l.takeLocked(s)
		return nil, true
	case l.queued.shares[share[K]{s.key, s.actor}] >= l.maxQueued:
		return nil, false
	}
	l.queued.add(s.key, s.actor)
	return l.queue.PushBack(s), true
}

func (l *limiter[K]) takeLocked(s *slot[K]) {
	l.quick.add(s.key, s.actor)
	s.in = &l.quick
	close(s.ready)
}

// admitLocked assigns quick slots to those that wait, the oldest first. An actor that
// has enough holds up nobody behind it.
func (l *limiter[K]) admitLocked() {
	for at := l.queue.Front(); at != nil; {
		s, next := at.Value.(*slot[K]), at.Next()
		if l.quick.fits(s.key, s.actor) {
			l.queue.Remove(at)
			l.queued.remove(s.key, s.actor)
			l.takeLocked(s)
		}
		at = next
	}
}

// onOverload arranges that end is called if the exchange lasts and there is no long
// slot for it. It is called once, before release.
func (s *slot[K]) onOverload(end func()) {
	if s.of.longAfter > 0 {
		s.timer = time.AfterFunc(s.of.longAfter, func() {
			if !s.moveToLong() {
				end()
			}
		})
	}
}

// moveToLong reports whether the exchange may go on.
func (s *slot[K]) moveToLong() bool {
	l := s.of
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.in == nil: // it has just ended
		return true
	case !l.long.fits(s.key, s.actor):
		return false // it counts as quick until it has ended
	}
	s.in.remove(s.key, s.actor)
	s.in = &l.long
	s.in.add(s.key, s.actor)
	l.admitLocked()
	return true
}

// release frees the slot.
func (s *slot[K]) release() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.in.remove(s.key, s.actor)
	s.in = nil
	s.of.admitLocked()
}

// limits is how many slots there are.
type limits struct {
	all        int // of everybody, with all clusters
	perCluster int
	perActor   int // of one actor with one cluster
}

// usage counts slots. An actor gets a free slot only while more are free than it has,
// in all and of each cluster: alone it has half of them, and however many it asks for,
// others find some.
type usage[K comparable] struct {
	limits
	total  int
	byKey  map[K]int
	shares map[share[K]]int
	actors map[string]int // what each has in all
}

// share is what one actor has of the slots of one cluster.
type share[K comparable] struct {
	key   K
	actor string
}

// fits reports whether there is one more slot for an actor.
func (u *usage[K]) fits(key K, actor string) bool {
	has := u.shares[share[K]{key, actor}]
	return has < u.perActor && has < u.perCluster-u.byKey[key] && u.actors[actor] < u.all-u.total
}

func (u *usage[K]) add(key K, actor string) {
	if u.byKey == nil {
		u.byKey, u.shares, u.actors = map[K]int{}, map[share[K]]int{}, map[string]int{}
	}
	u.total++
	u.byKey[key]++
	u.shares[share[K]{key, actor}]++
	u.actors[actor]++
}

func (u *usage[K]) remove(key K, actor string) {
	u.total--
	decrement(u.byKey, key)
	decrement(u.shares, share[K]{key, actor})
	decrement(u.actors, actor)
}

// decrement counts down, and removes what is at zero.
func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}
