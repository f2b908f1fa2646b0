package fleet

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Pass lets tests work on one cluster once, without Run.
func (m *Manager) Pass(ctx context.Context, id ecp.ID) time.Duration { return m.reconcile(ctx, id) }

// SetTick lets tests move the monotonic clock.
func (m *Manager) SetTick(tick func() time.Time) { m.setTick(tick) }

func (m *Manager) setTick(tick func() time.Time) { m.observed.Tick, m.made.Tick = tick, tick() }

// Turns is of how many clusters turns at their broker are kept.
func (m *Manager) Turns() int { return m.observed.Queries.InUse() }
