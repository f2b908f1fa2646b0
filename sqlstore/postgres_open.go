package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/openecp/openecp/ecp"
	"github.com/pressly/goose/v3"
)

// Postgres is what there is to set about a database on a PostgreSQL server; zero =
// what is said at each.
//
// As a folder, such a database is held by one process at a time: Open of another one
// is a conflict until the first has been closed, or has not renewed its hold for 12 s
// by the database's clock. Every transaction that writes looks whether the hold is
// still its own, so that a process that was stopped for a while writes nothing when
// it goes on; [Store.Lost] says so. Processes that share the database hold it
// together, and keep others away in the same way.
type Postgres struct {
	// Shared: the database is held together with every other process that sets this.
	// Whoever sets it sees to it that no two do the same.
	Shared bool
	// Beside: the database is not held, whoever holds it. It is for a few writes that
	// may be made beside anything else.
	Beside bool
	// Connections is how many may be open at once; 10.
	Connections int
	// Timeout is how long the server may take over a statement; 10 s.
	Timeout time.Duration
	// Poll is how often changes are looked for that other processes have made; 500 ms.
	Poll time.Duration
	// Password gives that of the user in the URL, where it is not in the URL itself. It is
	// asked for each connection, so that a password can be replaced while connections are
	// open; nil = as libpq finds one (PGPASSWORD, passfile). Its error is shown to people.
	Password func(context.Context) (string, error)
	// Host names this process for people; the host's name.
	Host string
}

// sharedHolder stands in the database for all processes that hold it together.
const sharedHolder = "shared"

// How a hold is kept.
const (
	holdLife  = 12 * time.Second // of one that is not renewed, by the database's clock
	holdRenew = 3 * time.Second
)

// mostStill is how long a process may stand still inside of a transaction where others share
// the database: none of them can write meanwhile.
const mostStill = 3 * time.Second

// pgEngine is a database on a PostgreSQL server.
type pgEngine struct {
	Postgres
	db  *sql.DB
	at  string // host, port and name, for people
	log *slog.Logger
	own string // the incarnation
	// holder is who holds the database: own, or sharedHolder.
	holder string
	// asked is set once the database was asked for a hold, which may have been granted.
	asked bool
	// release gives the hold free.
	release func() error

	// known is the newest version of the tables that this program can work on.
	known int64

	lost   chan struct{}         // closed when nothing may be written any more
	barred atomic.Pointer[error] // why; nil = it may
}

// openPostgres connects to a database, takes it for this process, and brings its
// tables up to date.
func openPostgres(ctx context.Context, s *Store, c Config) (_ *pgEngine, err error) {
	e := &pgEngine{Postgres: c.Postgres, log: s.log, own: newIncarnation(), lost: make(chan struct{})}
	if e.holder = e.own; e.Shared {
		e.holder = sharedHolder
	}
	e.Connections = cmp.Or(max(e.Connections, 0), 10)
	e.Timeout = cmp.Or(max(e.Timeout, 0), 10*time.Second)
	e.Poll = cmp.Or(max(e.Poll, 0), 500*time.Millisecond)
	e.release = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdRenew)
		defer cancel()
		_, err := e.exec(ctx, pgRelease, e.holder, e.Shared)
		return err
	}
	if e.Host == "" {
		e.Host, _ = os.Hostname() // without one it has no name
	}
	config, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	e.at = fmt.Sprintf("%s on %s", cmp.Or(config.Database, config.User), hosts(config))
	e.db = stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(e.credentials(c.URL)))
	e.db.SetMaxOpenConns(e.Connections)
	e.db.SetMaxIdleConns(e.Connections)
	e.db.SetConnMaxIdleTime(5 * time.Minute)
	e.db.SetConnMaxLifetime(30 * time.Minute)
	defer func() {
		if err != nil {
			_ = e.close() // what went wrong first counts
		}
	}()
	if err := e.prepare(ctx, c); err != nil {
		return nil, e.opened(ctx, err)
	}
	return e, nil
}

func (e *pgEngine) work(ctx context.Context, s *Store) {
	ctx, cancel := context.WithCancel(ctx)
	s.ended.Go(func() {
		<-s.closing
		cancel()
	})
	s.ended.Go(func() { s.followDatabase(ctx, e) })
	if !e.Beside {
		s.ended.Go(func() { e.keepHold(ctx) })
	}
}

// prepare takes the database and brings its tables up to date. While another process
// has it, nothing of it is changed.
func (e *pgEngine) prepare(ctx context.Context, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var version int
	var encoding string
	var durable, exists bool
	err := e.db.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int, "+
		"current_setting('server_encoding'), current_setting('synchronous_commit') <> 'off', "+
		"to_regclass('openecp.store') IS NOT NULL").Scan(&version, &encoding, &durable, &exists)
	switch {
	case err != nil:
		return err
	case version < 150000:
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: fmt.Sprintf(
			"the database %s is PostgreSQL %d; 15 or later is needed", e.at, version/10000)}
	case encoding != "UTF8" && encoding != "SQL_ASCII": // which keeps bytes as they are
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: "the database " + e.at + " is encoded in " +
			encoding + ", which cannot hold every text; make one in UTF-8 (CREATE DATABASE … ENCODING 'UTF8' " +
			"TEMPLATE template0)"}
	case !durable:
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: "the database " + e.at + " may lose what it " +
			"has acknowledged: synchronous_commit is off; switch it on (ALTER DATABASE … SET synchronous_commit = on)"}
	}
	if !exists && c.mustExist {
		return absent(e.at)
	}
	if exists { // else there is nothing to hold yet
		if err := e.hold(ctx); err != nil {
			return err
		}
	}
	if err := e.migrate(ctx); err != nil {
		return err
	}
	if !exists {
		if err := e.hold(ctx); err != nil {
			return err
		}
	}
	return e.settlePlatform(ctx, c.Platform)
}

