package sched

import (
	"context"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Queue hands clusters to workers: a cluster is worked on by one worker at a
// time, and one that is added meanwhile is worked on once more afterwards.
type Queue struct {
	mu      sync.Mutex
	waiting fairQueue           // those that wait; each once
	dirty   map[ecp.ID]bool     // in a line, or to be put there when done
	working map[ecp.ID]Flow     // handed out, not done yet: from which line
	timers  map[ecp.ID]*delayed // one each: the earliest
	wake    chan struct{}       // closed and replaced when something arrives or may go on
}

type delayed struct {
	at    time.Time
	timer *time.Timer
}

// NewQueue returns an empty queue. flowOf says in which flow a cluster waits; nil means that
// all wait in one. slowShare is how many slow clusters of a target may be worked on at once,
// a quarter of the workers; 0 means any number.
func NewQueue(flowOf func(ecp.ID) Flow, slowShare int) *Queue {
	q := &Queue{waiting: newFairQueue(), dirty: map[ecp.ID]bool{}, working: map[ecp.ID]Flow{},
		timers: map[ecp.ID]*delayed{}, wake: make(chan struct{})}
	q.waiting.flowOf, q.waiting.slowShare = flowOf, slowShare
	return q
}

// Add asks for one pass over the cluster as soon as a worker is free.
func (q *Queue) Add(id ecp.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.addLocked(id)
}

func (q *Queue) addLocked(id ecp.ID) {
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
	q.waiting.push(id)
	q.wakeLocked()
}

func (q *Queue) wakeLocked() {
	close(q.wake)
	q.wake = make(chan struct{})
}

// AddAfter asks for a pass after d; of several the earliest counts.
func (q *Queue) AddAfter(id ecp.ID, d time.Duration) {
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

// Get waits for a cluster to work on; false when ctx ends. The caller calls
// done with it.
func (q *Queue) Get(ctx context.Context) (ecp.ID, bool) {
	for {
		q.mu.Lock()
		if ctx.Err() == nil {
			if id, from, ok := q.waiting.pop(); ok {
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

// Done notes that the reconciliation is over.
func (q *Queue) Done(id ecp.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting.leave(q.working[id])
	delete(q.working, id)
	if q.dirty[id] {
		q.waiting.push(id)
	}
	if q.waiting.len() > 0 { // its place may be what another waits for
		q.wakeLocked()
	}
}

// Stop drops everything that is still to come.
func (q *Queue) Stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range q.timers {
		d.timer.Stop()
	}
	clear(q.timers)
	clear(q.dirty)
	q.waiting.clear()
}

// Depth is how many clusters wait for a worker.
func (q *Queue) Depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.len()
}
