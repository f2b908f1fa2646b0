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
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/pressly/goose/v3"
)

const (
	fileName = "ecpd.db"
	lockName = "ecpd.lock"
	opening  = "open store"
	readers  = 8 // reading connections; a reader more waits
)

// Config is what a Store is made of. Dir and Kinds are required.
type Config struct {
	// Dir is the folder of the database, made if it is not there. It MUST be
	// on a local disk: locks of network file systems do not hold.
	Dir string
	// Kinds knows the payloads of the records that are kept: fleet.Kinds for those of
	// a Manager, with kinds of an embedder's own copied into it; see [ecp.CodecOf].
	Kinds ecp.Codec
	// Platform is what the clusters in the database are made on. A database that
	// was made for another is refused; "" = any is taken.
	Platform Platform
	// Unmarked is the platform of a database of an earlier build, which kept none.
	Unmarked Platform
	// Logger gets what operators need; nil = nothing is logged.
	Logger *slog.Logger
	// Now is the clock of At; nil = time.Now.
	Now func() time.Time
}

// Open takes the folder for this process and opens its database, bringing its
// tables up to date. Whatever is wrong is said in one line, and then nothing is
// held. It starts nothing that Close does not end.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	s := &Store{kinds: c.Kinds, log: c.Logger, now: c.Now, turn: make(chan struct{}, 1), closing: make(chan struct{}),
		replays: make(chan struct{}, replaysAtOnce), wrote: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if c.Dir == "" {
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: opening,
			Message: "Config.Dir is missing: the folder to keep the database in"}
	}
	if c.Kinds == nil {
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: opening,
			Message: "Config.Kinds is missing: it knows the payloads of records, such as fleet.Kinds() for those of " +
				"a Manager"}
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, unusable(c.Dir, err)
	}
	s.file = filepath.Join(dir, fileName)
	defer func() {
		if err != nil {
			_ = s.release() // what went wrong first counts
		}
	}()
	if err := s.hold(dir); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, c); err != nil {
		return nil, fault(opening, s.file, err)
	}
	if s.owner.making {
		s.owner.making = false
		if err := s.owner.write(s.lock); err != nil {
			return nil, unusable(dir, err)
		}
	}
	own := context.WithoutCancel(ctx)
	s.ended.Go(func() { s.checkpoints(own) })
	return s, nil
}

// hold makes the folder, takes its lock, and makes the database's file so that
// nobody else can read it.
func (s *Store) hold(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return unusable(dir, err)
	}
	s.lock = f
	if err := lock(f); errors.Is(err, errLocked) {
		return held(dir, f)
	} else if err != nil {
		return unusable(dir, fmt.Errorf("lock it: %w", err))
	}
	if s.owner, err = takeNote(f); err != nil {
		return unusable(dir, err)
	}
	isNew, err := s.mayBegin()
	if err != nil {
		return err
	}
	s.owner.making = isNew
	if err := s.owner.write(f); err != nil {
		return unusable(dir, err)
	}
	db, err := os.OpenFile(s.file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return unusable(dir, err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	if info, err := db.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := db.Chmod(0o600); err != nil {
			s.log.Warn("others may read the database", "file", s.file, "error", err)
		}
	}
	return nil
}

// errLocked says that another process has the lock.
var errLocked = errors.New("locked by another process")

// held says who has the folder.
func held(dir string, f *os.File) error {
	who := "another process"
	if pid := readNote(f).pid; pid > 0 {
		who = fmt.Sprintf("process %d", pid)
	}
	return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Cause: errLocked,
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
func (s *Store) connect(ctx context.Context, c Config) (err error) {
	if theirs, err := foreign(ctx, s.file); err != nil {
		return err
	} else if theirs {
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening,
			Message: s.file + " is the database of another program; choose another directory"}
	}
	if s.writer, err = openDB(s.file, writerOnly); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if err := s.settlePlatform(ctx, c); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.readers, err = openDB(s.file, readerOnly); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(readers)
	s.readers.SetMaxIdleConns(readers)
	for n, text := range texts {
		//nolint:sqlclosecheck // closed with the database
		if s.forWriting[n], err = s.writer.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	for _, n := range readFrom {
		//nolint:sqlclosecheck // closed with the database
		if s.forReading[n], err = s.readers.PrepareContext(ctx, texts[n]); err != nil {
			return err
		}
	}
	first := &feed{next: make(chan struct{})}
	s.feed.Store(first)
	return s.forReading[lastSeq].QueryRowContext(ctx).Scan(&first.last)
}

// migrate brings the tables up to date, each step in a transaction of its own.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := fs.Sub(migrations, migrationsDir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.writer, steps, goose.WithDisableGlobalRegistry(true),
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
			s.file, have, want)}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the tables from version %d to %d: %w", have, want, err)
	}
	if err := syncDir(filepath.Dir(s.file)); err != nil {
		return err
	}
	if have > 0 {
		s.log.InfoContext(ctx, "database brought up to date", "file", s.file, "from", have, "to", want)
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

// release returns what Open took, as far as it came.
func (s *Store) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close()) // which unlocks it
	}
	return errors.Join(errs...)
}
