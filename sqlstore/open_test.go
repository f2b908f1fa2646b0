package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

func tryOpen(t *testing.T, dir string) error {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	if err == nil {
		err = s.Close()
	}
	return err
}

func TestOnlyTheOwnerReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := openIn(t, dir)
	put(t, s, ecp.Image{ID: "a"})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, "drwx------", info.Mode().String())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, "-rw-------", info.Mode().String(), f.Name())
		names = append(names, f.Name())
	}
	require.Subset(t, names, []string{"ecpd.db", "ecpd.db-wal", "ecpd.lock"})

	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(filepath.Join(dir, "ecpd.db"), 0o644))
	require.NoError(t, tryOpen(t, dir))
	info, err = os.Stat(filepath.Join(dir, "ecpd.db"))
	require.NoError(t, err)
	require.Equal(t, "-rw-------", info.Mode().String(), "what somebody opened up is closed again")
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	err := tryOpen(t, dir)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.EqualError(t, err, fmt.Sprintf("open store: process %d has the data directory %s already; end it, or "+
		"choose another directory for this one", os.Getpid(), dir))
	put(t, s, ecp.Image{ID: "a"}) // the first is not disturbed
	require.NoError(t, s.Close())
	require.NoError(t, tryOpen(t, dir))

	// What an earlier process left in the file means nothing.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ecpd.lock"), []byte("1\n"), 0o600))
	require.NoError(t, tryOpen(t, dir))
}

func TestUnusualPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's ü 100%20 #1?x=y&z")
	s := openIn(t, dir)
	put(t, s, ecp.Image{ID: "a"})
	require.FileExists(t, filepath.Join(dir, "ecpd.db"))
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	err := tryOpen(t, filepath.Join(file, "sub"))
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, "the data directory "+file+"/sub cannot be used")
	require.ErrorIs(t, tryOpen(t, ""), ecp.ErrInvalid)

	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ecpd.db"), 0o700))
	require.ErrorIs(t, tryOpen(t, dir), ecp.ErrUnavailable)
	require.NoError(t, os.Remove(filepath.Join(dir, "ecpd.db")))
	require.NoError(t, tryOpen(t, dir), "a failed Open holds nothing")
}

// refusedDatabases are files that are no database to work on.
var refusedDatabases = []struct {
	name string
	make func(t *testing.T, file string)
	code *ecp.Error
	says string
}{
	{"not a database", func(t *testing.T, file string) {
		require.NoError(t, os.WriteFile(file, []byte("key: value\n"+string(make([]byte, 2000))), 0o600))
	}, ecp.ErrInternal, "is not an SQLite database; move it away to begin anew, or put a backup in its place"},
	{"empty", func(t *testing.T, file string) {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}, ecp.ErrInternal, "is empty (0 bytes): its content was lost, and nothing is written over it; put a backup in " +
		"its place"},
	{"emptied", func(t *testing.T, file string) {
		require.NoError(t, tryOpen(t, filepath.Dir(file)))
		require.NoError(t, os.Truncate(file, 0))
	}, ecp.ErrInternal, "is empty (0 bytes)"},
	{"a few bytes", func(t *testing.T, file string) {
		require.NoError(t, os.WriteFile(file, []byte("SQLite"), 0o600))
	}, ecp.ErrInternal, "is not an SQLite database"},
	{"cut off", func(t *testing.T, file string) {
		require.NoError(t, tryOpen(t, filepath.Dir(file)))
		require.NoError(t, os.Truncate(file, 8192))
	}, ecp.ErrInternal, "is cut off: 8192 of "},
	{"of another program", func(t *testing.T, file string) {
		execIn(t, file, "CREATE TABLE bookmarks (url TEXT)")
	}, ecp.ErrConflict, "is the database of another program; choose another directory"},
	{"of another program, by its mark", func(t *testing.T, file string) {
		execIn(t, file, "PRAGMA application_id = 42; CREATE TABLE sqlite (a)")
	}, ecp.ErrConflict, "is the database of another program; choose another directory"},
	{"of a newer version", func(t *testing.T, file string) {
		require.NoError(t, tryOpen(t, filepath.Dir(file)))
		execIn(t, file, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)")
	}, ecp.ErrConflict, "is of version 900, this program knows versions up to 2 only; run the newer program that " +
		"wrote it, or put the backup from before the upgrade in its place"},
	{"damaged", func(t *testing.T, file string) {
		require.NoError(t, tryOpen(t, filepath.Dir(file)))
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		for i := 100; i < len(b); i++ { // all but the header
			b[i] = 0xff
		}
		require.NoError(t, os.WriteFile(file, b, 0o600))
	}, ecp.ErrInternal, "is damaged; put a backup in its place"},
}

