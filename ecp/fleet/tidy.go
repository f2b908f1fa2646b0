package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/tenancy"
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
			m.observed.Log.WarnContext(ctx, "what is over could not be removed; it is tried again", "error", err)
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
	p, ok := m.observed.Store.(ecp.Purger)
	if !ok {
		return nil
	}
	n, err := p.Purge(ctx, now.Add(-ecp.ChangesKept))
	if err == nil && n > 0 {
		m.observed.Log.DebugContext(ctx, "old changes removed", "count", n)
	}
	return err
}

func (m *Manager) tidyRecords(ctx context.Context, now time.Time) error {
	for _, over := range []func(ecp.Tx) ([]ecp.Record, error){
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{}, func(s tenancy.StoredSession) bool { return !s.ExpiresAt.After(now) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{}, func(a change.Answered) bool { return a.Over(now) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{}, func(t ecp.RegistrationToken) bool { return !t.ExpiresAt.Add(agents.RegistrationKept).After(now) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			old := now.Add(-max(tombstoneKept, m.auditKept, m.operationsKept))
			return overdue(tx, ecp.Query{}, func(t ecp.Tombstone) bool { return t.DeletedAt.Before(old) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{Match: agents.HistoryOver(now)}, func(ecp.HistoryEntry) bool { return true })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{After: change.AuditMark(now.Add(-m.auditKept))}, func(change.AuditEntry) bool { return true })
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
func overdue[P ecp.Payload](tx ecp.Tx, q ecp.Query, over func(P) bool) ([]ecp.Record, error) {
	var out []ecp.Record
	for p, err := range ecp.List[P](tx, q) {
		if err != nil {
			return nil, err
		}
		if over(p) {
			out = append(out, ecp.NewRecord(p))
		}
		if len(out) == tidyBatch {
			break
		}
	}
	return out, nil
}

// removeBatch removes what is found, and says how much. Where nothing is
// found nothing is written.
func (m *Manager) removeBatch(ctx context.Context, find func(ecp.Tx) ([]ecp.Record, error)) (int, error) {
	var found []ecp.Record
	err := m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) { found, err = find(tx); return err })
	if err != nil || len(found) == 0 {
		return 0, err
	}
	err = m.observed.Store.Write(ctx, func(tx ecp.Tx) (err error) {
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
