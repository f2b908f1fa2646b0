// Package pruning removes the records that nobody needs any more.
package pruning

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/tenancy"
)

// Pruner removes what has expired.
type Pruner struct {
	Observed *observed.Clusters
	// SureNow is the time by which things are removed for good. What goes too late does no
	// harm; what a wrong clock removes is lost.
	SureNow                   func() time.Time
	AuditKept, OperationsKept time.Duration
	OperationsMost            int // ended ones of one cluster

	wake chan struct{} // holds one
}

// New returns a Pruner that is still to be filled in.
func New(o *observed.Clusters) *Pruner { return &Pruner{Observed: o, wake: make(chan struct{}, 1)} }

// Lead returns false where another program does the work, else a context for it; end is
// called afterwards.
type Lead func(context.Context) (_ context.Context, end func(), ok bool)

// Wake lets Run remove what has expired now.
func (p *Pruner) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// every is the time between two removals of records that have expired.
const every = time.Hour

// TombstoneKept is how long it is remembered that there was a cluster, and longer
// where operations or audit entries that tell of it are kept longer. Until then its
// id is not drawn again; afterwards one new cluster in four billion may have it.
const TombstoneKept = 365 * 24 * time.Hour

// Batch is how many records are removed in one transaction, so that
// writers do not wait long.
const Batch = 200

// Run removes every hour, until ctx ends, the records that nobody needs any more:
// sessions, stored answers to repeated requests, registration tokens, tombstones, audit
// entries, operations and changes past their time.
func (p *Pruner) Run(ctx context.Context, lead Lead) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		p.lead(ctx, lead)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.wake:
		}
	}
}

func (p *Pruner) lead(ctx context.Context, lead Lead) {
	ctx, end, ok := lead(ctx)
	defer end()
	if !ok {
		return
	}
	if err := p.Once(ctx); err != nil && ctx.Err() == nil {
		p.Observed.Log.WarnContext(ctx, "what is over could not be removed; it is tried again", "error", err)
	}
}

// Once removes what has expired. If one kind cannot be removed, the others still are.
func (p *Pruner) Once(ctx context.Context) error {
	now := p.SureNow().UTC()
	return errors.Join(p.records(ctx, now), p.operations(ctx, now), p.purgeChanges(ctx, now))
}

// purgeChanges removes what nobody can resume from any more, where the store
// does not do that by itself.
func (p *Pruner) purgeChanges(ctx context.Context, now time.Time) error {
	store, ok := ecp.StoreAs[ecp.Purger](p.Observed.Store)
	if !ok {
		return nil
	}
	n, err := store.Purge(ctx, now.Add(-ecp.ChangesKept))
	if err == nil && n > 0 {
		p.Observed.Log.DebugContext(ctx, "old changes removed", "count", n)
	}
	return err
}

func (p *Pruner) records(ctx context.Context, now time.Time) error {
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
			old := now.Add(-max(TombstoneKept, p.AuditKept, p.OperationsKept))
			return overdue(tx, ecp.Query{}, func(t ecp.Tombstone) bool { return t.DeletedAt.Before(old) })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, ecp.Query{Match: agents.HistoryOver(now)}, func(ecp.HistoryEntry) bool { return true })
		},
		func(tx ecp.Tx) ([]ecp.Record, error) {
			return overdue(tx, change.AuditOlder(now.Add(-p.AuditKept)), func(change.AuditEntry) bool { return true })
		},
	} {
		for {
			n, err := p.removeBatch(ctx, over)
			if err != nil {
				return err
			}
			if n < Batch {
				break
			}
		}
	}
	return nil
}

// overdue returns up to Batch records of a kind for which over reports true.
func overdue[P ecp.Payload](tx ecp.Tx, q ecp.Query, over func(P) bool) ([]ecp.Record, error) {
	var out []ecp.Record
	for p, err := range ecp.List[P](tx, q) {
		if err != nil {
			return nil, err
		}
		if over(p) {
			out = append(out, ecp.NewRecord(p))
		}
		if len(out) == Batch {
			break
		}
	}
	return out, nil
}

// removeBatch removes the records that find returns, and returns their number. If there
// are none, nothing is written.
func (p *Pruner) removeBatch(ctx context.Context, find func(ecp.Tx) ([]ecp.Record, error)) (int, error) {
	var found []ecp.Record
	err := p.Observed.Store.Read(ctx, func(tx ecp.Tx) (err error) { found, err = find(tx); return err })
	if err != nil || len(found) == 0 {
		return 0, err
	}
	err = p.Observed.Store.Write(ctx, func(tx ecp.Tx) (err error) {
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

// Remove deletes a record if there is one.
func Remove(tx ecp.Tx, kind ecp.Kind, key string) error {
	if err := tx.Delete(kind, key); !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	return nil
}