// A database is refused and stays as it is, byte for byte.
func TestRefusedDatabases(t *testing.T) {
	for _, c := range refusedDatabases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "ecpd.db")
			c.make(t, file)
			before, err := os.ReadFile(file)
			require.NoError(t, err)
			err = tryOpen(t, dir)
			require.ErrorIs(t, err, c.code)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "\n", "one line")
			require.ErrorContains(t, err, file)
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before, after)

			require.NoError(t, os.Rename(file, file+".old"))
			require.NoError(t, tryOpen(t, dir), "a failed Open holds nothing")
		})
	}
}

// execIn runs SQL on a file as another program would.
func execIn(t *testing.T, file, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	_, err = db.ExecContext(context.WithoutCancel(t.Context()), text)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// An upgrade that was cut off after goose had made its own table goes on.
func TestUpgradeCutOff(t *testing.T) {
	dir := t.TempDir()
	execIn(t, filepath.Join(dir, "ecpd.db"), `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`)
	put(t, openIn(t, dir), ecp.Image{ID: "a"})
}

func TestOpenHonoursContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, tryOpen(t, dir))
}

// The log of a database that is not there is not thrown away for a new one.
func TestLogWithoutItsDatabase(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "ecpd.db-wal")
	require.NoError(t, os.WriteFile(log, []byte("changes"), 0o600))
	require.ErrorContains(t, tryOpen(t, dir), "is not there, but the log of its last changes is")
	require.NoFileExists(t, filepath.Join(dir, "ecpd.db"))
	require.FileExists(t, log)
}

// A first start that was cut short before anything was in the database goes on.
func TestFirstStartCutShort(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ecpd.lock"), []byte("1\nmaking\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ecpd.db"), nil, 0o600))
	require.NoError(t, tryOpen(t, dir))
	require.NoError(t, os.Truncate(filepath.Join(dir, "ecpd.db"), 0))
	require.ErrorContains(t, tryOpen(t, dir), "is empty")
}

// A copy of the database's file alone has what was written a moment ago.
func TestCopyOfTheFileAlone(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	s := openIn(t, from)
	put(t, s, ecp.Image{ID: "a"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(filepath.Join(from, "ecpd.db"))
		require.NoError(t, err)
		if bytes.Contains(b, []byte(`"id":"a"`)) {
			require.NoError(t, os.WriteFile(filepath.Join(to, "ecpd.db"), b, 0o600))
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Fail(t, "the log was not taken over")
		}
	}
	require.NoError(t, openIn(t, to).Read(t.Context(), func(tx ecp.Tx) error {
		_, err := tx.Get(ecp.KindImage, "a")
		return err
	}))
}

// Every process has an incarnation of its own. That of the one before has ended
// where the lock of this very folder says so, and in no copy.
func TestIncarnations(t *testing.T) {
	dir, moved := t.TempDir(), t.TempDir()
	first := openIn(t, dir)
	was := first.Incarnation()
	require.Len(t, was, 16)
	require.Empty(t, first.Dead())
	for _, name := range []string{"ecpd.db", "ecpd.db-wal", "ecpd.lock"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		if name != "ecpd.lock" {
			require.NotContains(t, string(b), was, "no part of the database")
		}
		require.NoError(t, os.WriteFile(filepath.Join(moved, name), b, 0o600))
	}
	other := openIn(t, moved)
	require.NotEqual(t, was, other.Incarnation())
	require.Empty(t, other.Dead(), "the first one lives")
	require.NoError(t, first.Close())
	again := openIn(t, dir)
	require.Equal(t, []string{was}, again.Dead())
}

// A database for simulated clusters is not taken by a daemon for Kubernetes, nor
// the other way round.
func TestPlatforms(t *testing.T) {
	for _, p := range [][2]sqlstore.Platform{{sqlstore.Simulated, sqlstore.Kubernetes},
		{sqlstore.Kubernetes, sqlstore.Simulated}} {
		dir := t.TempDir()
		open := func(as, unmarked sqlstore.Platform) error {
			s, err := sqlstore.Open(t.Context(),
				sqlstore.Config{Dir: dir, Kinds: fleet.Kinds(), Platform: as, Unmarked: unmarked})
			if err != nil {
				return err
			}
			return s.Close()
		}
		require.NoError(t, open(p[0], p[1]))
		require.NoError(t, open("", ""))
		require.ErrorIs(t, open(p[1], p[1]), ecp.ErrConflict)
		require.NoError(t, open(p[0], p[1]))

		execIn(t, filepath.Join(dir, "ecpd.db"), "PRAGMA user_version = 0") // of an earlier build
		require.ErrorContains(t, open(p[1], p[0]), "give another --data-dir")
		require.NoError(t, open(p[0], p[0]))
		require.ErrorIs(t, open(p[1], p[1]), ecp.ErrConflict)
	}
}
