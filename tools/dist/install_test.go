package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// debian is a Debian of its own, in a folder.
type debian struct {
	t    *testing.T
	root string
}

// newDebian makes one, or skips the test where that cannot be done.
func newDebian(t *testing.T) debian {
	if !long() {
		t.Skip("makes a Debian and takes minutes; run with OPENECP_LONG=1")
	}
	if os.Geteuid() != 0 {
		t.Skip("takes root")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skip("there is no debootstrap on this host; apt-get install debootstrap")
	}
	d := debian{t: t, root: filepath.Join(t.TempDir(), "debian")}
	t.Cleanup(func() { // what debootstrap mounts stays if it is killed, and the folder is removed next
		for _, mounted := range []string{"proc", "sys"} {
			_ = syscall.Unmount(filepath.Join(d.root, mounted), 0) // not mounted is as good
		}
	})
	_, err := output(t.Context(), filepath.Dir(d.root), "debootstrap", "--variant=minbase", "stable", d.root)
	require.NoError(t, err)
	require.NoError(t, syscall.Mount("proc", filepath.Join(d.root, "proc"), "proc", 0, "")) // as on every host
	return d
}

// in runs a script there, and returns what it prints.
func (d debian) in(script string) string {
	d.t.Helper()
	text, err := exec.CommandContext(d.t.Context(), "chroot", d.root, "sh", "-ec", script).CombinedOutput()
	require.NoError(d.t, err, "%s: %s", script, text)
	return string(text)
}

// brings copies a file there.
func (d debian) brings(from, to string) {
	d.t.Helper()
	require.NoError(d.t, copyFile(from, filepath.Join(d.root, to), 0o644))
}

// packagesOf makes the packages for amd64, as those of a version.
func packagesOf(t *testing.T, version string) (dir string) {
	t.Helper()
	built := t.TempDir()
	r, err := describe(t.Context(), t.TempDir(), []string{"amd64"})
	require.NoError(t, err)
	r.version = version
	require.NoError(t, r.programs(t.Context(), built))
	require.NoError(t, r.agents(t.Context(), built))
	require.NoError(t, r.manuals(t.Context(), built))
	require.NoError(t, r.packages(t.Context(), built))
	return r.out
}

// checksSettings is what the daemon's user can do with the settings of the package.
const checksSettings = "ecpd config check --config /etc/ecpd/ecpd.yaml --cluster-agent https://ecp.example.com"

// TestInstalled puts the packages into a Debian of their own: installed, upgraded, removed,
// purged.
func TestInstalled(t *testing.T) {
	d := newDebian(t)
	was, will := packagesOf(t, "98.0.0"), packagesOf(t, "99.0.0")
	t.Run("deb", func(t *testing.T) { installsDeb(debian{t, d.root}, was, will) })
	t.Run("rpm", func(t *testing.T) { installsRPM(debian{t, d.root}, was, will) })
}

func installsDeb(d debian, dir, next string) {
	t := d.t
	for _, name := range []string{"ecpd", "emqxee-agent", "ecpctl"} {
		d.brings(one(t, dir, name+"_*_amd64.deb"), name+".deb")
		d.brings(one(t, next, name+"_*_amd64.deb"), name+"-next.deb")
	}
	assert.Contains(t, d.in("dpkg -i /ecpd.deb 2>&1"), "systemctl enable --now ecpd")
	assert.Contains(t, d.in("ls -l /etc/ecpd"), "-rw-r----- 1 root ecpd")
	d.in("su -s /bin/sh ecpd -c '" + checksSettings + "'")
	d.in("echo '# mine' >>/etc/ecpd/ecpd.yaml; install -d -o ecpd -m 700 /var/lib/ecpd; echo ours >/var/lib/ecpd/x")
	assert.NotContains(t, d.in("dpkg -i /ecpd-next.deb 2>&1"), "systemctl enable", "an upgrade asks for nothing")
	assert.Contains(t, d.in("ecpd version"), "99.0.0")
	assert.Contains(t, d.in("cat /etc/ecpd/ecpd.yaml; ls -l /etc/ecpd"), "# mine")
	d.in("dpkg -r ecpd; test ! -e /usr/bin/ecpd; grep -q mine /etc/ecpd/ecpd.yaml")
	assert.Contains(t, d.in("dpkg -P ecpd 2>&1"), "/var/lib/ecpd stays")
	d.in("test ! -e /etc/ecpd; grep -q ours /var/lib/ecpd/x")

	d.in("dpkg -i /emqxee-agent.deb; emqxee-agent version; test -d /opt/emqxee-agent")
	d.in("emqxee-agent start; dpkg -i /emqxee-agent-next.deb; emqxee-agent status || [ $? = 3 ]; emqxee-agent stop")
	assert.Contains(t, d.in("dpkg -s emqxee-agent"), "\nVersion: 99.0.0\n")
	d.in("dpkg -r emqxee-agent; test ! -e /usr/local/bin/emqxee-agent; test -d /opt/emqxee-agent")
	d.in("dpkg -P emqxee-agent; test ! -e /opt/emqxee-agent")

	d.in("dpkg -i /ecpctl.deb; ecpctl version --client; kubectl-openecp version --client")
	d.commandLine("/usr/share/zsh/vendor-completions/_ecpctl")
	d.in("dpkg -i /ecpctl-next.deb")
	assert.Contains(t, d.in("ecpctl version --client"), "99.0.0")
	d.in("dpkg -P ecpctl; test ! -e /usr/bin/ecpctl; test ! -e /usr/bin/kubectl-openecp")
	assert.Empty(t, d.in("find / -xdev -name '*ecpctl*' ! -name '*.deb'"), "nothing is left")
}

