package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// installs puts the packages into a Debian of their own: installed, upgraded, removed, purged.
func installs(t *testing.T, dir string) {
	if !long() {
		t.Skip("makes a Debian and takes minutes; run with OPENECP_LONG=1")
	}
	if os.Geteuid() != 0 {
		t.Skip("takes root")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skip("there is no debootstrap on this host; apt-get install debootstrap")
	}
	root := filepath.Join(t.TempDir(), "debian")
	t.Cleanup(func() { // what debootstrap mounts stays if it is killed, and the folder is removed next
		for _, mounted := range []string{"proc", "sys"} {
			_ = syscall.Unmount(filepath.Join(root, mounted), 0) // not mounted is as good
		}
	})
	_, err := output(t.Context(), dir, "debootstrap", "--variant=minbase", "stable", root)
	require.NoError(t, err)
	for _, name := range []string{"ecpd", "emqxee-agent"} {
		require.NoError(t, copyFile(one(t, dir, name+"_*_amd64.deb"), filepath.Join(root, name+".deb"), 0o644))
	}
	in := func(script string) string {
		t.Helper()
		text, err := exec.CommandContext(t.Context(), "chroot", root, "sh", "-ec", script).CombinedOutput()
		require.NoError(t, err, "%s: %s", script, text)
		return string(text)
	}

	assert.Contains(t, in("dpkg -i /ecpd.deb 2>&1"), "systemctl enable --now ecpd")
	assert.Contains(t, in("ls -l /etc/ecpd"), "-rw-r----- 1 root ecpd")
	in("su -s /bin/sh ecpd -c 'ecpd config check --config /etc/ecpd/ecpd.yaml --cluster-agent https://ecp.example.com'")
	in("echo '# mine' >>/etc/ecpd/ecpd.yaml; install -d -o ecpd -m 700 /var/lib/ecpd; echo ours >/var/lib/ecpd/x")
	assert.NotContains(t, in("dpkg -i /ecpd.deb 2>&1"), "systemctl enable", "an upgrade asks for nothing")
	assert.Contains(t, in("cat /etc/ecpd/ecpd.yaml; ls -l /etc/ecpd"), "# mine")
	in("dpkg -r ecpd; test ! -e /usr/bin/ecpd; grep -q mine /etc/ecpd/ecpd.yaml")
	assert.Contains(t, in("dpkg -P ecpd 2>&1"), "/var/lib/ecpd stays")
	in("test ! -e /etc/ecpd; grep -q ours /var/lib/ecpd/x")

	in("dpkg -i /emqxee-agent.deb; emqxee-agent version; test -d /opt/emqxee-agent")
	in("emqxee-agent start; dpkg -i /emqxee-agent.deb; emqxee-agent status || [ $? = 3 ]; emqxee-agent stop")
	in("dpkg -r emqxee-agent; test ! -e /usr/local/bin/emqxee-agent; test -d /opt/emqxee-agent")
	in("dpkg -P emqxee-agent; test ! -e /opt/emqxee-agent")
}
