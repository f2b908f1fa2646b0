package main_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// TestWatchExample follows a daemon with examples/watch, kills the daemon with
// SIGKILL and starts it again: no change is missed, and none is printed twice.
func TestWatchExample(t *testing.T) {
	t.Parallel()
	binary := processtest.Program(t, "./examples/watch")
	data := filepath.Join(t.TempDir(), "data")
	address := processtest.FreeAddress(t)
	d := dev(t, data, "--listen", address)
	id := d.create(t, "before", 1)
	d.reaches(t, id, "running")

	w := launchProgram(t, binary, t.TempDir(), nil, "--url", d.url, "--token-file", filepath.Join(data, "token"))
	says := func(pattern string) {
		t.Helper()
		re := regexp.MustCompile("(?m)" + pattern)
		processtest.Eventually(t, 30*time.Second, func() (bool, string) {
			return re.MatchString(w.Stdout.String()), pattern + ":\n" + w.Stdout.String() + w.Stderr.String()
		})
	}
	says(`^\(now\) +cluster +` + id + ` +running +before$`)
	d.call(t, "POST", "/api/v1/clusters/"+id+"/stop", "", nil, 202)
	d.Kill()
	d = dev(t, data, "--listen", address)
	d.reaches(t, id, "stopped")
	says(` cluster +` + id + ` +stopped +before$`)
	d.call(t, "DELETE", "/api/v1/clusters/"+id, "", nil, 202)
	says(` cluster +` + id + ` +deleted +before`)

	w.Signal(t, syscall.SIGINT)
	require.Zero(t, w.Wait(t, 10*time.Second))
	var printed []string
	for _, m := range regexp.MustCompile(`(?m)^20\S+ +(\d+) `).FindAllStringSubmatch(w.Stdout.String(), -1) {
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
	assert.True(t, strings.Contains(w.Stderr.String(), "trying again in"), w.Stderr.String())
	assert.NotContains(t, w.Stderr.String()+w.Stdout.String(), d.token)
}
