package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/tenancy"
)

// pruneEvery is the time between two removals of records that have expired.
const pruneEvery = time.Hour

// tombstoneKept is how long it is remembered that there was a cluster, and longer
// where operations or audit entries that tell of it are kept longer. Until then its
// id is not drawn again; afterwards one new cluster in four billion may have it.
const tombstoneKept = 365 * 24 * time.Hour

// pruneBatch is how many records are removed in one transaction, so that
// writers do not wait long.
const pruneBatch = 200

// prune removes every hour, until ctx ends, the records that nobody needs any more:
// sessions, stored answers to repeated requests, registration tokens, tombstones, audit
// entries, operations and changes past their time.
func (m *Manager) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := m.pruneOnce(ctx); err != nil && ctx.Err() == nil {
			m.observed.Log.WarnContext(ctx, "what is over could not be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pruneOnce removes what has expired. If one kind cannot be removed, the others still are.
func (m *Manager) pruneOnce(ctx context.Context) error {
	now := m.sureNow().UTC()
	return errors.Join(m.pruneRecords(ctx, now), m.pruneOperations(ctx, now), m.purgeChanges(ctx, now))
}

// purgeChanges removes what nobody can resume from any more, where the store
// does not do that by itself.
func (m *Manager) purgeChanges(ctx context.Context, now time.Time) error {
	p, ok := ecp.StoreAs[ecp.Purger](m.observed.Store)
	if !ok {
		return nil
	}
	n, err := p.Purge(ctx, now.Add(-ecp.ChangesKept))
	if err == nil && n > 0 {
		m.observed.Log.DebugContext(ctx, "old changes removed", "count", n)
	}
	return err
}

func (m *Manager) pruneRecords(ctx context.Context, now time.Time) error {
	for _, over := range []func(ecp.Tx) ([]ecp.Record, error){
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{}, func(s tenancy.StoredSession) bool { return !s.ExpiresAt.After(now) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{}, func(a change.Answered) bool { return a.Over(now) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{},
				func(t ecp.RegistrationToken) bool { return !t.ExpiresAt.Add(agents.RegistrationKept).After(now) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			old := now.Add(-max(tombstoneKept, m.auditKept, m.operationsKept))
			return overdue(tx, ecp.Query{}, func(t ecp.Tombstone) bool { return t.DeletedAt.Before(old) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{Match: agents.HistoryOver(now)}, func(ecp.HistoryEntry) bool { return true })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, change.AuditOlder(now.Add(-m.auditKept)), func(change.AuditEntry) bool { return true })
		},
	} {
		for {
			n, err := m.removeBatch(ctx, over)
			if err != nil {
				return err
			}
			if n < pruneBatch {
				break
			}
		}
	}
	return nil
}

// overdue returns up to pruneBatch records of a kind for which over reports true.
func overdue[P ecp.Payload](tx ecp.Tx, q ecp.Query, over func(P) bool) ([]ecp.Record, error) {
	var out []ecp.Record
	for p, err := range ecp.List[P](tx, q) {
		if err != nil {
			return nil, err
		}
		if over(p) {
			out = append(out, ecp.NewRecord(p))
		}
		if len(out) == pruneBatch {
			break
		}
	}
	return out, nil
}

// remove deletes a record if there is one.
func remove(tx ecp.Tx, kind ecp.Kind, key string) error {
	if err := tx.Delete(kind, key); !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	return nil
}

// removeBatch removes the records that find returns, and returns their number. If there
// are none, nothing is written.
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

// pruneOperationsOf removes the oldest of a cluster's operations that have ended,
// where there are more than are kept.
func (m *Manager) pruneOperationsOf(tx ecp.Tx, id ecp.ID) error {
	all, err := operationsOf(tx, id)
	if err != nil {
		return err
	}
	kept, removed := 0, 0
	for _, o := range all {
		if !o.Phase.Final() {
			continue
		}
		if kept++; kept <= m.operationsMost || removed == pruneBatch {
			continue
		}
		removed++
		if err := tx.Delete(ecp.KindOperation, string(o.ID)); err != nil {
			return err
		}
	}
	return nil
}

// overOperations returns the ids of operations that have ended and are kept no longer: because
// of their age, or because too many of the same cluster are newer.
func (m *Manager) overOperations(tx ecp.Tx, now time.Time) (over []string, _ error) {
	ended := map[ecp.ID][]ecp.Operation{}
	for o, err := range ecp.List[ecp.Operation](tx, ecp.Query{}) {
		if err != nil {
			return nil, err
		}
		if o.Phase.Final() && o.EndedAt.Before(now.Add(-m.operationsKept)) {
			over = append(over, string(o.ID))
		} else if o.Phase.Final() {
			ended[o.Cluster] = append(ended[o.Cluster], ecp.Operation{ID: o.ID, CreatedAt: o.CreatedAt})
		}
	}
	for _, all := range ended {
		if len(all) <= m.operationsMost {
			continue
		}
		slices.SortFunc(all, func(a, b ecp.Operation) int { return strings.Compare(placeOf(b), placeOf(a)) })
		for _, o := range all[m.operationsMost:] {
			over = append(over, string(o.ID))
		}
	}
	return over, nil
}

// pruneOperations removes the operations that are kept no longer, a batch in each
// transaction. They can be found before the writing: an operation that has ended stays ended.
func (m *Manager) pruneOperations(ctx context.Context, now time.Time) error {
	var over []string
	if err := m.observed.Store.Read(ctx,
		func(tx ecp.Tx) (err error) { over, err = m.overOperations(tx, now); return err }); err != nil {
		return err
	}
	for some := range slices.Chunk(over, pruneBatch) {
		err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
			for _, id := range some {
				if err := remove(tx, ecp.KindOperation, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
