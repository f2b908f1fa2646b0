package sched

import (
	"sync"

	"github.com/openecp/openecp/ecp"
)

// WriteLimiter bounds how many clusters are written to at once on one target: one that
// answers slowly must not hold up the others. A cluster that finds none free
// waits in line without holding a worker: writing takes seconds where the
// platform is busy, and observing must not wait for it.
type WriteLimiter struct {
	mu      sync.Mutex
	each    int                      // slots of a target
	targets map[string]*targetWrites // of the targets with a slot taken or somebody in line; guarded by mu
}

// targetWrites is what is taken of the slots of one target. The targets' mutex guards it.
type targetWrites struct {
	taken   map[ecp.ID]int // how often, by who has a slot
	waiting []ecp.ID       // in line
	inLine  map[ecp.ID]bool
}

func NewWriteLimiter(each int) *WriteLimiter {
	return &WriteLimiter{each: each, targets: map[string]*targetWrites{}}
}

// TryAcquire takes a slot of a target, or puts the cluster in line. A cluster that has
// one has it once more.
func (s *WriteLimiter) TryAcquire(target string, id ecp.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[target]
	if t == nil {
		t = &targetWrites{taken: map[ecp.ID]int{}, inLine: map[ecp.ID]bool{}}
		s.targets[target] = t
	}
	if t.taken[id] > 0 || len(t.taken) < s.each {
		t.taken[id]++
		return true
	}
	if !t.inLine[id] {
		t.inLine[id] = true
		t.waiting = append(t.waiting, id)
	}
	return false
}

// Release returns what one TryAcquire of a cluster took.
func (s *WriteLimiter) Release(target string, id ecp.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.targets[target]
	if t.taken[id]--; t.taken[id] == 0 {
		delete(t.taken, id)
	}
	s.drop(target)
}

// Next returns the first in line of a target with a free slot, who is to try
// again; "" if there is none or nobody waits. It is asked after every pass: who
// was named may need no slot any more, and then the one behind must not wait
// for it.
func (s *WriteLimiter) Next() ecp.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target, t := range s.targets {
		if len(t.taken) == s.each || len(t.waiting) == 0 {
			continue
		}
		id := t.waiting[0]
		t.waiting = t.waiting[1:]
		delete(t.inLine, id)
		s.drop(target)
		return id
	}
	return ""
}

// drop forgets a target of which nothing is taken or waited for; mu is held.
func (s *WriteLimiter) drop(target string) {
	if t := s.targets[target]; len(t.taken) == 0 && len(t.waiting) == 0 {
		delete(s.targets, target)
	}
}
