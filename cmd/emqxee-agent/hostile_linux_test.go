package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// These tests are about a user of the host who owns the agent's directory, as the
// one that EMQX runs as does, and puts things into it for root to stumble over.

// ownedBy gives a home to a user.
func (p *place) ownedBy(uid int) {
	p.t.Helper()
	require.NoError(p.t, filepath.WalkDir(p.home, func(name string, _ os.DirEntry, err error) error {
		require.NoError(p.t, err)
		return os.Lchown(name, uid, uid)
	}))
}

// The number in the pid file is that of a process of root's: stop must not end it.
func TestStopSparesForeignProcesses(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("two users are needed: run the tests as root")
	}
	p := newPlace(t)
	victim := processtest.Start(t, exec.Command("sleep", "600"))
	require.NoError(t, os.MkdirAll(p.file("run"), 0o700))
	f, err := os.OpenFile(p.file("run/agent.pid"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString(itoa(victim.PID()) + "\n")
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	p.ownedBy(1000)
	for _, args := range [][]string{{"stop"}, {"restart"}, {"uninstall", "--purge"}} {
		p.fails(4, "no agent, and does not belong to the owner", args...)
	}
	victim.Signal(t, 0)
	require.False(t, victim.Ended())
	require.NoError(t, f.Close()) // the lock
}

// Links in the directory lead root nowhere, and a pipe does not hold it up.
func TestRootFollowsNoLinks(t *testing.T) {
	t.Parallel()
	i := newImage(t, true)
	i.write("/etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\nemqx:x:1234:1235::/var/lib/emqx:/bin/sh\n")
	i.ok("install")
	victim := i.path("/victim")
	require.NoError(t, os.Mkdir(victim, 0o755))
	i.write("/victim/identity.json", 0o644, "{}")
	i.write("/victim/agent.yaml", 0o644, "")
	unharmed := func() {
		t.Helper()
		for name, mode := range map[string]os.FileMode{"": 0o755, "identity.json": 0o644, "agent.yaml": 0o644} {
			info, err := os.Stat(filepath.Join(victim, name))
			require.NoError(t, err)
			owner, ok := info.Sys().(*syscall.Stat_t)
			require.True(t, ok)
			assert.Equal(t, mode, info.Mode().Perm(), name)
			assert.Zero(t, owner.Uid, name)
		}
	}
	replace := func(name, to string) {
		t.Helper()
		require.NoError(t, os.RemoveAll(i.file(name)))
		require.NoError(t, os.Symlink(to, i.file(name)))
		require.NoError(t, os.Lchown(i.file(name), 1234, 1235))
	}
	replace("etc", victim)
	i.ok("install")
	unharmed()
	replace("data/identity.json", filepath.Join(victim, "identity.json"))
	i.run("uninstall", "--dry-run", "--purge")
	unharmed()
	require.NoError(t, os.RemoveAll(i.file("run/agent.pid")))
	require.NoError(t, syscall.Mkfifo(i.file("run/agent.pid"), 0o600))
	replace("run/supervisor.lock", filepath.Join(victim, "identity.json"))
	r := i.run("stop")
	require.GreaterOrEqual(t, r.Code, 0, "it waited for a pipe: %s", r)
	unharmed()
	require.NoError(t, os.Link(filepath.Join(victim, "identity.json"), i.file("log/agent.log")))
	require.NoError(t, os.Remove(i.file("etc")))
	i.fails(4, "hard link", "install")
	unharmed()
	i.ok("install", "--dry-run")
	assert.True(t, strings.HasPrefix(i.home, i.root))
}
