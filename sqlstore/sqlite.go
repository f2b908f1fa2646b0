package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/openecp/openecp/ecp"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// applicationID marks the file as ours; the first migration sets it.
const applicationID = 0x45435064

// The connections' settings. A commit returns when it is on the disk; a
// mistyped column is an error, not a string.
var (
	common = url.Values{
		"_busy_timeout": {"5000"}, // for whoever looks at the file with SQLite's own tool
		"_foreign_keys": {"1"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
	}
	writerOnly = url.Values{
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
		"_pragma":       {"journal_size_limit(67108864)"}, // a log that has grown is cut back to 64 MiB
	}
	readerOnly = url.Values{"_query_only": {"1"}}
)

// openDB prepares connections to a file; the first use opens one.
func openDB(file string, settings url.Values) (*sql.DB, error) {
	q := url.Values{}
	for _, set := range []url.Values{common, settings} {
		for k, v := range set {
			q[k] = v
		}
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: q.Encode()}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

const (
	listFrom   = "SELECT " + recordColumns + " FROM records WHERE kind = ?1 AND key > ?2"
	listEnd    = " ORDER BY key LIMIT ?3"
	insertInto = "INSERT INTO records (" + recordColumns + ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
	setAll     = "SET project = ?3, name = ?4, parent = ?5, state = ?6, version = ?7, at = ?8, payload = ?9"
)

// sqliteTexts is the SQL of every statement. The indexes on project and parent leave
// out what has none, so a query says that it wants none of those; by both, the
// parent's is the narrower one.
var sqliteTexts = [statements]string{
	getRecord:    "SELECT " + recordColumns + " FROM records WHERE kind = ?1 AND key = ?2",
	listAll:      listFrom + listEnd,
	listProject:  listFrom + " AND project = ?4 AND project <> ''" + listEnd,
	listParent:   listFrom + " AND parent = ?4 AND parent <> ''" + listEnd,
	listBoth:     listFrom + " AND +project = ?4 AND parent = ?5 AND parent <> ''" + listEnd,
	insertRecord: insertInto,
	updateRecord: "UPDATE records " + setAll + " WHERE kind = ?1 AND key = ?2 AND version = ?10",
	upsertRecord: insertInto + " ON CONFLICT (kind, key) DO UPDATE " + setAll,
	deleteRecord: "DELETE FROM records WHERE kind = ?1 AND key = ?2",
	insertChange: "INSERT INTO changes (" + changeColumns + ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	lastSeq:      "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'",
	firstSeq:     "SELECT min(seq) FROM changes",
	listChanges:  "SELECT " + changeColumns + " FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
	// The first change that is to be kept. What lies before it is older,
	// also where the clock has been set back in between.
	firstSince:   "SELECT seq FROM changes WHERE at >= ?1 ORDER BY seq LIMIT 1",
	listEvery:    "SELECT " + recordColumns + " FROM records WHERE (kind, key) > (?1, ?2) ORDER BY kind, key LIMIT ?3",
	purgeChanges: "DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE seq < ?1 ORDER BY seq LIMIT ?2)",
}

// foreign reports whether a database belongs to another program. One without any
// table is new; goose makes its own before the first migration. Nothing is
// changed by asking.
func foreign(ctx context.Context, file string) (_ bool, err error) {
	db, err := openDB(file, readerOnly)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var id, tables int64
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return false, err
	}
	if id == applicationID {
		return false, nil
	}
	const others = `SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'goose\_%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	err = db.QueryRowContext(ctx, others).Scan(&tables)
	return id != 0 || tables > 0, err
}

// takenBy says what refused a write of a record.
func (e *sqliteEngine) takenBy(err error) taken {
	switch code(err) {
	case codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return keyTaken
	case codes.SQLITE_CONSTRAINT_UNIQUE:
		return nameTaken
	}
	return notTaken
}

// code returns the driver's code of an error; 0 if it is not the driver's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// fault wraps an error of the driver with a class, and words that say what to do.
// Errors that have these already, and those of a context, stay as they are.
// Tenants read the words, so that the file is in the cause only, but where the
// store is opened: nobody but the operator is there then.
func fault(op, file string, err error) error {
	var known *ecp.Error
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &known) {
		return err
	}
	class, name := ecp.CodeInternal, "the database"
	message := "the database did not do as it was told; the cause is logged"
	cause := fmt.Errorf("%s: %w", file, err)
	if op == opening {
		name, cause = "the database "+file, err
		message = name + " cannot be opened: " + err.Error()
	}
	switch code(err) & 0xff { // the rest of the code is detail
	case codes.SQLITE_FULL:
		class, message = ecp.CodeUnavailable, "the disk that holds "+name+
			" is full; nothing was written, an operator has to free some space"
	case codes.SQLITE_NOTADB:
		message = file + " is not an SQLite database; move it away to begin anew, or put a backup in its place"
	case codes.SQLITE_CORRUPT:
		message = name + " is damaged; put a backup in its place"
	case codes.SQLITE_READONLY, codes.SQLITE_PERM, codes.SQLITE_CANTOPEN:
		class, message = ecp.CodeUnavailable, name+" cannot be written; it and its folder must belong to the user "+
			"this runs as"
	case codes.SQLITE_IOERR:
		class, message = ecp.CodeUnavailable, "the disk that holds "+name+" reports an error"
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		class, message = ecp.CodeUnavailable, "another program holds "+name+" locked"
	}
	return &ecp.Error{Code: class, Op: op, Message: message, Cause: cause}
}
