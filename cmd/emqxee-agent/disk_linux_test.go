package main_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
)

// smallDisk mounts a file system of 64 KiB, or skips the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no small file system here (%v): run the tests as root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill leaves no room on the disk of a directory.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filling")
	f, err := os.Create(name)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte{'x'}, 512))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// A full disk is told, costs no token, and ends no agent that runs.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	p.home = filepath.Join(disk, "agent")
	registering := w.registering(b.flags()...)

	free := fill(t, disk)
	r := p.fails(1, "no space left on device", registering...)
	assert.Contains(t, r.Stderr, "free some space")
	p.fails(1, "disk is full", "start")
	free()

	p.ok("start")
	p.ok(registering...)
	before := w.connected()
	free = fill(t, disk)
	r = p.fails(1, "no space left on device", w.registering(b.flags()...)...)
	assert.Contains(t, r.Stderr, "the token has not been used")
	s := p.status()
	assert.Equal(t, "connected", s.Phase)
	require.NoError(t, syscall.Kill(s.PID, syscall.SIGKILL))
	processtest.Eventually(t, 20*time.Second, func() (bool, any) {
		all := w.server.Connections()
		return len(all) == 1 && all[0].Instance != before.Instance, all
	})
	assert.Equal(t, before.Agent, w.connected().Agent)
	free()
	p.ok("stop")
}

// A directory of somebody else is not allowed, and said so.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("two users are needed: run the tests as root")
	}
	p := newPlace(t)
	p.ok("start")
	for dir := p.home; dir != os.TempDir(); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o711)) // what the owner of a home might do
	}
	other := *p
	other.wrap = []string{"setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"}
	for _, args := range [][]string{{"status"}, {"start"}, {"stop"}, {"doctor"}, {"unregister"}} {
		r := other.run(args...)
		assert.Equal(t, 4, r.Code, "%v: %s", args, r)
	}
	assert.NotZero(t, p.status().PID, "it still runs")
}

// Root acts for the owner of the home, so that the agent can read what it writes.
func TestRootActsForOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("two users are needed: run the tests as root")
	}
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	require.NoError(t, os.Mkdir(p.home, 0o700))
	require.NoError(t, os.Chown(p.home, 1000, 1000))
	for dir := filepath.Dir(p.home); dir != os.TempDir(); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	p.ok(w.registering(b.flags()...)...)
	p.ok("start")
	w.connected()
	require.NoError(t, filepath.WalkDir(p.home, func(name string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		require.NoError(t, err)
		owner, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		assert.EqualValues(t, 1000, owner.Uid, name)
		return nil
	}))
	for _, pid := range p.processes() {
		info, err := os.Stat(filepath.Join("/proc", itoa(pid)))
		require.NoError(t, err)
		owner, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		assert.EqualValues(t, 1000, owner.Uid)
	}
	p.ok("stop")
}
