package ecp

import (
	"context"
	"errors"
	"time"
)

// passAdopted carries the deletion of an adopted cluster out: its agents are
// turned away and what it booked is given back. Everything else about adopted
// clusters is reported by agents, not looked up.
func (m *Manager) passAdopted(ctx context.Context, rec ClusterRecord) time.Duration {
	if !rec.Deleting {
		return 0
	}
	if m.link != nil {
		if err := m.link.Drop(ctx, rec.ID); err != nil {
			m.complain(ctx, "drop agents", rec.ID, err)
			return 5 * time.Second
		}
	}
	err := m.store.Write(ctx, func(tx Tx) error {
		rec, _, err := loadTx(tx, rec.ID)
		if err != nil {
			return err
		}
		now := m.now().UTC()
		rec.Status.State, rec.Status.Since, rec.Status.Reason = Gone, now, ReasonDeleted
		return writeStep(tx, step{hops: []ClusterRecord{rec}}, now)
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		m.complain(ctx, "remove cluster", rec.ID, err)
		return 5 * time.Second
	}
	return time.Millisecond
}
