package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/openecp/openecp/ecp"
	"github.com/pressly/goose/v3"
)

const (
	fileName = "ecpd.db"
	lockName = "ecpd.lock"
	readers  = 8 // reading connections; a reader more waits
)

// sqliteEngine is an SQLite database in a folder that this process holds.
type sqliteEngine struct {
	file  string
	lock  *os.File // of the folder; held while it is open
	log   *slog.Logger
	owner note // what the lock's file says of this process

	writer     *sql.DB // one connection
	readers    *sql.DB
	forWriting [statements]*sql.Stmt
	forReading [statements]*sql.Stmt

	turn    chan struct{} // the Store's: held by who writes
	closing chan struct{} // the Store's: closed by Close
	wrote   chan struct{} // holds one: something waits for a checkpoint
}

// openSQLite takes the folder for this process and opens its database.
func openSQLite(ctx context.Context, s *Store, c Config) (_ *sqliteEngine, err error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, unusable(c.Dir, err)
	}
	e := &sqliteEngine{file: filepath.Join(dir, fileName), log: s.log, turn: s.turn, closing: s.closing,
		wrote: make(chan struct{}, 1)}
	if _, err := os.Stat(e.file); c.mustExist && errors.Is(err, fs.ErrNotExist) {
		return nil, absent(dir)
	}
	defer func() {
		if err != nil {
			_ = e.close() // what went wrong first counts
		}
	}()
	if err := e.hold(dir); err != nil {
		return nil, err
	}
	if err := e.connect(ctx, c); err != nil {
		return nil, e.fault(opening, err)
	}
	if e.owner.making {
		e.owner.making = false
		if err := e.owner.write(e.lock); err != nil {
			return nil, unusable(dir, err)
		}
	}
	return e, nil
}

func (e *sqliteEngine) work(ctx context.Context, s *Store) { s.ended.Go(func() { e.checkpoints(ctx) }) }

