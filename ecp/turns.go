package ecp

import (
	"context"
	"sync"
)

// turnsPerCluster is how many questions of users one cluster is asked at once.
const turnsPerCluster = 4

// turns bound how many questions of users go to one cluster at once: pages that
// show a fleet poll, and a broker in trouble must not get the more of them the
// slower it answers. Who finds no turn waits. Sharing the answer of a question
// that is under way would spare the broker more, but such a question belongs to
// nobody: it needs a goroutine and a context of its own, and an exposition of
// metrics cannot be shared while it streams. Four are enough for people, and
// every answer is as new as the question. The zero value is ready.
type turns struct {
	mu sync.Mutex
	of map[ID]*turn // guarded by mu; those that somebody has or waits for
}

// turn is that of one cluster.
type turn struct {
	taken chan struct{}
	users int // who have it or wait for it
}

// take waits for a turn as long as ctx lasts. Who gets one has to give it back.
func (t *turns) take(ctx context.Context, id ID) error {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[ID]*turn{}
	}
	own := t.of[id]
	if own == nil {
		own = &turn{taken: make(chan struct{}, turnsPerCluster)}
		t.of[id] = own
	}
	own.users++
	t.mu.Unlock()
	select {
	case own.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.leave(id)
		return ctx.Err()
	}
}

// give gives a turn back.
func (t *turns) give(id ID) {
	t.mu.Lock()
	own := t.of[id]
	t.mu.Unlock()
	<-own.taken
	t.leave(id)
}

// leave forgets the cluster with the last who was interested in it.
func (t *turns) leave(id ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[id]
	if own.users--; own.users == 0 {
		delete(t.of, id)
	}
}
