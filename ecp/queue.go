package ecp

import (
	"context"
	"sync"
	"time"
)

// queue hands clusters to workers: a cluster is worked on by one worker at a
// time, and one that is added meanwhile is worked on once more afterwards.
type queue struct {
	mu      sync.Mutex
	lines   lines           // those that wait; each once
	dirty   map[ID]bool     // in a line, or to be put there when done
	working map[ID]line     // handed out, not done yet: from which line
	timers  map[ID]*delayed // one each: the earliest
	wake    chan struct{}   // closed and replaced when something arrives or may go on
}

type delayed struct {
	at    time.Time
	timer *time.Timer
}

func newQueue() *queue {
	return &queue{lines: newLines(), dirty: map[ID]bool{}, working: map[ID]line{}, timers: map[ID]*delayed{}, wake: make(chan struct{})}
}

// add asks for one pass over the cluster as soon as a worker is free.
func (q *queue) add(id ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.addLocked(id)
}

func (q *queue) addLocked(id ID) {
	if d := q.timers[id]; d != nil {
		d.timer.Stop()
		delete(q.timers, id)
	}
	if q.dirty[id] {
		return
	}
	q.dirty[id] = true
	if _, working := q.working[id]; working {
		return
	}
	q.lines.push(id)
	q.wakeLocked()
}

func (q *queue) wakeLocked() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// addAfter asks for a pass after d; of several the earliest counts.
func (q *queue) addAfter(id ID, d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := time.Now().Add(d)
	if old := q.timers[id]; old != nil {
		if !at.Before(old.at) {
			return
		}
		old.timer.Stop()
	}
	entry := &delayed{at: at}
	entry.timer = time.AfterFunc(d, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.timers[id] == entry {
			q.addLocked(id)
		}
	})
	q.timers[id] = entry
}

// get waits for a cluster to work on; false when ctx ends. The caller calls
// done with it.
func (q *queue) get(ctx context.Context) (ID, bool) {
	for {
		q.mu.Lock()
		if ctx.Err() == nil {
			if id, from, ok := q.lines.pop(); ok {
				delete(q.dirty, id)
				q.working[id] = from
				q.mu.Unlock()
				return id, true
			}
		}
		wake := q.wake
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return "", false
		case <-wake:
		}
	}
}

// done says that the pass is over.
func (q *queue) done(id ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lines.leave(q.working[id])
	delete(q.working, id)
	if q.dirty[id] {
		q.lines.push(id)
	}
	if q.lines.len() > 0 { // its place may be what another waits for
		q.wakeLocked()
	}
}

// stop drops everything that is still to come.
func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range q.timers {
		d.timer.Stop()
	}
	clear(q.timers)
	clear(q.dirty)
	q.lines.clear()
}

// depth is how many clusters wait for a worker.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines.len()
}
