package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// holds checks a file's content and mode, and that it is alone in its folder.
func holds(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, content, string(got))
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, mode, info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
}

func TestWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, Write(name, []byte("first"), 0o600))
	holds(t, name, "first", 0o600)
	require.NoError(t, Write(name, []byte("second"), 0o644))
	holds(t, name, "second", 0o644)
	require.NoError(t, WriteFrom(name, strings.NewReader("third"), 0o755))
	holds(t, name, "third", 0o755)

	below := filepath.Join(name, "below")
	err := Write(below, nil, 0o600)
	require.ErrorIs(t, err, syscall.ENOTDIR)
	require.EqualError(t, err, "write "+below+": not a directory; the file is as it was")
}

// fullDisk is a file on a disk that is full.
type fullDisk struct {
	*os.File      // whose ReadFrom a bytes.Reader does not use
	writes, syncs bool
}

func (f fullDisk) Write(p []byte) (int, error) {
	if f.writes {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func (f fullDisk) Sync() error {
	if f.syncs {
		return syscall.ENOSPC
	}
	return f.File.Sync()
}

// What fails leaves the old file, and nothing beside it.
func TestFailuresLeaveTheOldFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, Write(name, []byte("old"), 0o600))
	for _, disk := range []fullDisk{{writes: true}, {syncs: true}} {
		err := replace(name, bytes.NewReader([]byte("new")), 0o644, func(dir, pattern string) (tempFile, error) {
			f, err := os.CreateTemp(dir, pattern)
			disk.File = f
			return disk, err
		})
		require.ErrorIs(t, err, syscall.ENOSPC)
		holds(t, name, "old", 0o600)
	}
	broken := errors.New("it broke off")
	err := WriteFrom(name, io.MultiReader(strings.NewReader("new"), iotest.ErrReader(broken)), 0o644)
	require.ErrorIs(t, err, broken)
	holds(t, name, "old", 0o600)
}
