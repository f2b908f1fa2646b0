package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
)

// followDatabase shows watchers what other processes have written, until the Store
// is closed.
func (s *Store) followDatabase(ctx context.Context, e *pgEngine) {
	for tick := time.NewTicker(e.Poll); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if err := e.check(ctx, s); err != nil && ctx.Err() == nil {
				s.note(ctx, e.fault("read", err))
			}
		}
	}
}

// check reads how far the database is.
func (e *pgEngine) check(ctx context.Context, s *Store) error {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	var seq int64
	var was, mark, holder string
	var needs int64
	if err := e.db.QueryRowContext(ctx, pgState).Scan(&seq, &was, &mark, &holder, &needs); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.Join(errSlow, err)
		}
		return err
	}
	if e.mayWrite(holder, needs) == nil && was != mark {
		return s.write(ctx, func(*tx) error { return nil }) // which begins anew
	}
	s.advance(seq)
	return nil
}

// keepHold renews the hold, until the Store is closed.
func (e *pgEngine) keepHold(ctx context.Context) {
	for tick := time.NewTicker(holdRenew); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if err := e.renew(ctx); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "the hold of the database could not be renewed; it is tried again",
					"database", e.at, ecp.ErrorAttr(e.fault("renew", err)))
			}
		}
	}
}

func (e *pgEngine) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, holdRenew)
	defer cancel()
	n, err := e.exec(ctx, pgRenew, e.holder, e.Shared)
	if err != nil || n > 0 {
		return err
	}
	e.lose(errTaken)
	return nil
}

// lose notes why this process may write nothing any more.
func (e *pgEngine) lose(why error) {
	if e.barred.CompareAndSwap(nil, &why) {
		close(e.lost)
		e.log.Error("this process writes nothing to the database any more", "database", e.at, ecp.ErrorAttr(why))
	}
}

// LostReason is why [Store.Lost] is closed, nil before: another process has taken the
// database over, or a newer version has changed its tables (cause [ErrNewer]).
func (s *Store) LostReason() error {
	if e, ok := s.engine.(*pgEngine); ok {
		if why := e.barred.Load(); why != nil {
			return *why
		}
	}
	return nil
}

// Lost is closed when nothing can be written any more, see [Store.LostReason]: another
// process has taken the database over, because this one did not renew its hold for too
// long (close the Store, and open it again to wait for one's turn), or a newer version
// has changed the tables to such that this one does not know. Of a folder it is never
// closed.
func (s *Store) Lost() <-chan struct{} {
	if e, ok := s.engine.(*pgEngine); ok {
		return e.lost
	}
	return nil
}

// saw shows watchers at once what other processes have written.
func (e *pgEngine) saw(s *Store, last int64) {
	if e.Shared {
		s.advance(last)
	}
}

// written has nothing to do.
func (e *pgEngine) written() {}

// probe asks whether the server takes writes.
func (e *pgEngine) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	if why := e.barred.Load(); why != nil {
		return *why
	}
	var seq int64
	return e.fault("write", e.db.QueryRowContext(ctx, pgTexts[lastSeq]).Scan(&seq))
}

func (e *pgEngine) place() string { return e.at }

func (e *pgEngine) incarnation() (own string, dead []string) { return e.own, nil }

// close releases the hold, if it was ever asked for, so that nobody has to wait for its end.
func (e *pgEngine) close() error {
	if e.asked {
		if err := e.release(); err != nil {
			e.log.Warn("the hold of the database could not be given free; it ends by itself", "database", e.at,
				ecp.ErrorAttr(e.fault("release", err)))
		}
	}
	return e.db.Close()
}