// commandLine looks for manuals and completions, and lets a shell read its own.
func (d debian) commandLine(zsh string) {
	d.t.Helper()
	d.in("test -s " + zsh + "; test -s /usr/share/fish/vendor_completions.d/ecpctl.fish")
	assert.Contains(d.t, d.in("bash -c '. /usr/share/bash-completion/completions/ecpctl; complete -p ecpctl'"),
		"__start_ecpctl ecpctl")
	assert.Contains(d.t, d.in("gzip -dc /usr/share/man/man1/ecpctl.1.gz"), `.TH "ECPCTL"`)
	d.in("for page in /usr/share/man/man1/ecpctl*.gz; do gzip -dc $page | grep -q '^\\.SH NAME'; done")
}

// needsRPM skips a test on hosts without rpm.
func needsRPM(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("there is no rpm on this host; apt-get install rpm")
	}
}

// rpmFiles are what the three packages put where, as rpm tells it: mode, owner, group, flags
// (c is a file of settings, n one that an upgrade does not replace) and name. What makes the
// packages gives links no mode, and nobody looks at it.
var rpmFiles = map[string][]string{
	"ecpd": {
		"-rwxr-xr-x root root  /usr/bin/ecpd", "-rw-r--r-- root root  /usr/lib/systemd/system/ecpd.service",
		"drwxr-x--- root root  /etc/ecpd", "-rw-r----- root root cn /etc/ecpd/ecpd.yaml",
		"-rwxr-xr-x root root  /usr/lib/ecpd/agents/emqxee-agent-linux-amd64",
		"-rw-r--r-- root root  /usr/lib/ecpd/agents/SHA256SUMS", "-rw-r--r-- root root  /usr/share/doc/ecpd/copyright",
		"-rw-r--r-- root root  /usr/share/ecpd/kubernetes/rights.yaml", "drwxr-xr-x root root  /usr/share/ecpd",
	},
	"emqxee-agent": {"-rwxr-xr-x root root  /usr/lib/emqxee-agent/emqxee-agent"},
	"ecpctl": {
		"-rwxr-xr-x root root  /usr/bin/ecpctl", "l--------- root root  /usr/bin/kubectl-openecp",
		"l--------- root root  /usr/bin/kubectl_complete-openecp",
		"-rw-r--r-- root root  /usr/share/bash-completion/completions/ecpctl",
		"-rw-r--r-- root root  /usr/share/zsh/site-functions/_ecpctl",
		"-rw-r--r-- root root  /usr/share/fish/vendor_completions.d/ecpctl.fish",
		"-rw-r--r-- root root  /usr/share/man/man1/ecpctl-cluster-create.1.gz",
	},
}

// rpmsAreWhole looks at what is in the packages with rpm itself.
func rpmsAreWhole(t *testing.T, dir string) {
	needsRPM(t)
	for name, want := range rpmFiles {
		query := func(args ...string) string {
			t.Helper()
			text, err := output(t.Context(), dir, append(append([]string{"rpm", "--query"}, args...), "--package",
				one(t, dir, name+"-[0-9]*.x86_64.rpm"))...)
			require.NoError(t, err)
			return text
		}
		files := query("--queryformat",
			`[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILEFLAGS:fflags} %{FILENAMES}\n]`)
		for _, line := range want {
			assert.Contains(t, files+"\n", line+"\n")
		}
		assert.Empty(t, openFiles.FindAllString(files, -1), "only root writes")
		assert.NotContains(t, query("--requires"), "systemd")
		if name == "ecpd" {
			assert.Contains(t, query("--requires"), "shadow-utils")
			assert.Contains(t, query("--scripts"), "useradd --system --user-group")
		}
		for _, tag := range []string{"%{LICENSE} Apache-2.0", "%{VENDOR} OpenECP", "%{BUILDHOST} openecp"} {
			tag, value, _ := strings.Cut(tag, " ")
			assert.Equal(t, value, query("--queryformat", tag), tag)
		}
		_, err := output(t.Context(), dir, "rpm", "--checksig", "--nosignature", one(t, dir, name+"-[0-9]*.x86_64.rpm"))
		assert.NoError(t, err, "the digests are right")
	}
}

