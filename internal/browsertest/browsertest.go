// Package browsertest starts the headless browser that tests open pages in.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// required makes a missing browser a failure instead of a skipped test.
const required = "OPENECP_REQUIRE_BROWSER"

// missing tells how to get the browser.
const missing = "chromium is missing; on Debian: apt-get install chromium"

// farewell is how long processes of the browser may outlive it.
const farewell = 10 * time.Second

// Command returns a headless Chromium with a profile of its own, not started
// yet. The caller waits for its end before the test is over. The test is skipped
// where there is no browser, unless OPENECP_REQUIRE_BROWSER is set.
func Command(ctx context.Context, t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv(required) != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	cmd := exec.CommandContext(ctx, program, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--no-proxy-server",
		"--user-data-dir=" + profile(t),
	}, args...)...)
	cmd.WaitDelay = time.Second // its own children may hold the pipe
	return cmd
}

// profile returns a directory that is removed when the test is over. Processes
// that the browser has started outlive it for a moment and write there, which
// t.TempDir takes for a failure of the test.
func profile(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "openecp-chromium-")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, farewell, 20*time.Millisecond,
			"processes of the browser go on writing to %s", dir)
	})
	return dir
}
