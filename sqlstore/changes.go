package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// tailKept is how many of the last changes watchers get from memory: those who
// keep up never ask the database.
const tailKept = 256

// feed is what watchers see of the last write. It is never changed: the next
// write publishes another.
type feed struct {
	last int64         // number of the last change
	tail []ecp.Change  // the last changes, without a gap
	next chan struct{} // closed when there is another feed
}

// publish shows what a transaction wrote. Only who holds the turn calls it.
func (s *Store) publish(changes []ecp.Change) {
	old := s.feed.Load()
	tail := slices.Concat(old.tail, changes)
	tail = tail[max(len(tail)-tailKept, 0):]
	s.feed.Store(&feed{last: tail[len(tail)-1].Seq, tail: tail, next: make(chan struct{})})
	close(old.next)
}

// after gives the changes behind a position, and false if they are not all in
// memory.
func (f *feed) after(seq int64) ([]ecp.Change, bool) {
	n := f.last - seq
	if n < 0 || n > int64(len(f.tail)) {
		return nil, n == 0
	}
	return f.tail[int64(len(f.tail))-n:], true
}

// Changes yields what was written after a position; see [ecp.Store]. after < 0
// means from the call of Changes on. A position that was never reached, e.g.
// one of another database, is gone, too.
func (s *Store) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	if after < 0 {
		after = s.feed.Load().last
	}
	return func(yield func(ecp.Change, error) bool) {
		for at := after; ; {
			f := s.feed.Load()
			changes, err := s.changesAfter(ctx, f, at)
			for _, c := range changes {
				if err = ctx.Err(); err != nil {
					break
				}
				c.Payload = c.Payload.Copy()
				if !yield(c, nil) {
					return
				}
				at = c.Seq
			}
			if err == nil && at >= f.last {
				err = s.wait(ctx, f)
			}
			if err != nil {
				yield(ecp.Change{}, err)
				return
			}
		}
	}
}

// wait returns when there is more than f.
func (s *Store) wait(ctx context.Context, f *feed) error {
	select {
	case <-f.next:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
}

// changesBatch is how many changes are read from the database at once.
const changesBatch = 128

// changesAfter gives some of the changes behind a position, in order; none if
// there are none yet.
func (s *Store) changesAfter(ctx context.Context, f *feed, after int64) (out []ecp.Change, err error) {
	if changes, ok := f.after(after); ok {
		return changes, ctx.Err()
	}
	err = s.Read(ctx, func(reading ecp.Tx) error {
		t := reading.(*tx)
		last, err := t.Seq()
		if err != nil {
			return err
		}
		var first sql.NullInt64
		if err := t.one(firstSeq, &first); err != nil {
			return err
		}
		kept := last // everything until here has been purged
		if first.Valid {
			kept = first.Int64 - 1
		}
		if after < kept || after > last {
			return &ecp.Error{Code: ecp.CodeGone, Op: "read changes", Message: fmt.Sprintf(
				"changes are kept from %d to %d, position %d is outside; list again and go on from there", kept, last, after)}
		}
		return t.rows(listChanges, []any{after, changesBatch}, func(rows *sql.Rows) error {
			c, err := scanChange(rows)
			out = append(out, c)
			return err
		})
	})
	return out, err
}

func scanChange(rows *sql.Rows) (c ecp.Change, err error) {
	var at int64
	var payload []byte
	i := &c.Index
	if err := rows.Scan(&c.Seq, &at, &c.Kind, &c.Key, &i.Project, &i.Name, &i.Parent, &i.State, &c.Deleted, &payload); err != nil {
		return c, err
	}
	c.At = utc(at)
	c.Payload, err = ecp.DecodePayload(c.Kind, payload)
	return c, err
}

// forgetTail makes watchers that are behind ask the database, after changes
// have been purged.
func (s *Store) forgetTail() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	f := *s.feed.Load()
	f.tail = nil
	s.feed.Store(&f)
}
