package home_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/agent/home"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HOME_TEST_LOCK"); dir != "" { // another process that holds the lock
		_, err := home.Dir(dir).Lock()
		fmt.Fprintln(os.Stdout, "locked", err)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	if dir := os.Getenv("HOME_TEST_WRITE"); dir != "" { // another process that may write little
		if err := home.WriteFile(home.Dir(dir).Broker(), make([]byte, 1<<20)); err == nil ||
			!strings.Contains(err.Error(), "the file is as it was") {
			fmt.Fprintln(os.Stdout, "wrote more than may be:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func prepared(t *testing.T) home.Dir {
	t.Helper()
	d := home.Dir(filepath.Join(t.TempDir(), "agent"))
	mended, err := d.Prepare()
	require.NoError(t, err)
	require.Empty(t, mended)
	return d
}

// TestPrepare: what others could use is mended and told.
func TestPrepare(t *testing.T) {
	d := prepared(t)
	for _, dir := range []string{string(d), filepath.Dir(d.Broker())} {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.WriteFile(d.Broker(), []byte("{}"), 0o644))
	mended, err := d.Prepare()
	require.NoError(t, err)
	require.Len(t, mended, 3)
	info, err := os.Stat(d.Broker())
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.Remove(d.Broker()))
	require.NoError(t, os.Symlink("/etc/hostname", d.Broker()))
	_, err = d.Prepare()
	require.ErrorContains(t, err, "not a regular file")
	_, err = home.Dir("relative").Prepare()
	require.ErrorContains(t, err, "absolute")
}

// TestWriteFile: a file is replaced whole or stays as it is.
func TestWriteFile(t *testing.T) {
	d := prepared(t)
	require.NoError(t, home.WriteJSON(d.Broker(), map[string]string{"a": "b"}))
	before, err := home.StampOf(d.Broker())
	require.NoError(t, err)
	require.NoError(t, home.WriteJSON(d.Broker(), map[string]string{"a": "c"}))
	after, err := home.StampOf(d.Broker())
	require.NoError(t, err)
	require.NotEqual(t, before, after, "a change of the same length within a tick of the clock is seen")
	var got map[string]string
	require.NoError(t, home.ReadJSON(d.Broker(), &got))
	require.Equal(t, "c", got["a"])
	entries, err := os.ReadDir(filepath.Dir(d.Broker()))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
	require.Error(t, home.WriteFile(filepath.Join(string(d), "gone", "x"), nil))
	require.NoError(t, os.WriteFile(d.Broker(), []byte(strings.Repeat(" ", 2<<20)), 0o600))
	require.ErrorContains(t, home.ReadJSON(d.Broker(), &got), "longer")
}

// TestFullDisk: a disk without room, for which a limit of the process stands, leaves
// the old file.
func TestFullDisk(t *testing.T) {
	d := prepared(t)
	require.NoError(t, home.WriteFile(d.Broker(), []byte("old")))
	limited := exec.Command("sh", "-c", `ulimit -f 1; trap '' XFSZ; exec "$0"`, os.Args[0])
	limited.Env = append(os.Environ(), "HOME_TEST_WRITE="+string(d))
	out, err := limited.CombinedOutput()
	require.NoError(t, err, "%s", out)
	got, err := os.ReadFile(d.Broker())
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	entries, err := os.ReadDir(filepath.Dir(d.Broker()))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// TestLock: one process at a time, whose id is known; the kernel ends the lock.
func TestLock(t *testing.T) {
	d := prepared(t)
	_, running, err := d.Running()
	require.NoError(t, err)
	require.False(t, running)

	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "HOME_TEST_LOCK="+string(d))
	in, err := other.StdinPipe()
	require.NoError(t, err)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked <nil>\n", line)

	_, err = d.Lock()
	var taken *home.RunningError
	require.True(t, errors.As(err, &taken), "%v", err)
	require.Equal(t, other.Process.Pid, taken.PID)
	require.ErrorContains(t, err, fmt.Sprint(other.Process.Pid))
	pid, running, err := d.Running()
	require.NoError(t, err)
	require.True(t, running)
	require.Equal(t, other.Process.Pid, pid)

	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
	in.Close()
	release, err := d.Lock()
	require.NoError(t, err)
	release()
	release2, err := d.Lock()
	require.NoError(t, err)
	release2()
}

// TestSocket: also where the path is longer than the kernel's addresses.
func TestSocket(t *testing.T) {
	for _, name := range []string{"a", strings.Repeat("long", 30)} {
		d := home.Dir(filepath.Join(t.TempDir(), name))
		_, err := d.Prepare()
		require.NoError(t, err)
		_, err = d.Dial(t.Context())
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.WriteFile(d.Socket(), nil, 0o600)) // left behind
		l, err := d.Listen()
		require.NoError(t, err)
		info, err := os.Stat(d.Socket())
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		conn, err := d.Dial(t.Context())
		require.NoError(t, err)
		conn.Close()
		require.NoError(t, l.Close())
		_, err = os.Stat(d.Socket())
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}
