package fleet

import (
	"time"
)

// sureNow is the time by which things are removed for good: that of the wall
// clock, or an earlier one where it has been set forward since the Manager was
// made. What goes too late does no harm; what a wrong clock removes is lost.
func (m *Manager) sureNow() time.Time {
	now, counted := m.observed.Now(), m.made.Wall.Add(m.observed.Tick().Sub(m.made.Tick))
	if counted.Before(now) {
		return counted
	}
	return now
}