// hold takes the database for this process.
func (e *pgEngine) hold(ctx context.Context) error {
	if e.Beside {
		return nil
	}
	e.asked = true
	n, err := e.exec(ctx, pgHold, e.holder, e.Host, holdLife.Seconds())
	if err != nil || n > 0 {
		return err
	}
	var holder, host string
	var since, renewed time.Time
	if err := e.db.QueryRowContext(ctx, pgHolder).Scan(&holder, &host, &since, &renewed); err != nil {
		return err
	}
	from, last := since.UTC().Format(time.RFC3339), renewed.UTC().Format(time.RFC3339)
	if holder == sharedHolder {
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Cause: ErrHeld, Message: fmt.Sprintf(
			"processes that share the database %s have it since %s, the last of them renewed on host %s %s; it can be "+
				"had alone when all of them have ended, or %v after that", e.at, from, host, last, holdLife)}
	}
	advice := ""
	if e.Shared {
		advice = "; that one does not share it"
	}
	return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Cause: ErrHeld, Message: fmt.Sprintf(
		"another process has the database %s: on host %s since %s, renewed %s; it is free when that one has ended, "+
			"or %v after it renewed last%s", e.at, host, from, last, holdLife, advice)}
}

// mayWrite refuses where another process has the database, or a newer program has made
// tables that this one does not know. From then on nothing is written.
func (e *pgEngine) mayWrite(holder string, needs int64) error {
	if needs > e.known {
		e.lose(e.tooNew(needs))
	} else if !e.Beside && holder != e.holder && (!e.Shared || holder != "") {
		e.lose(errTaken)
	}
	if why := e.barred.Load(); why != nil {
		return *why
	}
	return nil
}

// tooNew says that the tables are of a version that this program cannot work on.
func (e *pgEngine) tooNew(version int64) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: "write", Cause: ErrNewer, Message: fmt.Sprintf(
		"a newer version of the program has changed the tables of the database %s to version %d, and this one knows "+
			"versions up to %d only; nothing was written since: run the newer version in its place",
		e.at, version, e.known)}
}

// ErrNewer is the cause of the error of a Store whose tables a newer program has changed to
// a version that this one does not know.
var ErrNewer = errors.New("the tables are of a newer version")

// migrate brings the tables up to date, each step in a transaction of its own. Of
// several processes one does it.
func (e *pgEngine) migrate(ctx context.Context) (err error) {
	steps, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	alone, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = alone.Rollback() }() // that it was committed is an error, too
	if _, err := alone.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtext('openecp'))"); err != nil {
		return err
	}
	if err := e.makeSchema(ctx); err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, e.db, steps, goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()), goose.WithTableName("openecp.versions"))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	e.known = want
	if have > want {
		return e.mayUse(ctx, have, want)
	}
	if have < want {
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("bring the tables from version %d to %d: %w", have, want, err)
		}
	}
	if have > 0 && have < want {
		e.log.InfoContext(ctx, "database brought up to date", "database", e.at, "from", have, "to", want)
	}
	return alone.Commit()
}

// makeSchema makes the schema of the tables, and refuses one of another program.
func (e *pgEngine) makeSchema(ctx context.Context) error {
	var tables int
	var ours bool
	err := e.db.QueryRowContext(ctx, "SELECT count(*), coalesce(bool_or(tablename IN ('store', 'versions')), false) "+
		"FROM pg_tables WHERE schemaname = 'openecp'").Scan(&tables, &ours)
	switch {
	case err != nil || ours:
		return err
	case tables > 0:
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: "the schema openecp of the database " + e.at +
			" is of another program; choose another database"}
	}
	_, err = e.db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS openecp")
	return err
}

// mayUse refuses tables of a newer version that this program cannot work with.
func (e *pgEngine) mayUse(ctx context.Context, have, want int64) error {
	var needs int64
	if err := e.db.QueryRowContext(ctx, "SELECT needs FROM openecp.store").Scan(&needs); err != nil {
		return err
	}
	if needs <= want {
		e.log.InfoContext(ctx, "the tables are of a newer version, which this program can work with", "database", e.at,
			"version", have, "known", want)
		return nil
	}
	return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: fmt.Sprintf(
		"the database %s is of version %d, this program knows versions up to %d only; run the newer program that "+
			"wrote it, or put the backup from before the upgrade in its place", e.at, have, want)}
}

// settlePlatform refuses a database of another platform, and marks a new one.
func (e *pgEngine) settlePlatform(ctx context.Context, want Platform) error {
	if want == "" {
		return nil
	}
	if _, err := e.exec(ctx, "UPDATE openecp.store SET platform = $1 WHERE platform = ''",
		string(want)); err != nil {
		return err
	}
	is, err := e.platform(ctx)
	if err != nil || is == want {
		return err
	}
	return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: fmt.Sprintf(
		"the database %s holds %s, and this daemon was started for %s; start it as before, or give another --database",
		e.at, platformWords[is], platformWords[want])}
}

func (e *pgEngine) platform(ctx context.Context) (is Platform, err error) {
	err = e.db.QueryRowContext(ctx, "SELECT platform FROM openecp.store").Scan(&is)
	return is, err
}

func (e *pgEngine) jump(ctx context.Context, last int64) error {
	_, err := e.exec(ctx, "UPDATE openecp.store SET seq = $1", last)
	return err
}
