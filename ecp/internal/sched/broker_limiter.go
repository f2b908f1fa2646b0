package sched

import (
	"context"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// How many questions of users one cluster is asked at once, and how many of these
// are one actor's: whoever asks for many waits behind their own.
const (
	queriesPerCluster = 4
	queriesPerActor   = 2
)

// BrokerLimiter bound how many questions of users go to one cluster at once: pages that
// show a fleet poll, and a broker in trouble must not get the more of them the
// slower it answers. Who finds no turn waits. Sharing the answer of a question
// that is under way would spare the broker more, but such a question belongs to
// nobody: it needs a goroutine and a context of its own, and an exposition of
// metrics cannot be shared while it streams. Four are enough for people, and
// every answer is as new as the question. The zero value is ready.
type BrokerLimiter struct {
	mu sync.Mutex
	of map[limiterKey]*semaphore // guarded by mu; those that somebody has or waits for
}

// limiterKey is one actor at one cluster; without a who it is the cluster as a whole.
type limiterKey struct {
	id  ecp.ID
	who string
}

// semaphore is what one asker has.
type semaphore struct {
	taken chan struct{}
	users int // who have it or wait for it
}

// Acquire waits for a turn of an actor as long as ctx lasts. Who gets one has to give
// it back.
func (t *BrokerLimiter) Acquire(ctx context.Context, id ecp.ID, a ecp.Actor) error {
	if err := t.acquire(ctx, limiterKey{id, a.Identity()}, queriesPerActor); err != nil {
		return err
	}
	if err := t.acquire(ctx, limiterKey{id: id}, queriesPerCluster); err != nil {
		t.release(limiterKey{id, a.Identity()})
		return err
	}
	return nil
}

// Release ends what Acquire began.
func (t *BrokerLimiter) Release(id ecp.ID, a ecp.Actor) {
	t.release(limiterKey{id: id})
	t.release(limiterKey{id, a.Identity()})
}

func (t *BrokerLimiter) acquire(ctx context.Context, by limiterKey, most int) error {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[limiterKey]*semaphore{}
	}
	own := t.of[by]
	if own == nil {
		own = &semaphore{taken: make(chan struct{}, most)}
		t.of[by] = own
	}
	own.users++
	t.mu.Unlock()
	select {
	case own.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.leave(by)
		return ctx.Err()
	}
}

func (t *BrokerLimiter) release(by limiterKey) {
	t.mu.Lock()
	own := t.of[by]
	t.mu.Unlock()
	<-own.taken
	t.leave(by)
}

// leave forgets an asker with the last who was interested in it.
func (t *BrokerLimiter) leave(by limiterKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[by]
	if own.users--; own.users == 0 {
		delete(t.of, by)
	}
}

// InUse is how many actors and clusters hold or wait for something.
func (t *BrokerLimiter) InUse() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.of)
}
