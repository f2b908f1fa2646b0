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
)

// image is a root directory that the program installs into.
type image struct {
	*place
	root string
}

func newImage(t *testing.T, systemd bool) image {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("install needs root's rights; run the tests as root")
	}
	p := newPlace(t)
	root := filepath.Join(t.TempDir(), "root")
	for _, dir := range []string{"usr/local/bin", "etc", "bin", "opt"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	i := image{p, root}
	p.home = filepath.Join(root, "opt/emqxee-agent")
	p.environ = []string{"EMQXEE_AGENT_ROOT=" + root, "PATH=" + root + "/bin:" + os.Getenv("PATH")}
	if systemd {
		require.NoError(t, os.MkdirAll(i.path("/run/systemd/system"), 0o755))
		i.write("/bin/systemctl", 0o755, standInSystemctl)
	}
	return i
}

// standInSystemctl does what systemd does for one service, below a root.
const standInSystemctl = `#!/bin/sh
root=$(dirname "$(dirname "$0")")
unit=$root/etc/systemd/system/emqxee-agent.service
echo "$*" >> "$root/systemctl.log"
case "$1" in
is-active)
	test -s "$root/pid" && kill -0 "$(cat "$root/pid")" 2>/dev/null ;;
start)
	line=$(sed -n 's/^ExecStart=//p' "$unit")
	set -- $line
	setsid "$root$1" "$2" "$3" "$root$4" >/dev/null 2>"$root/journal" </dev/null &
	echo $! > "$root/pid" ;;
stop)
	if [ -s "$root/pid" ]; then kill "$(cat "$root/pid")"; rm "$root/pid"; fi ;;
esac
`

func (i image) path(name string) string { return filepath.Join(i.root, name) }

func (i image) write(name string, mode os.FileMode, content string) {
	i.t.Helper()
	require.NoError(i.t, os.MkdirAll(filepath.Dir(i.path(name)), 0o755))
	require.NoError(i.t, os.WriteFile(i.path(name), []byte(content), mode))
}

func (i image) read(name string) string {
	i.t.Helper()
	content, err := os.ReadFile(i.path(name))
	require.NoError(i.t, err)
	return string(content)
}

func TestInstallWithSystemd(t *testing.T) {
	t.Parallel()
	i := newImage(t, true)
	dry := i.ok("install", "--dry-run")
	assert.Contains(t, dry.Stdout, "would: systemctl enable emqxee-agent.service")
	assert.NoFileExists(t, i.path("/usr/local/bin/emqxee-agent"))
	assert.NoDirExists(t, i.home)
	assert.NoFileExists(t, i.path("systemctl.log"))

	for range 2 { // again changes nothing
		i.ok("install")
		same, err := exec.Command("cmp", i.program, i.path("/usr/local/bin/emqxee-agent")).CombinedOutput()
		require.NoError(t, err, "%s", same)
		unit := i.read("/etc/systemd/system/emqxee-agent.service")
		assert.Contains(t, unit, "\nExecStart=/usr/local/bin/emqxee-agent run --home /opt/emqxee-agent\n")
		assert.Contains(t, unit, "\nUser=root\n")
		assert.Contains(t, unit, "\nReadWritePaths=/opt/emqxee-agent\n")
	}
	assert.Equal(t, strings.Repeat("daemon-reload\nenable emqxee-agent.service\n", 2), i.read("systemctl.log"))
	info, err := os.Stat(i.home)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	i.ok("uninstall")
	for _, gone := range []string{"/etc/systemd/system/emqxee-agent.service", "/usr/local/bin/emqxee-agent"} {
		assert.NoFileExists(t, i.path(gone))
	}
	assert.DirExists(t, i.home)
	i.ok("uninstall", "--purge")
	assert.NoDirExists(t, i.home)
}

