package fleet

import (
	"sync"

	"github.com/openecp/openecp/ecp"
)

// unrecordedSeen is what was last found of clusters that no record knows, by
// target: for metrics, and so that each is logged once.
type unrecordedSeen struct {
	mu sync.Mutex
	at map[string]map[ecp.ID]bool // guarded by mu
}

// saw takes what was found on a target, and gives what was not there before.
func (s *unrecordedSeen) saw(target string, found []UnrecordedCluster) (fresh []UnrecordedCluster) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := map[ecp.ID]bool{}
	for _, u := range found {
		now[u.ID] = true
		if !s.at[target][u.ID] {
			fresh = append(fresh, u)
		}
	}
	if s.at == nil {
		s.at = map[string]map[ecp.ID]bool{}
	}
	s.at[target] = now
	return fresh
}

func (s *unrecordedSeen) forget(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, target)
}

// drop notes that one is not unrecorded any more.
func (s *unrecordedSeen) drop(target string, id ecp.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at[target], id)
}

func (s *unrecordedSeen) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.at {
		n += len(at)
	}
	return n
}
