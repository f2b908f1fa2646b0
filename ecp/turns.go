package ecp

import (
	"context"
	"sync"
)

// How many questions of users one cluster is asked at once, and how many of these
// are one actor's: whoever asks for many waits behind their own.
const (
	turnsPerCluster = 4
	turnsPerActor   = 2
)

// turns bound how many questions of users go to one cluster at once: pages that
// show a fleet poll, and a broker in trouble must not get the more of them the
// slower it answers. Who finds no turn waits. Sharing the answer of a question
// that is under way would spare the broker more, but such a question belongs to
// nobody: it needs a goroutine and a context of its own, and an exposition of
// metrics cannot be shared while it streams. Four are enough for people, and
// every answer is as new as the question. The zero value is ready.
type turns struct {
	mu sync.Mutex
	of map[asker]*turn // guarded by mu; those that somebody has or waits for
}

// asker is one actor at one cluster; without a who it is the cluster as a whole.
type asker struct {
	id  ID
	who string
}

// turn is what one asker has.
type turn struct {
	taken chan struct{}
	users int // who have it or wait for it
}

// take waits for a turn of an actor as long as ctx lasts. Who gets one has to give
// it back.
func (t *turns) take(ctx context.Context, id ID, a Actor) error {
	if err := t.takeOf(ctx, asker{id, a.Identity()}, turnsPerActor); err != nil {
		return err
	}
	if err := t.takeOf(ctx, asker{id: id}, turnsPerCluster); err != nil {
		t.giveOf(asker{id, a.Identity()})
		return err
	}
	return nil
}

// give gives a turn back.
func (t *turns) give(id ID, a Actor) {
	t.giveOf(asker{id: id})
	t.giveOf(asker{id, a.Identity()})
}

func (t *turns) takeOf(ctx context.Context, by asker, most int) error {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[asker]*turn{}
	}
	own := t.of[by]
	if own == nil {
		own = &turn{taken: make(chan struct{}, most)}
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

func (t *turns) giveOf(by asker) {
	t.mu.Lock()
	own := t.of[by]
	t.mu.Unlock()
	<-own.taken
	t.leave(by)
}

// leave forgets an asker with the last who was interested in it.
func (t *turns) leave(by asker) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of[by]
	if own.users--; own.users == 0 {
		delete(t.of, by)
	}
}
