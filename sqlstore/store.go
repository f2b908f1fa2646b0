package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Store is an [ecp.Store] in a database. Open makes one; all methods may be called
// at once. Whoever opened it calls Close.
type Store struct {
	engine engine
	kinds  ecp.Codec
	log    *slog.Logger
	now    func() time.Time
	ended  sync.WaitGroup // goroutines of the Store's own

	failed  atomic.Pointer[error] // fault of the last write; nil = it had none
	turn    chan struct{}         // held by who writes
	feeding sync.Mutex            // held by who shows another feed
	feed    atomic.Pointer[feed]
	replays chan struct{} // held by watchers that read old changes
	closing chan struct{} // closed by Close
	once    sync.Once
	open    sync.RWMutex // read-locked by every transaction; Close takes it for good
}

var errClosed = &ecp.Error{Code: ecp.CodeUnavailable, Op: "use store", Message: "the store has been closed"}

// Close waits for transactions under way, closes the database, and gives the
// folder free. Calls after it fail, and waiting Changes end. A second Close
// does nothing.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		close(s.closing)
		s.ended.Wait()
		s.open.Lock() // and never unlocked
		err = s.engine.close()
	})
	return s.engine.fault("close store", err)
}

// enter keeps the store open until leave is called.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !s.open.TryRLock() { // fails only for Close
		return nil, errClosed
	}
	return s.open.RUnlock, nil
}

// Read runs fn on a snapshot; see [ecp.Store]. It waits for a connection no
// longer than ctx.
func (s *Store) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	t, err := s.begin(ctx, true)
	if err != nil {
		return s.engine.fault("read", err)
	}
	defer t.rollback()
	if err := fn(t); err != nil {
		return err
	}
	return t.broken
}

// Write runs fn in a transaction of its own; see [ecp.Store]. It waits for its
// turn no longer than ctx. fn is run once.
func (s *Store) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	return s.write(ctx, func(t *tx) error {
		if err := fn(t); err != nil {
			return err
		}
		if t.broken != nil {
			return t.broken
		}
		return ctx.Err()
	})
}

// write runs fn while nobody else writes, and commits and publishes what it
// wrote.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	t, err := s.begin(ctx, false)
	if err != nil {
		err = s.engine.fault("write", err)
		s.note(ctx, err)
		return err
	}
	defer t.rollback()
	if err := fn(t); err != nil {
		if t.broken != nil {
			s.note(ctx, t.broken)
		}
		return err
	}
	if err := t.commit(t.seq); err != nil {
		err = s.engine.fault("write", err)
		s.note(ctx, err)
		return err
	}
	s.note(ctx, nil)
	if len(t.changes) > 0 {
		s.publish(t.changes)
	} else if t.anew {
		s.advance(t.seq)
	}
	s.engine.written()
	return nil
}

// purgeBatch is how many changes are removed in one transaction, so that
// writers do not wait long.
const purgeBatch = 500

var _ ecp.Purger = (*Store)(nil)

// Purge removes changes older than a time, and says how many. Positions
// before what is left are gone for [Store.Changes]; numbers are not given out
// again. To keep what [ecp.Store] promises, before must lie [ecp.ChangesKept]
// back at least.
func (s *Store) Purge(ctx context.Context, before time.Time) (int64, error) {
	var total, keep, n int64
	for {
		err := s.write(ctx, func(t *tx) (err error) {
			if keep == 0 {
				if keep, err = t.firstSince(before); err != nil {
					return err
				}
			}
			n, err = t.exec(purgeChanges, keep, purgeBatch)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("purge changes: %w", err)
		}
		if total += n; n < purgeBatch {
			s.forgetTail()
			return total, nil
		}
	}
}

// firstSince is the number of the first change that is not older than a time,
// or one that no change has where all are.
func (t *tx) firstSince(at time.Time) (int64, error) {
	first := int64(math.MaxInt64)
	err := t.rows(firstSince, []any{at.UnixNano()}, func(rows *sql.Rows) error { return rows.Scan(&first) })
	return first, err
}
