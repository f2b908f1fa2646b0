package sched

import (
	"context"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// How many questions of users one cluster is asked at once, and how many of these
// are one actor's: whoever asks for many waits behind their own.
const (
	turnsPerCluster = 4
	turnsPerActor   = 2
)

// Turns bound how many questions of users go to one cluster at once: pages that
// show a fleet poll, and a broker in trouble must not get the more of them the
// slower it answers. Who finds no turn waits. Sharing the answer of a question
// that is under way would spare the broker more, but such a question belongs to
// nobody: it needs a goroutine and a context of its own, and an exposition of
// metrics cannot be shared while it streams. Four are enough for people, and
// every answer is as new as the question. The zero value is ready.
type Turns struct {
	Mu sync.Mutex
	Of map[asker]*turn // guarded by mu; those that somebody has or waits for
}

// asker is one actor at one cluster; without a who it is the cluster as a whole.
type asker struct {
	id  ecp.ID
	who string
}

// turn is what one asker has.
type turn struct {
	taken chan struct{}
	users int // who have it or wait for it
}

// Take waits for a turn of an actor as long as ctx lasts. Who gets one has to give
// it back.
func (t *Turns) Take(ctx context.Context, id ecp.ID, a ecp.Actor) error {
	if err := t.takeOf(ctx, asker{id, a.Identity()}, turnsPerActor); err != nil {
		return err
	}
	if err := t.takeOf(ctx, asker{id: id}, turnsPerCluster); err != nil {
		t.giveOf(asker{id, a.Identity()})
		return err
	}
	return nil
}

// Give gives a turn back.
func (t *Turns) Give(id ecp.ID, a ecp.Actor) {
	t.giveOf(asker{id: id})
	t.giveOf(asker{id, a.Identity()})
}

func (t *Turns) takeOf(ctx context.Context, by asker, most int) error {
	t.Mu.Lock()
	if t.Of == nil {
		t.Of = map[asker]*turn{}
	}
	own := t.Of[by]
	if own == nil {
		own = &turn{taken: make(chan struct{}, most)}
		t.Of[by] = own
	}
	own.users++
	t.Mu.Unlock()
	select {
	case own.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.leave(by)
		return ctx.Err()
	}
}

func (t *Turns) giveOf(by asker) {
	t.Mu.Lock()
	own := t.Of[by]
	t.Mu.Unlock()
	<-own.taken
	t.leave(by)
}

// leave forgets an asker with the last who was interested in it.
func (t *Turns) leave(by asker) {
	t.Mu.Lock()
	defer t.Mu.Unlock()
	own := t.Of[by]
	if own.users--; own.users == 0 {
		delete(t.Of, by)
	}
}
