package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// ownMounts returns the flags with which unshare runs a program that can mount
// what it likes; the test is skipped where that is not allowed.
func ownMounts(t *testing.T) []string {
	t.Helper()
	flags := []string{"-m"}
	if os.Geteuid() != 0 {
		flags = []string{"-Urm"}
	}
	if out, err := exec.Command("unshare", append(flags, "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of our own: %v %s", err, out)
	}
	return flags
}

// TestFullDisk fills the disk under a running daemon: /readyz fails, users are
// shown no path, and the daemon goes on when there is space again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	own := ownMounts(t)
	data := t.TempDir()
	const mount = `mount -t tmpfs -o size=3m none "$0" && exec "$@"`
	args := append(own, "sh", "-c", mount, data, built(t), "serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir",
		data)
	p := launchProgram(t, "unshare", t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=0123456789abcdef"}, args...)
	d := client(t, p, p.Line(t, readyLine), "0123456789abcdef")
	d.call(t, http.MethodGet, "/readyz", "", nil, http.StatusOK)

	inside := filepath.Join("/proc", fmt.Sprint(p.PID()), "root", data)
	filler, err := os.Create(filepath.Join(inside, "filler"))
	require.NoError(t, err)
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	require.NoError(t, filler.Close())

	var refused answer
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		body := fmt.Sprintf(`{"path":"default/p%d","description":%q}`, time.Now().UnixNano(), strings.Repeat("x", 400))
		refused, err = d.try(http.MethodPost, "/api/v1/projects", body)
		require.NoError(t, err)
		return refused.status == http.StatusServiceUnavailable, fmt.Sprint(refused.status, " ", string(refused.body))
	})
	require.Contains(t, string(refused.body), "full")
	require.NotContains(t, string(refused.body), data)
	a, err := d.try(http.MethodGet, "/readyz", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	d.Logs(t, "the database cannot be written")

	require.NoError(t, os.Remove(filler.Name()))
	d.call(t, http.MethodGet, "/readyz", "", nil, http.StatusOK)
	d.call(t, http.MethodPost, "/api/v1/projects", `{"path":"default/after"}`, nil, http.StatusCreated)
	d.Terminate(t)
}

// TestFewFiles starts the daemon with a limit that it cannot work with for long.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	p := launchProgram(t, "sh", t.TempDir(), nil, "-c", `ulimit -n 64 && exec "$@"`, "sh", built(t), "serve", "--dev",
		"--listen", "127.0.0.1:0")
	p.Line(t, readyLine)
	p.Logs(t, "few files may be open at once")
}