// A second agent has a directory of its own, and neither takes the service of the
// first nor its program away.
func TestInstallBesideAnother(t *testing.T) {
	t.Parallel()
	i := newImage(t, true)
	i.ok("install")
	unit := i.read("/etc/systemd/system/emqxee-agent.service")
	second := i.path("/srv/second")
	i.fails(1, "is there for the agent of /opt/emqxee-agent", "install", "--home", second)
	require.NoError(t, os.MkdirAll(second, 0o700))
	assert.Contains(t, i.ok("uninstall", "--purge", "--home", second).Stdout,
		"stay: they are of the agent of /opt/emqxee-agent")
	assert.NoDirExists(t, second)
	assert.FileExists(t, i.path("/usr/local/bin/emqxee-agent"))
	assert.Equal(t, unit, i.read("/etc/systemd/system/emqxee-agent.service"))
}

// The service is what start, stop, restart and status are about once it is there.
func TestServiceCommands(t *testing.T) {
	t.Parallel()
	i := newImage(t, true)
	i.ok("install")
	assert.Contains(t, i.ok("start").Stdout, "waits to be registered")
	assert.Contains(t, i.ok("start").Stdout, "runs already")
	i.fails(3, "waits to be registered", "status")
	before := i.read("pid")
	i.ok("restart")
	assert.NotEqual(t, before, i.read("pid"))
	i.ok("stop")
	i.fails(3, "does not run", "status")
	i.ok("start")
	i.ok("uninstall", "--purge")
	assert.NoFileExists(t, i.path("pid"))
}

func TestInstallForUserOfEMQX(t *testing.T) {
	t.Parallel()
	i := newImage(t, true)
	i.write("/etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\nemqx:x:1234:1235::/var/lib/emqx:/bin/sh\n")
	i.ok("install")
	assert.Contains(t, i.read("/etc/systemd/system/emqxee-agent.service"), "\nUser=emqx\nExecStart=")
	for _, part := range []string{"", "etc", "data", "log", "run"} {
		info, err := os.Stat(i.file(part))
		require.NoError(t, err)
		owner, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		assert.Equal(t, []uint32{1234, 1235}, []uint32{owner.Uid, owner.Gid}, part)
	}
}

func TestInstallWithoutSystemd(t *testing.T) {
	t.Parallel()
	i := newImage(t, false)
	r := i.ok("install")
	assert.Contains(t, r.Stdout, "nothing starts it after a reboot")
	assert.NoFileExists(t, i.path("/etc/systemd/system/emqxee-agent.service"))
	assert.FileExists(t, i.path("/usr/local/bin/emqxee-agent"))
}

func TestInstallTellsWhatSystemctlSays(t *testing.T) {
	t.Parallel()
	i := newImage(t, true)
	i.write("/bin/systemctl", 0o755, "#!/bin/sh\necho Access denied >&2\nexit 4\n")
	i.fails(1, "systemctl daemon-reload: exit status 4: Access denied", "install")
	require.NoError(t, os.Remove(i.path("/bin/systemctl")))
	i.environ[1] = "PATH=" + i.path("/bin")
	i.fails(1, "no systemctl on PATH", "install")
}

// systemd itself finds nothing wrong with the unit, and little that it leaves open.
func TestUnitIsVerified(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here: the unit is not verified; install systemd")
	}
	for _, home := range []string{"/opt/emqxee-agent", `/srv/a "b" 100%/agent`} {
		i := newImage(t, true)
		i.home = i.path(home)
		i.ok("install")
		content := strings.ReplaceAll(i.read("/etc/systemd/system/emqxee-agent.service"), "/usr/local/bin/emqxee-agent",
			i.program)
		unit := filepath.Join(t.TempDir(), "emqxee-agent.service")
		require.NoError(t, os.WriteFile(unit, []byte(content), 0o600))
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out), content)

		out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--no-pager", "--offline=true",
			"--threshold=30", unit).CombinedOutput()
		if err != nil && strings.Contains(string(out), "nrecognized option") {
			t.Skip("this systemd-analyze is older than 250: how much the unit leaves open is not looked at")
		}
		require.NoError(t, err, "%s", out)
	}
}
