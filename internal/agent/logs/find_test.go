package logs

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFind: what is wrong with a directory is said.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	_, err := Find(dir)
	require.ErrorContains(t, err, "no log file")
	path := filepath.Join(dir, "emqx.log.1")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	got, err := Find(dir)
	require.NoError(t, err)
	require.Equal(t, dir, got)
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(path, 0))
		_, err = Find(dir)
		require.ErrorIs(t, err, fs.ErrPermission)
	}
	_, err = Find(path)
	require.ErrorContains(t, err, "cannot be read")
}
