package ecp

import "sync"

// slots bound how many clusters are written to at once. A cluster that finds
// none free waits in line without holding a worker: writing takes seconds
// where the platform is busy, and looking must not wait for it.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting []ID        // in line; guarded by mu
	inLine  map[ID]bool // those in waiting; guarded by mu
}

func newSlots(n int) *slots { return &slots{free: n, inLine: map[ID]bool{}} }

// take gives a slot, or puts the cluster in line.
func (s *slots) take(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return true
	}
	if !s.inLine[id] {
		s.inLine[id] = true
		s.waiting = append(s.waiting, id)
	}
	return false
}

// give returns a slot.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
}

// next names the first in line, who is to try again, where a slot is free; ""
// if there is none or nobody waits. It is asked after every pass: who was named
// may need no slot any more, and then the one behind must not wait for it.
func (s *slots) next() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 || len(s.waiting) == 0 {
		return ""
	}
	id := s.waiting[0]
	s.waiting = s.waiting[1:]
	delete(s.inLine, id)
	return id
}
