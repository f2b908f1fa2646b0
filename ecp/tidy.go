package ecp

import (
	"context"
	"errors"
	"time"
)

// tidyEvery is the time between two removals of what is over.
const tidyEvery = time.Hour

// tombstoneKept is how long it is remembered that there was a cluster, and longer
// where operations or audit entries that tell of it are kept longer. Until then its
// id is not drawn again; afterwards one new cluster in four billion may have it.
const tombstoneKept = 365 * 24 * time.Hour

// tidyBatch is how many records are removed in one transaction, so that
// writers do not wait long.
const tidyBatch = 200

// tidy removes, now and then until ctx ends, what nobody needs any more:
// sessions that are over, answers that are not given again, registration tokens,
// tombstones, audit entries, operations and changes past their time.
func (m *Manager) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := m.tidyOnce(ctx); err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "what is over could not be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tidyOnce removes what is over. Where one kind cannot be removed, others are.
func (m *Manager) tidyOnce(ctx context.Context) error {
	now := m.sureNow().UTC()
	return errors.Join(m.tidyRecords(ctx, now), m.tidyOperations(ctx, now), m.purgeChanges(ctx, now))
}

// purgeChanges removes what nobody can resume from any more, where the store
// does not do that by itself.
func (m *Manager) purgeChanges(ctx context.Context, now time.Time) error {
	p, ok := m.store.(Purger)
	if !ok {
		return nil
	}
	n, err := p.Purge(ctx, now.Add(-ChangesKept))
	if err == nil && n > 0 {
		m.log.DebugContext(ctx, "old changes removed", "count", n)
	}
	return err
}

func (m *Manager) tidyRecords(ctx context.Context, now time.Time) error {
	for _, over := range []func(Tx) ([]Record, error){
		func(tx Tx) ([]Record, error) {
			return overdue(tx, Query{}, func(s storedSession) bool { return !s.ExpiresAt.After(now) })
		},
		func(tx Tx) ([]Record, error) {
			return overdue(tx, Query{}, func(a answered) bool { return a.over(now) })
		},
		func(tx Tx) ([]Record, error) {
			return overdue(tx, Query{}, func(t RegistrationToken) bool { return !t.ExpiresAt.Add(registrationKept).After(now) })
		},
		func(tx Tx) ([]Record, error) {
			old := now.Add(-max(tombstoneKept, m.auditKept, m.operationsKept))
			return overdue(tx, Query{}, func(t Tombstone) bool { return t.DeletedAt.Before(old) })
		},
		func(tx Tx) ([]Record, error) {
			return overdue(tx, Query{Match: historyOver(now)}, func(HistoryEntry) bool { return true })
		},
		func(tx Tx) ([]Record, error) {
			return overdue(tx, Query{After: auditMark(now.Add(-m.auditKept))}, func(AuditEntry) bool { return true })
		},
	} {
		for {
			n, err := m.removeBatch(ctx, over)
			if err != nil {
				return err
			}
			if n < tidyBatch {
				break
			}
		}
	}
	return nil
}

// overdue finds some records of a kind that are over.
func overdue[P Payload](tx Tx, q Query, over func(P) bool) ([]Record, error) {
	var out []Record
	for p, err := range List[P](tx, q) {
		if err != nil {
			return nil, err
		}
		if over(p) {
			out = append(out, NewRecord(p))
		}
		if len(out) == tidyBatch {
			break
		}
	}
	return out, nil
}

// removeBatch removes what is found, and says how much. Where nothing is
// found nothing is written.
func (m *Manager) removeBatch(ctx context.Context, find func(Tx) ([]Record, error)) (int, error) {
	var found []Record
	err := m.store.Read(ctx, func(tx Tx) (err error) { found, err = find(tx); return err })
	if err != nil || len(found) == 0 {
		return 0, err
	}
	err = m.store.Write(ctx, func(tx Tx) (err error) {
		if found, err = find(tx); err != nil { // as it is now
			return err
		}
		for _, r := range found {
			if err := tx.Delete(r.Kind, r.Key); err != nil {
				return err
			}
		}
		return nil
	})
	return len(found), err
}
