package sqlstore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// imagesIn counts the images of a copy of a database.
func imagesIn(t *testing.T, file string) (n int) {
	t.Helper()
	dir := t.TempDir()
	_, _, err := sqlstore.Restore(t.Context(), file, dir)
	require.NoError(t, err)
	require.NoError(t, openIn(t, dir).Read(t.Context(), func(tx ecp.Tx) error {
		for _, err := range ecp.List[ecp.Image](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
}

// A backup of a database at work is of one moment: what one transaction wrote is
// in it whole or not at all. It holds up nobody.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			err := s.Write(ctx, func(tx ecp.Tx) error {
				for _, half := range "ab" {
					if err := ecp.Put(tx, ecp.Image{ID: fmt.Sprintf("%04d%c", i, half)}, 0); err != nil {
						return err
					}
				}
				return nil
			})
			if i == 0 {
				close(begun)
			}
			if err != nil {
				written <- err
				return
			}
		}
	}()
	<-begun
	for i := range 3 {
		file := filepath.Join(t.TempDir(), "backup of ü#1?x=y.db")
		c, err := sqlstore.Backup(t.Context(), dir, file)
		require.NoError(t, err)
		require.Equal(t, file, c.File)
		require.False(t, c.LastChange.IsZero())
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, "-rw-------", info.Mode().String())
		require.Equal(t, info.Size(), c.Size)
		beside, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		require.Len(t, beside, 1, "nothing else is left")
		n := imagesIn(t, file)
		require.NotZero(t, n, "backup %d", i)
		require.Zero(t, n%2, "backup %d", i)
	}
	cancel()
	require.ErrorIs(t, <-written, context.Canceled)
	require.NoError(t, s.Close())
	require.NotZero(t, imagesIn(t, filepath.Join(dir, "ecpd.db")), "the database is as it was")
}

