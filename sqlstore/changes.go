package sqlstore

import (
	"context"
	"database/sql"
	"errors"
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

// publish shows what a transaction wrote. Where others write to the database, too,
// changes of theirs may lie between: watchers that have not had these ask the database.
func (s *Store) publish(changes []ecp.Change) {
	s.feeding.Lock()
	defer s.feeding.Unlock()
	old, before := s.feed.Load(), changes[0].Seq-1
	if old.last > before { // somebody has followed the database past it already
		return
	}
	tail := changes
	if old.last == before {
		tail = slices.Concat(old.tail, changes)
	}
	tail = tail[max(len(tail)-tailKept, 0):]
	s.feed.Store(&feed{last: tail[len(tail)-1].Seq, tail: tail, next: make(chan struct{})})
	close(old.next)
}

// follow shows the database as it is when it is opened.
func (s *Store) follow(ctx context.Context) error {
	first := &feed{next: make(chan struct{})}
	s.feed.Store(first)
	err := s.Read(ctx, func(t ecp.Tx) (err error) {
		first.last, err = t.Seq()
		return err
	})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// advance shows that the database has changes up to a number, which others have made.
func (s *Store) advance(last int64) {
	s.feeding.Lock()
	defer s.feeding.Unlock()
	if old := s.feed.Load(); old.last < last {
		s.feed.Store(&feed{last: last, next: make(chan struct{})})
		close(old.next)
	}
}

// after returns the changes behind a position, and false if they are not all in
// memory.
func (f *feed) after(seq int64) ([]ecp.Change, bool) {
	n := f.last - seq
	if n < 0 || n > int64(len(f.tail)) {
		return nil, n == 0
	}
	return f.tail[int64(len(f.tail))-n:], true
}

// backlog is some changes that a watcher has before it.
type backlog struct {
	changes  []ecp.Change
	payloads [][]byte // where they were read from the database: of each change, not decoded yet
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
			some, err := s.changesAfter(ctx, f, at)
			for i := range some.changes {
				var c ecp.Change
				if c, err = s.unpack(ctx, some, i); err != nil {
					break
				}
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

// What a watcher that is behind reads from the database at once. It is held
// while the watcher does not take it, so that it is small: thousands of watchers
// must fit into memory.
const (
	changesBatch = 128
	backlogBytes = 32 << 10 // of payloads; one change is read in any case
)

// replaysAtOnce is how many watchers that are behind read or decode at the same
// time. The others wait: whoever reads a record or writes one needs a connection
// and the processor, too, and comes first.
const replaysAtOnce = 2

// replay waits for one of the turns of watchers that are behind; leave gives it
// back.
func (s *Store) replay(ctx context.Context) (leave func(), err error) {
	select {
	case s.replays <- struct{}{}:
		return func() { <-s.replays }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closing:
		return nil, errClosed
	}
}

// unpack returns one change of a backlog, which shares nothing with it.
func (s *Store) unpack(ctx context.Context, from backlog, i int) (c ecp.Change, err error) {
	c = from.changes[i]
	if from.payloads == nil {
		c.Payload = c.Payload.Copy()
		return c, ctx.Err()
	}
	leave, err := s.replay(ctx)
	if err != nil {
		return c, err
	}
	defer leave()
	if c.Payload, err = s.kinds.Decode(c.Kind, from.payloads[i]); err != nil {
		return c, s.engine.fault("read", err)
	}
	from.payloads[i] = nil
	return c, nil
}

// changesAfter returns some of the changes behind a position, in order; none if
// there are none yet.
func (s *Store) changesAfter(ctx context.Context, f *feed, after int64) (out backlog, err error) {
	if changes, ok := f.after(after); ok {
		return backlog{changes: changes}, ctx.Err()
	}
	leave, err := s.replay(ctx)
	if err != nil {
		return out, err
	}
	defer leave()
	err = s.Read(ctx, func(reading ecp.Tx) error {
		t := reading.(*tx)
		if err := t.keeps(after); err != nil {
			return err
		}
		return t.readBacklog(&out, after)
	})
	return out, err
}

// keeps refuses a position that the changes that are kept do not go on from.
func (t *tx) keeps(after int64) error {
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
			"changes are kept from %d to %d, position %d is outside; list again and go on from there", kept, last,
			after)}
	}
	return nil
}

// readBacklog reads changes until there are enough of them.
func (t *tx) readBacklog(out *backlog, after int64) error {
	size := 0
	out.payloads = [][]byte{}
	return t.rows(listChanges, []any{after, changesBatch}, func(rows *sql.Rows) error {
		c, payload, err := scanChange(rows)
		if err != nil {
			return err
		}
		out.changes, out.payloads = append(out.changes, c), append(out.payloads, payload)
		if size += len(payload); size >= backlogBytes {
			return errEnough
		}
		return nil
	})
}

// scanChange reads a change but for its payload.
func scanChange(rows *sql.Rows) (c ecp.Change, payload []byte, err error) {
	var at int64
	i := &c.Index
	err = rows.Scan(&c.Seq, &at, &c.Kind, &c.Key, &i.Project, &i.Name, &i.Parent, &i.State, &c.Deleted, &payload)
	c.At = utc(at)
	return c, payload, err
}

// forgetTail makes watchers that are behind ask the database, after changes
// have been purged.
func (s *Store) forgetTail() {
	s.feeding.Lock()
	defer s.feeding.Unlock()
	f := *s.feed.Load()
	f.tail = nil
	s.feed.Store(&f)
}