// begin starts a transaction on one of the connections.
func (e *sqliteEngine) begin(ctx context.Context, readOnly bool) (*session, error) {
	db, from := e.writer, &e.forWriting
	if readOnly {
		db, from = e.readers, &e.forReading
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	calm := context.WithoutCancel(ctx)
	sqlTx, err := conn.BeginTx(calm, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var own [statements]*sql.Stmt
	stmt := func(n statement) *sql.Stmt {
		if own[n] == nil {
			own[n] = sqlTx.StmtContext(calm, from[n])
		}
		return own[n]
	}
	s := &session{
		//nolint:sqlclosecheck // by whoever reads the rows
		query: func(n statement, args ...any) (*sql.Rows, error) { return stmt(n).QueryContext(calm, args...) },
		//nolint:sqlclosecheck // with the transaction
		run:     func(n statement, args ...any) (sql.Result, error) { return stmt(n).ExecContext(calm, args...) },
		read:    func() {},
		commit:  func(int64) error { return sqlTx.Commit() },
		discard: func() error { return errors.Join(sqlTx.Rollback(), conn.Close()) },
	}
	if readOnly {
		return s, nil
	}
	//nolint:sqlclosecheck // with the transaction
	if err := stmt(lastSeq).QueryRowContext(calm).Scan(&s.last); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	return s, nil
}

// saw has nothing to do: nobody else writes.
func (e *sqliteEngine) saw(*Store, int64) {}

// written asks for a checkpoint.
func (e *sqliteEngine) written() {
	select {
	case e.wrote <- struct{}{}:
	default:
	}
}

// jump sets the number that AUTOINCREMENT goes on from.
func (e *sqliteEngine) jump(ctx context.Context, last int64) error {
	for _, text := range []string{"DELETE FROM sqlite_sequence WHERE name = 'changes'",
		fmt.Sprintf("INSERT INTO sqlite_sequence (name, seq) VALUES ('changes', %d)", last)} {
		if _, err := e.writer.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (e *sqliteEngine) fault(op string, err error) error { return fault(op, e.file, err) }

func (e *sqliteEngine) place() string { return e.file }

func (e *sqliteEngine) incarnation() (own string, dead []string) {
	return e.owner.incarnation, e.owner.dead
}

// hold makes the folder, takes its lock, and makes the database's file so that
// nobody else can read it.
func (e *sqliteEngine) hold(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return unusable(dir, err)
	}
	e.lock = f
	if err := lock(f); errors.Is(err, ErrHeld) {
		return held(dir, f)
	} else if err != nil {
		return unusable(dir, fmt.Errorf("lock it: %w", err))
	}
	if e.owner, err = takeNote(f); err != nil {
		return unusable(dir, err)
	}
	isNew, err := e.mayBegin()
	if err != nil {
		return err
	}
	e.owner.making = isNew
	if err := e.owner.write(f); err != nil {
		return unusable(dir, err)
	}
	db, err := os.OpenFile(e.file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return unusable(dir, err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	if info, err := db.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := db.Chmod(0o600); err != nil {
			e.log.Warn("others may read the database", "file", e.file, "error", err)
		}
	}
	return nil
}

// ErrHeld is the cause of the conflict that Open returns where another process has the
// database.
var ErrHeld = errors.New("another process has it")

// held says who has the folder.
func held(dir string, f *os.File) error {
	who := "another process"
	if pid := readNote(f).pid; pid > 0 {
		who = fmt.Sprintf("process %d", pid)
	}
	return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Cause: ErrHeld,
		Message: fmt.Sprintf("%s has the data directory %s already; end it, or choose another directory for this one",
			who, dir)}
}

// unusable says what is wrong with the folder.
func unusable(dir string, err error) error {
	advice := "choose another one"
	if errors.Is(err, fs.ErrPermission) {
		advice = fmt.Sprintf("it must belong to the user this runs as (uid %d)", os.Getuid())
	}
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: opening, Cause: err,
		Message: fmt.Sprintf("the data directory %s cannot be used: %v; %s", dir, err, advice)}
}

// connect opens the database and brings it up to date.
func (e *sqliteEngine) connect(ctx context.Context, c Config) (err error) {
	if theirs, err := foreign(ctx, e.file); err != nil {
		return err
	} else if theirs {
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening,
			Message: e.file + " is the database of another program; choose another directory"}
	}
	if e.writer, err = openDB(e.file, writerOnly); err != nil {
		return err
	}
	e.writer.SetMaxOpenConns(1)
	if err := e.settlePlatform(ctx, c); err != nil {
		return err
	}
	if err := e.migrate(ctx); err != nil {
		return err
	}
	if e.readers, err = openDB(e.file, readerOnly); err != nil {
		return err
	}
	e.readers.SetMaxOpenConns(readers)
	e.readers.SetMaxIdleConns(readers)
	for n, text := range sqliteTexts {
		//nolint:sqlclosecheck // closed with the database
		if e.forWriting[n], err = e.writer.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	for _, n := range readFrom {
		//nolint:sqlclosecheck // closed with the database
		if e.forReading[n], err = e.readers.PrepareContext(ctx, sqliteTexts[n]); err != nil {
			return err
		}
	}
	return nil
}

// migrate brings the tables up to date, each step in a transaction of its own.
func (e *sqliteEngine) migrate(ctx context.Context) error {
	steps, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, e.writer, steps, goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case have == want:
		return nil
	case have > want:
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: fmt.Sprintf(
			"the database %s is of version %d, this program knows versions up to %d only; run the newer program that "+
				"wrote it, or put the backup from before the upgrade in its place",
			e.file, have, want)}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the tables from version %d to %d: %w", have, want, err)
	}
	if err := syncDir(filepath.Dir(e.file)); err != nil {
		return err
	}
	if have > 0 {
		e.log.InfoContext(ctx, "database brought up to date", "file", e.file, "from", have, "to", want)
	}
	return nil
}

// syncDir makes the names of new files survive the loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// close returns what was taken, as far as it came.
func (e *sqliteEngine) close() error {
	var errs []error
	for _, db := range []*sql.DB{e.readers, e.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Close()) // which unlocks it
	}
	return errors.Join(errs...)
}
