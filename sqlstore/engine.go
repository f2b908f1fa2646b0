package sqlstore

import (
	"context"
	"database/sql"
)

// engine is the database under a Store: SQLite in a folder, or PostgreSQL.
type engine interface {
	// work starts what goes on until the Store is closed. The Store is whole by then.
	work(ctx context.Context, s *Store)
	// begin starts a transaction on one snapshot, or one that writes, and sees
	// what was committed last. Of those that write the engine lets one at a time
	// go on. ctx bounds the wait for it; what comes after is not cut short by it.
	begin(ctx context.Context, readOnly bool) (*session, error)
	// takenBy says which constraint refused a write of a record.
	takenBy(err error) taken
	// fault puts an error of the driver into words; see [ecp.Error]. Errors that
	// have these already, and those of a context, stay as they are.
	fault(op string, err error) error
	// saw is called when a transaction that reads has found the number of the last
	// change: watchers need not wait until somebody looks for it.
	saw(s *Store, last int64)
	// written is called after every commit of a transaction that wrote.
	written()
	// probe says why nothing can be written now; nil = nothing speaks against it.
	probe(ctx context.Context) error
	// platform is what the clusters in the database are made on; "" = not said.
	platform(ctx context.Context) (Platform, error)
	// jump sets the number of the last change.
	jump(ctx context.Context, last int64) error
	// place is the database in logs: a file, or an address. No secret is in it.
	place() string
	// incarnation tells this process from every other; dead are those that had the
	// database before and have certainly ended.
	incarnation() (own string, dead []string)
	// close releases what the engine holds. It is not used afterwards.
	close() error
}

// session is a transaction under way. Its statements are not cut short by the
// caller's context, so that it is never in doubt whether they were carried out.
type session struct {
	last  int64 // number of the last change before it; where it writes
	anew  bool  // the numbers of changes jump with it: see [Store.beginAnew]
	query func(statement, ...any) (*sql.Rows, error)
	run   func(statement, ...any) (sql.Result, error)
	// read is called when the rows of a query have been read.
	read func()
	// commit ends it; last is the number of the last change that was written in it.
	commit  func(last int64) error
	discard func() error
}
