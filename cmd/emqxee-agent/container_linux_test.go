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

	"github.com/openecp/openecp/emqxsim"
)

// containerSetup makes a file system that is read-only but for the volume of EMQX,
// and runs the script of its second argument in it as EMQX's user: process 1 is not
// systemd, and nobody waits for orphans there.
const containerSetup = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /opt
mkdir -p /opt/emqx/data
mount --bind "$1" /opt/emqx/data
mount -o remount,ro /opt
mount -o remount,bind,ro / 2>/dev/null || mount -o remount,ro /
mount -t tmpfs tmpfs /tmp
mount -o remount,ro /tmp
exec setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs env -i PATH=/usr/bin:/bin HOME=/opt/emqx dash -c "$2"
`

// containerScript is what the guide for containers has people paste, and what they
// may do later.
const containerScript = `set -u
cd /opt/emqx/data/emqxee-agent
if touch /usr/local/bin/x 2>/dev/null || touch /opt/x 2>/dev/null || touch /tmp/x 2>/dev/null; then echo "the root is not read-only"; exit 99; fi
./emqxee-agent start || exit 10
./emqxee-agent status; [ $? = 3 ] || exit 11
$REGISTER || exit 12
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ./emqxee-agent status >status 2>&1 && break; timeout 0.5 tail -f /dev/null; done
./emqxee-agent status || exit 13
./emqxee-agent doctor || exit 14
./emqxee-agent install || exit 15
./emqxee-agent restart || exit 16
./emqxee-agent stop || exit 17
./emqxee-agent status; [ $? = 3 ] || exit 18
./emqxee-agent start || exit 19
./emqxee-agent unregister || exit 20
./emqxee-agent uninstall --purge || exit 21
[ ! -e /opt/emqx/data/emqxee-agent ] || exit 22
`

// Inside EMQX's own container: user 1000, dash, no systemd, a root that cannot be
// written, and everything under the data volume.
func TestContainer(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace with a read-only root needs root's rights; run the tests as root")
	}
	for _, tool := range []string{"unshare", "setpriv", "dash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here: the container variant is not tested", tool)
		}
	}
	if out, err := exec.Command("unshare", "-m", "-p", "-f", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount and process namespaces here: %v: %s", err, out)
	}
	w, b := newWorld(t, nil), newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	data := t.TempDir()
	program, err := os.ReadFile(built(t))
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(data, "emqxee-agent"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(data, "emqxee-agent/emqxee-agent"), program, 0o755))
	for _, name := range []string{"", "emqxee-agent", "emqxee-agent/emqxee-agent"} {
		require.NoError(t, os.Chown(filepath.Join(data, name), 1000, 1000))
	}
	register := "env EMQXEE_AGENT_REGISTRATION_TOKEN=" + w.token() + " ./emqxee-agent register --url " + w.url +
		" --ca-sha256 " + w.pin + " " + strings.Join(b.flags(), " ")
	cmd := exec.Command("unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", containerSetup,
		"setup",
		data, strings.ReplaceAll(containerScript, "$REGISTER", register))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	assert.Contains(t, string(out), "using /opt/emqx/data/emqxee-agent", "it says where its files are")
	assert.Contains(t, string(out), "no service: systemd does not run here")
	w.nobody()
	left, err := os.ReadDir(data)
	require.NoError(t, err)
	assert.Empty(t, left)
}
