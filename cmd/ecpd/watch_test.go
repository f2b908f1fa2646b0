package main_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWatchExample follows a daemon with examples/watch, kills the daemon with
// SIGKILL and starts it again: no change is missed, and none is printed twice.
func TestWatchExample(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "watch")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../examples/watch").CombinedOutput()
	require.NoError(t, err, "%s", out)
	data := filepath.Join(t.TempDir(), "data")
	address := net.JoinHostPort("127.0.0.1", freePort(t))
	d := dev(t, data, "--listen", address)
	id := d.create(t, "before", 1)
	d.reaches(t, id, "running")

	w := launchProgram(t, binary, t.TempDir(), nil, "--url", d.url, "--token-file", filepath.Join(data, "token"))
	says := func(pattern string) {
		t.Helper()
		re := regexp.MustCompile("(?m)" + pattern)
		eventually(t, 30*time.Second, func() (bool, string) {
			return re.MatchString(w.stdout.String()), pattern + ":\n" + w.stdout.String() + w.stderr.String()
		})
	}
	says(`^\(now\) +cluster +` + id + ` +running +before$`)
	d.call(t, "POST", "/api/v1/clusters/"+id+"/stop", "", nil, 202)
	d.kill()
	d = dev(t, data, "--listen", address)
	d.reaches(t, id, "stopped")
	says(` cluster +` + id + ` +stopped +before$`)
	d.call(t, "DELETE", "/api/v1/clusters/"+id, "", nil, 202)
	says(` cluster +` + id + ` +deleted +before`)

	require.NoError(t, w.cmd.Process.Signal(syscall.SIGINT))
	require.Zero(t, w.wait(t, 10*time.Second))
	var printed []string
	for _, m := range regexp.MustCompile(`(?m)^20\S+ +(\d+) `).FindAllStringSubmatch(w.stdout.String(), -1) {
		printed = append(printed, m[1])
	}
	require.NotEmpty(t, printed)
	first, err := strconv.Atoi(printed[0])
	require.NoError(t, err)
	again := d.stream(t, "?since="+strconv.Itoa(first-1))
	var happened []string
	for again.Scan() && len(happened) < len(printed) {
		if seq, ok := strings.CutPrefix(again.Text(), "id: "); ok && seq != strconv.Itoa(first-1) {
			happened = append(happened, seq)
		}
	}
	assert.Equal(t, happened, printed, "what was printed over two connections is what one gives")
	assert.True(t, strings.Contains(w.stderr.String(), "trying again in"), w.stderr.String())
	assert.NotContains(t, w.stderr.String()+w.stdout.String(), d.token)
}
