package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// errSlow says that the server was given up.
var errSlow = &ecp.Error{Code: ecp.CodeUnavailable, Op: "use store",
	Message: "the database did not answer in time; it is tried again"}

// errTaken says that another process has the database now.
var errTaken = &ecp.Error{Code: ecp.CodeUnavailable, Op: "write",
	Message: "another process has taken the database over; nothing was written"}

// begin starts a transaction: for reading on a snapshot, for writing with the lock
// of the one row that tells the number of the last change.
func (e *pgEngine) begin(ctx context.Context, readOnly bool) (_ *session, err error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// Not cut short by the caller, but by time: a server that has gone does not answer.
	calm, cancel := context.WithCancel(context.WithoutCancel(ctx))
	clock := time.AfterFunc(e.Timeout, cancel)
	slow := func(err error) error {
		if err != nil && calm.Err() != nil {
			return errors.Join(errSlow, err)
		}
		return err
	}
	options := &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if readOnly {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	sqlTx, err := conn.BeginTx(calm, options)
	if err != nil {
		clock.Stop()
		cancel()
		return nil, errors.Join(slow(err), conn.Close())
	}
	s := &session{
		query: func(n statement, args ...any) (*sql.Rows, error) {
			clock.Reset(e.Timeout)
			rows, err := sqlTx.QueryContext(calm, pgTexts[n], args...)
			return rows, slow(err)
		},
		run: func(n statement, args ...any) (sql.Result, error) {
			clock.Reset(e.Timeout)
			defer clock.Stop()
			result, err := sqlTx.ExecContext(calm, pgTexts[n], args...)
			return result, slow(err)
		},
		read: func() { clock.Stop() },
		discard: func() error {
			clock.Stop()
			defer cancel()
			return errors.Join(sqlTx.Rollback(), conn.Close())
		},
	}
	if readOnly {
		clock.Stop()
		s.commit = func(int64) error { return sqlTx.Commit() }
		return s, nil
	}
	mark, err := e.enter(ctx, sqlTx, s)
	if err != nil {
		return nil, errors.Join(slow(err), s.discard())
	}
	clock.Stop()
	first := s.last
	s.commit = func(last int64) error {
		clock.Reset(e.Timeout)
		if last != first || s.anew {
			if _, err := sqlTx.ExecContext(calm, pgNumber, last, mark); err != nil {
				return slow(err)
			}
		}
		return slow(sqlTx.Commit())
	}
	return s, nil
}

// exec runs a statement, and returns how many rows it has changed. Where another process has
// changed the row meanwhile it goes by the new one, whatever isolation is the default of the
// database: it may not fail then.
func (e *pgEngine) exec(ctx context.Context, statement string, args ...any) (rows int64, err error) {
	sqlTx, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, err
	}
	defer func() { _ = sqlTx.Rollback() }() // that it was committed is an error, too
	result, err := sqlTx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	if rows, err = result.RowsAffected(); err != nil {
		return 0, err
	}
	return rows, sqlTx.Commit()
}

// enter locks the row for a transaction that writes, and sees that this process may.
// Where the database is not the state of it that its numbers are of, the changes are
// forgotten, and the numbers jump to where none were given out. It returns the mark
// of the state.
func (e *pgEngine) enter(ctx context.Context, sqlTx *sql.Tx, s *session) (mark string, err error) {
	limit := func(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
	still := e.Timeout
	if e.Shared {
		still = min(still, mostStill)
	}
	var was, holder, idle, statement string
	var needs int64
	err = sqlTx.QueryRowContext(ctx, pgBegin, limit(still), limit(e.Timeout)).
		Scan(&s.last, &was, &mark, &holder, &needs, &idle, &statement)
	if err == nil {
		err = e.mayWrite(holder, needs)
	}
	switch {
	case err != nil:
		return "", err
	case was == mark:
		return mark, nil
	case was == "": // it is new
		s.anew = true
		return mark, nil
	}
	e.log.WarnContext(ctx, "the database is another state of itself: it was restored, or another server has taken "+
		"over; watchers begin anew, and what was done since is left alone until somebody decides",
		"database", e.at, "was", was, "is", mark)
	s.anew, s.last = true, s.last+skipped
	_, err = sqlTx.ExecContext(ctx, pgForget)
	return mark, err
}
