package ecp

import (
	"context"
	"time"
)

// Pass lets tests work on one cluster once, without Run.
func (m *Manager) Pass(ctx context.Context, id ID) time.Duration { return m.pass(ctx, id) }
