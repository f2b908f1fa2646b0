package sqlstore_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// asNobody runs fn with the file rights of a user without any: root would be
// let in everywhere.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		err := syscall.Setfsuid(65534)
		if err == nil {
			fn()
		}
		done <- err
	}()
	require.NoError(t, <-done)
}

func TestForbiddenDirectory(t *testing.T) {
	parent := t.TempDir()
	locked := filepath.Join(parent, "locked")
	require.NoError(t, os.Mkdir(locked, 0o500))
	for _, dir := range []string{locked, filepath.Join(locked, "new")} {
		var err error
		asNobody(t, func() { err = tryOpen(t, dir) })
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.ErrorContains(t, err, "the data directory "+dir+" cannot be used")
		require.ErrorContains(t, err, "it must belong to the user this runs as")
		require.NotContains(t, err.Error(), "\n", "one line")
	}
	require.NoError(t, os.Chmod(locked, 0o700))
}