func TestBackupNamesTheKeys(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	ctx := ecp.WithActor(t.Context(), ecp.System)
	for _, id := range []string{"b", "a"} {
		m, err := officeManager(ctx, s, officeKey(id))
		require.NoError(t, err)
		_, err = m.Catalog.Registries.Create(ctx, ecp.Registry{Name: id, Host: id + ".example.com", User: "u"}, "hush")
		require.NoError(t, err)
	}
	c, err := sqlstore.Backup(ctx, dir, filepath.Join(t.TempDir(), "b"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, c.Keys)
}

func TestRefusedBackups(t *testing.T) {
	dir := t.TempDir()
	put(t, openIn(t, dir), ecp.Image{ID: "a"})
	there := filepath.Join(t.TempDir(), "there")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	for _, c := range []struct {
		dir, file string
		code      *ecp.Error
		says      string
	}{
		{dir, there, ecp.ErrConflict, "there is there already, and nothing is written over it"},
		{dir, filepath.Dir(there), ecp.ErrConflict, "is there already"},
		{dir, filepath.Join(there, "x"), ecp.ErrUnavailable, "cannot be written"},
		{t.TempDir(), filepath.Join(t.TempDir(), "x"), ecp.ErrNotFound, "there is no database in the data directory"},
	} {
		_, err := sqlstore.Backup(t.Context(), c.dir, c.file)
		require.ErrorIs(t, err, c.code)
		require.ErrorContains(t, err, c.says)
	}
	b, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "mine", string(b))
	for _, c := range refusedDatabases {
		if strings.Contains(c.name, "newer version") {
			continue // a copy is a copy
		}
		t.Run(c.name, func(t *testing.T) {
			dir, to := t.TempDir(), t.TempDir()
			c.make(t, filepath.Join(dir, "ecpd.db"))
			_, err := sqlstore.Backup(t.Context(), dir, filepath.Join(to, "x"))
			require.ErrorIs(t, err, c.code)
			left, err := os.ReadDir(to)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// What takes the place of a database is that of the backup; what was there is
// kept, the changes in its log, too.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	put(t, s, ecp.Image{ID: "a"})
	file := filepath.Join(t.TempDir(), "backup")
	_, err := sqlstore.Backup(t.Context(), dir, file)
	require.NoError(t, err)
	put(t, s, ecp.Image{ID: "b"})

	_, _, err = sqlstore.Restore(t.Context(), file, dir)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf("process %d has the data directory", os.Getpid()))
	killed := t.TempDir() // the files as a process leaves them that is killed
	for _, name := range []string{"ecpd.db", "ecpd.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(killed, name), b, 0o600))
	}
	require.Equal(t, 2, imagesIn(t, filepath.Join(killed, "ecpd.db")), "the log beside a copy counts")

	c, kept, err := sqlstore.Restore(t.Context(), file, killed)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(killed, "ecpd.db"), c.File)
	require.Regexp(t, `/ecpd\.db\.before-\d{8}T\d{6}\.\d{3}Z$`, kept)
	require.Equal(t, 1, imagesIn(t, c.File))
	require.Equal(t, 2, imagesIn(t, kept))
	require.Equal(t, 1, imagesIn(t, file), "the backup is still there")
	names, err := os.ReadDir(killed)
	require.NoError(t, err)
	require.Len(t, names, 3, "database, the one before, lock: %v", names)

	// A number that was given out after the backup is not given out again.
	restored := openIn(t, killed)
	put(t, restored, ecp.Image{ID: "c"})
	var now int64
	require.NoError(t, restored.Read(t.Context(), func(tx ecp.Tx) (err error) {
		now, err = tx.Seq()
		return err
	}))
	require.Greater(t, now, int64(1<<32))
	for _, position := range []int64{0, 1, 2, 3} {
		for _, err := range restored.Changes(t.Context(), position) {
			require.ErrorIs(t, err, ecp.ErrGone)
		}
	}
}

// The process that had the folder last is not forgotten by a restore: it has
// ended, and the next one need not wait for it.
func TestRestoreKeepsTheIncarnation(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	put(t, s, ecp.Image{ID: "a"})
	file := filepath.Join(t.TempDir(), "backup")
	_, err := sqlstore.Backup(t.Context(), dir, file)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, _, err = sqlstore.Restore(t.Context(), file, dir)
	require.NoError(t, err)
	require.Equal(t, []string{s.Incarnation()}, openIn(t, dir).Dead())
}

// A copy that is none changes nothing.
func TestRefusedRestores(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds(), Platform: sqlstore.Simulated})
	require.NoError(t, err)
	put(t, s, ecp.Image{ID: "a"})
	require.NoError(t, s.Close())
	before, err := os.ReadFile(filepath.Join(dir, "ecpd.db"))
	require.NoError(t, err)
	refused := func(t *testing.T, file string, code *ecp.Error, says string) {
		t.Helper()
		_, _, err := sqlstore.Restore(t.Context(), file, dir)
		require.ErrorIs(t, err, code)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, file)
		require.NotContains(t, err.Error(), ".restore-")
		require.NotContains(t, err.Error(), "in its place; ")
		after, err := os.ReadFile(filepath.Join(dir, "ecpd.db"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(before, after))
		names, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, names, 2, "%v", names)
	}
	for _, c := range refusedDatabases {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ecpd.db")
			c.make(t, file)
			says, _, _ := strings.Cut(c.says, "; ")
			says, _, _ = strings.Cut(says, ": its content")
			refused(t, file, c.code, says)
		})
	}
	refused(t, filepath.Join(dir, "none"), ecp.ErrNotFound, "is not there")
	refused(t, dir, ecp.ErrInvalid, "is no file")
	refused(t, filepath.Join(dir, "ecpd.db"), ecp.ErrInvalid, "is the database itself")
	other := t.TempDir()
	s, err = sqlstore.Open(t.Context(),
		sqlstore.Config{Dir: other, Kinds: fleet.Kinds(), Platform: sqlstore.Kubernetes})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	refused(t, filepath.Join(other, "ecpd.db"), ecp.ErrConflict, "holds clusters on Kubernetes")
}
