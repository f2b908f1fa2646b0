package main_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver
)

const databaseHead = `-- The database of a daemon, as SQL: a data directory as it was in the field, with the
-- schema and the records of the build that wrote it at %s.
--
-- It stays as it is: what a later build does with a database of before is tested with it
-- (TestDatabaseOfBefore). What that build answers may change with it, and is in answers.json:
--
--	go test ./cmd/ecpd -run TestDatabaseOfBefore -update
--
-- A database of another build comes beside it, in a folder of its own (see databases in
-- olddatabase_test.go), and is made by the tests of that build:
--
--	go test ./cmd/ecpd -run TestDatabaseOfBefore -make-database testdata/FOLDER
`

// changesInFixture is how many of the last changes are kept: each repeats a record.
const changesInFixture = 40

// keepDatabase writes what is in a data directory to a folder: the database as SQL, and
// the other files as they are.
func keepDatabase(t *testing.T, data, folder string, made time.Time, known logins) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "sim"), 0o755))
	simulated, err := filepath.Glob(filepath.Join(data, "sim", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, simulated)
	for _, file := range append(simulated, filepath.Join(data, "token"), filepath.Join(data, "secrets.key")) {
		to, err := filepath.Rel(data, file)
		require.NoError(t, err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, to), text, 0o644))
	}
	text, err := json.MarshalIndent(known, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "logins.json"), append(text, '\n'), 0o644))

	db, err := sql.Open("sqlite", filepath.Join(data, "ecpd.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), "DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?",
		changesInFixture)
	require.NoError(t, err)
	out := fmt.Sprintf(databaseHead, made.UTC().Format(time.RFC3339)) + dump(t, db)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ecpd.sql"), []byte(out), 0o644))
}

// dump returns the statements that make a database anew.
func dump(t *testing.T, db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"application_id", "user_version"} {
		for _, row := range rowsOf(t, db, "PRAGMA "+name) {
			fmt.Fprintf(&b, "PRAGMA %s = %d;\n", name, row[0])
		}
	}
	for _, row := range rowsOf(t, db,
		"SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY "+
			"rowid") {
		fmt.Fprintf(&b, "%s;\n", row[0])
	}
	for _, row := range rowsOf(t, db,
		"SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name = 'sqlite_sequence', name") {
		table := row[0].(string)
		if table == "sqlite_sequence" { // it counts what was inserted, too
			b.WriteString("DELETE FROM sqlite_sequence;\n")
		}
		for _, row := range rowsOf(t, db, "SELECT * FROM "+table) {
			var values []string
			for _, v := range row {
				values = append(values, literal(t, v))
			}
			fmt.Fprintf(&b, "INSERT INTO %s VALUES (%s);\n", table, strings.Join(values, ", "))
		}
	}
	return b.String()
}

func literal(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return "NULL"
	case int64:
		return fmt.Sprint(v)
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case time.Time: // of goose
		return "'" + v.UTC().Format(time.DateTime) + "'"
	default:
		require.Failf(t, "a column of another type", "%T", v)
		return ""
	}
}

func rowsOf(t *testing.T, db *sql.DB, query string, args ...any) (out [][]any) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		require.NoError(t, rows.Scan(into...))
		out = append(out, row)
	}
	require.NoError(t, rows.Err())
	return out
}

// restoreDatabase makes a data directory of a folder of [keepDatabase], as if it had been
// written a minute ago: what is kept for some time only would else be removed as soon as
// a daemon starts.
func restoreDatabase(t *testing.T, folder string) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.MkdirAll(filepath.Join(data, "sim"), 0o700))
	text, err := os.ReadFile(filepath.Join(folder, "ecpd.sql"))
	require.NoError(t, err)
	made, err := time.Parse(time.RFC3339, rfc3339.FindString(string(text)))
	require.NoError(t, err)
	move := moved{made, time.Since(made).Truncate(time.Minute) - time.Minute}

	simulated, err := filepath.Glob(filepath.Join(folder, "sim", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, simulated)
	for _, file := range append(simulated, filepath.Join(folder, "token"), filepath.Join(folder, "secrets.key")) {
		to, err := filepath.Rel(folder, file)
		require.NoError(t, err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(data, to), []byte(move.text(string(text))), 0o600))
	}

	db, err := sql.Open("sqlite", filepath.Join(data, "ecpd.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), string(text))
	require.NoError(t, err)
	for _, table := range []string{"records", "changes"} {
		for _, row := range rowsOf(t, db, "SELECT rowid, kind, key, at, payload FROM "+table) {
			key, payload := move.key(row[1].(string), row[2].(string), move.text(row[4].(string)))
			_, err = db.ExecContext(t.Context(), "UPDATE "+table+" SET key = ?, at = ?, payload = ? WHERE rowid = ?",
				key, row[3].(int64)+int64(move.by), payload, row[0])
			require.NoError(t, err)
		}
	}
	return data
}

// moved says by how much times near one are moved.
type moved struct {
	near time.Time
	by   time.Duration
}

var rfc3339 = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

func (m moved) text(s string) string {
	return rfc3339.ReplaceAllStringFunc(s, func(at string) string {
		then, err := time.Parse(time.RFC3339, at)
		if err != nil || then.Sub(m.near).Abs() > 400*24*time.Hour { // chosen, not come from the clock
			return at
		}
		return then.Add(m.by).Format(time.RFC3339Nano)
	})
}

// byTime begins the ids of what is listed by time, the newest first.
var byTime = regexp.MustCompile(`^(?:emqx-[0-9a-f]{8}/)?([0-9a-f]{16})`)

// key moves the time in a record's key, and in the id within its payload.
func (m moved) key(kind, key, payload string) (string, string) {
	at := byTime.FindStringSubmatch(key)
	if kind != "audit" && kind != "history" || at == nil {
		return key, payload
	}
	var left int64
	if _, err := fmt.Sscanf(at[1], "%x", &left); err != nil {
		return key, payload
	}
	now := strings.Replace(key, at[1], fmt.Sprintf("%016x", left-int64(m.by)), 1)
	return now, strings.ReplaceAll(payload, key, now)
}