// openFiles are lines of files that not only their owner may write.
var openFiles = regexp.MustCompile(`(?m)^[-d](....w|.......w).*$`)

// installsRPM does with rpm what installsDeb does with dpkg. rpm's record is empty there, so that
// it is told not to look for what packages need; their scripts find it.
func installsRPM(d debian, dir, next string) {
	t := d.t
	needsRPM(t)
	rpm := func(args ...string) string {
		t.Helper()
		args = append([]string{"--root", d.root, "--dbpath", "/var/lib/rpm"}, args...)
		cmd := exec.CommandContext(t.Context(), "rpm", args...)
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "rpm %s: %s", strings.Join(args, " "), text)
		return string(text)
	}
	was := func(name string) string { return one(t, dir, name+"-[0-9]*.x86_64.rpm") }
	will := func(name string) string { return one(t, next, name+"-[0-9]*.x86_64.rpm") }
	rpm("--initdb")
	d.in("userdel ecpd 2>/dev/null || true; rm -rf /var/lib/ecpd")

	assert.Contains(t, rpm("--install", "--nodeps", was("ecpd")), "systemctl enable --now ecpd")
	assert.Contains(t, d.in("ls -l /etc/ecpd"), "-rw-r----- 1 root ecpd")
	assert.Contains(t, d.in("ls -ld /etc/ecpd"), "drwxr-x--- 2 root ecpd")
	assert.Regexp(t, `^ecpd:x:\d+:\d+::/var/lib/ecpd:/usr/sbin/nologin\n$`, d.in("getent passwd ecpd"))
	d.in("su -s /bin/sh ecpd -c '" + checksSettings + "'")
	d.in("echo '# mine' >>/etc/ecpd/ecpd.yaml; install -d -o ecpd -m 700 /var/lib/ecpd; echo ours >/var/lib/ecpd/x")
	assert.NotContains(t, rpm("--upgrade", "--nodeps", will("ecpd")), "systemctl enable", "an upgrade asks for nothing")
	assert.Contains(t, d.in("ecpd version"), "99.0.0")
	d.in("su -s /bin/sh ecpd -c 'grep -q mine /etc/ecpd/ecpd.yaml'")
	rpm("--erase", "ecpd")
	d.in("test ! -e /usr/bin/ecpd; grep -q mine /etc/ecpd/ecpd.yaml.rpmsave; grep -q ours /var/lib/ecpd/x")
	d.in("for dir in lib share share/doc; do test ! -e /usr/$dir/ecpd; done")

	rpm("--install", "--nodeps", was("emqxee-agent"))
	d.in("emqxee-agent version; test -d /opt/emqxee-agent; emqxee-agent start")
	rpm("--upgrade", "--nodeps", will("emqxee-agent"))
	d.in("emqxee-agent status || [ $? = 3 ]; emqxee-agent stop; test -e /usr/local/bin/emqxee-agent")
	assert.Equal(t, "99.0.0", rpm("--query", "--queryformat", "%{VERSION}", "emqxee-agent"))
	rpm("--erase", "emqxee-agent")
	d.in("test ! -e /usr/local/bin/emqxee-agent; test ! -e /usr/lib/emqxee-agent; test -d /opt/emqxee-agent")

	rpm("--install", "--nodeps", was("ecpctl"))
	d.in("ecpctl version --client; kubectl-openecp version --client")
	d.commandLine("/usr/share/zsh/site-functions/_ecpctl")
	assert.Empty(t, rpm("--verify", "--nodeps", "ecpctl"), "what is there is what was packed")
	rpm("--upgrade", "--nodeps", will("ecpctl"))
	rpm("--erase", "ecpctl")
	assert.Empty(t, d.in("find / -xdev -path /var/lib/rpm -prune -o -name '*ecpctl*' ! -name '*.deb' -print"),
		"nothing is left")
}
