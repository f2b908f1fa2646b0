package fleet

import (
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
)

// lineOf is where a cluster waits, by what its last pass was like.
func (m *Manager) lineOf(id ecp.ID) sched.Line {
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	if mem := m.observed.Looks[id]; mem != nil {
		return sched.Line{Target: mem.Target, Slow: mem.Slow}
	}
	return sched.Line{}
}

func (m *Manager) onTarget(mem *observed.Memory, rec ecp.ClusterRecord) {
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	mem.Target = rec.Spec.Hosted.Target
}

// remarkPace notes whether a pass was held up.
func (m *Manager) remarkPace(id ecp.ID, took time.Duration) {
	m.observed.Mu.Lock()
	defer m.observed.Mu.Unlock()
	if mem := m.observed.Looks[id]; mem != nil {
		mem.Slow = took > sched.SlowPass
	}
}
