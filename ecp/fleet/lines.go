package fleet

import (
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/sched"
)

// lineOf is where a cluster waits, by what its last pass was like.
func (m *Manager) lineOf(id ecp.ID) sched.Line {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		return sched.Line{Target: mem.target, Slow: mem.slow}
	}
	return sched.Line{}
}

func (m *Manager) onTarget(mem *memory, rec ecp.ClusterRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem.target = rec.Spec.Hosted.Target
}

// remarkPace notes whether a pass was held up.
func (m *Manager) remarkPace(id ecp.ID, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		mem.slow = took > sched.SlowPass
	}
}
