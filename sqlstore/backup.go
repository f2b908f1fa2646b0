package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

const backingUp = "back up the database"

// Copied tells what a copy of a database holds.
type Copied struct {
	// File is the copy, with its whole path.
	File string
	// Size is in bytes.
	Size int64
	// Clusters counts the records of clusters, hosted and adopted.
	Clusters int
	// LastChange is when the newest of its content was written; zero = never.
	LastChange time.Time
	// Keys are the ids of the keys that its secrets are encrypted with, sorted;
	// see [ecp.SealedWith]. The keys themselves are not part of it.
	Keys []string
}

// Backup writes the database of a data directory to a new file, whole and as
// of one moment, while a daemon works on it or while none does. It holds nobody
// up. The copy is checked before it gets its name; only its owner can read it.
//
// A file that is there already is a conflict; a directory without a database is
// not found. After an error there is no file.
func Backup(ctx context.Context, dir, file string) (_ Copied, err error) {
	source, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		return Copied{}, fault(backingUp, file, err)
	}
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		return Copied{}, &ecp.Error{Code: ecp.CodeNotFound, Op: backingUp,
			Message: "there is no database in the data directory " + filepath.Dir(source)}
	}
	if err := ours(ctx, source); err != nil {
		return Copied{}, err
	}
	if file, err = filepath.Abs(file); err != nil {
		return Copied{}, fault(backingUp, file, err)
	}
	if _, err := os.Lstat(file); err == nil {
		return Copied{}, &ecp.Error{Code: ecp.CodeConflict, Op: backingUp,
			Message: file + " is there already, and nothing is written over it; give another name"}
	}
	partial, err := emptyFile(filepath.Dir(file))
	if err != nil {
		return Copied{}, unwritable(file, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(partial) // what went wrong first counts
		}
	}()
	if err := vacuumInto(ctx, source, partial); err != nil {
		if known := fault(opening, source, err); ecp.CodeOf(known) == ecp.CodeInternal || ctx.Err() != nil {
			return Copied{}, known
		}
		return Copied{}, unwritable(file, err)
	}
	c, err := inspect(ctx, partial)
	if err != nil {
		return Copied{}, err
	}
	if err := place(partial, file); err != nil {
		return Copied{}, unwritable(file, err)
	}
	c.File = file
	return c, nil
}

func unwritable(file string, err error) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: backingUp, Cause: err,
		Message: fmt.Sprintf("%s cannot be written: %v", file, err)}
}

// ours refuses what is no database of this program, unless a daemon's log still
// holds its beginning.
func ours(ctx context.Context, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fault(opening, file, err)
	}
	log, err := os.Stat(file + logSuffix)
	if err := checkHeader(file, info.Size(), err == nil && log.Size() > 0); err != nil {
		return err
	}
	theirs, err := foreign(ctx, file)
	if err != nil {
		return fault(opening, file, err)
	}
	if theirs {
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: file + " is the database of another program"}
	}
	return nil
}

// emptyFile makes a file that has no name for others yet and that only its
// owner can read.
func emptyFile(dir string) (string, error) {
	f, err := os.CreateTemp(dir, ".ecpd-*.partial")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// place renames a finished file to its name. Both survive the loss of power.
func place(partial, file string) error {
	f, err := os.Open(partial)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// vacuumInto writes what source holds at this moment to an empty file.
func vacuumInto(ctx context.Context, source, file string) (err error) {
	db, err := openDB(source, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?1", file)
	return err
}

// inspect checks every page of a database and tells what is in it.
func inspect(ctx context.Context, file string) (_ Copied, err error) {
	db, err := openDB(file, readerOnly)
	if err != nil {
		return Copied{}, fault(opening, file, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := Copied{File: file}
	if err := c.read(ctx, db); err != nil {
		return Copied{}, fault(opening, file, err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return Copied{}, fault(opening, file, err)
	}
	c.Size = info.Size()
	return c, nil
}

func (c *Copied) read(ctx context.Context, db *sql.DB) (err error) {
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return damaged(c.File + " is damaged: " + found)
	}
	var last int64
	const newest = "SELECT max(coalesce((SELECT max(at) FROM records), 0), coalesce((SELECT max(at) FROM changes), 0))"
	if err := db.QueryRowContext(ctx, newest).Scan(&last); err != nil {
		return err
	}
	if last > 0 {
		c.LastChange = time.Unix(0, last).UTC()
	}
	rows, err := db.QueryContext(ctx, "SELECT kind, payload FROM records")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var kind ecp.Kind
		var payload string
		if err := rows.Scan(&kind, &payload); err != nil {
			return err
		}
		if kind == ecp.KindCluster {
			c.Clusters++
		}
		for _, id := range ecp.SealedWith(payload) {
			if !slices.Contains(c.Keys, id) {
				c.Keys = append(c.Keys, id)
			}
		}
	}
	slices.Sort(c.Keys)
	return rows.Err()
}
