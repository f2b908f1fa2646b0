package memstore

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Store is an [ecp.Store] in memory. New makes one; all methods may be called
// at once.
type Store struct {
	turn  chan struct{} // held by the writer
	state atomic.Pointer[state]
}

// state is everything the store holds after one write. It is never changed:
// the next write publishes another.
type state struct {
	tables map[ecp.Kind]*table
	log    []ecp.Change // kept changes, oldest first; what lies behind its length is the writer's
	seq    int64        // of the last change
	next   chan struct{}
}

// New returns an empty store.
func New() *Store {
	s := &Store{turn: make(chan struct{}, 1)}
	s.state.Store(&state{tables: map[ecp.Kind]*table{}, next: make(chan struct{})})
	return s
}

// Read runs fn on the state as it is now; see [ecp.Store].
func (s *Store) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := &tx{state: *s.state.Load()}
	defer t.end()
	return fn(t)
}

// Write runs fn alone among writers and publishes what it wrote; see
// [ecp.Store]. It waits for its turn no longer than ctx.
func (s *Store) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()

	old := s.state.Load()
	t := &tx{state: *old, writable: true}
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.seq == old.seq {
		return nil
	}
	next := t.state
	next.log = trim(next.log, time.Now().Add(-ecp.ChangesKept))
	next.next = make(chan struct{})
	s.state.Store(&next)
	close(old.next)
	return nil
}

// trim forgets changes older than a time from the front, in lots, so that
// keeping 24 hours costs nothing worth mentioning per write.
func trim(log []ecp.Change, before time.Time) []ecp.Change {
	n := slices.IndexFunc(log, func(c ecp.Change) bool { return !c.At.Before(before) })
	if n < 0 {
		n = len(log)
	}
	if n < 64 && n < len(log) {
		return log
	}
	return slices.Clone(log[n:])
}

// Changes yields what was written after a position; see [ecp.Store]. after < 0
// means from the call of Changes on. A position that was never reached, e.g.
// one of an earlier process, is gone, too.
func (s *Store) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	if after < 0 {
		after = s.state.Load().seq
	}
	return func(yield func(ecp.Change, error) bool) {
		after := after
		for {
			now := s.state.Load()
			if kept := now.seq - int64(len(now.log)); after < kept || after > now.seq {
				yield(ecp.Change{}, gone(after, kept, now.seq))
				return
			}
			for _, c := range now.log[len(now.log)-int(now.seq-after):] {
				if err := ctx.Err(); err != nil {
					yield(ecp.Change{}, err)
					return
				}
				c.Payload = c.Payload.Copy()
				if !yield(c, nil) {
					return
				}
				after = c.Seq
			}
			select {
			case <-ctx.Done():
				yield(ecp.Change{}, ctx.Err())
				return
			case <-now.next:
			}
		}
	}
}
