package faulttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// observed is what was seen in all rows, for the log.
var observed struct {
	mu    sync.Mutex
	lines []string
}

// noted takes down a line of the table.
func noted(t *testing.T, s sight, took, meant time.Duration) {
	observed.mu.Lock()
	defer observed.mu.Unlock()
	reason := ""
	if s.reason != "AsExpected" {
		reason = "/" + string(s.reason)
	}
	observed.lines = append(observed.lines, fmt.Sprintf("%-52s %s%s after %.1f s (%v are meant for it)",
		strings.TrimPrefix(t.Name(), "TestFaults/"), s.state, reason, took.Seconds(), meant))
}

// footprint is what a process holds, but for its database.
type footprint struct{ sockets, files, rssKiB int }

func footprintOf(t *testing.T, pid int) (f footprint) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	require.NoError(t, err)
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			f.rssKiB, err = strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			require.NoError(t, err)
		}
	}
	for _, file := range files {
		name, err := os.Readlink(filepath.Join(proc, "fd", file.Name()))
		switch {
		case err != nil: // it is closed by now
		case strings.HasPrefix(name, "socket:"):
			f.sockets++
		case strings.Contains(name, ".db"): // of the database, as many as were ever needed at once
		default:
			f.files++
		}
	}
	return f
}

// row is one fault.
type row struct {
	name string
	run  func(*testing.T, *server)
	long bool // it waits for more than half a minute
}

// long reports whether the long drills are run, too.
func long() bool { return os.Getenv("OPENECP_LONG") != "" }

// TestFaults is the table: each row starts from running, breaks one thing, and says
// what is shown and when, and that it mends.
func TestFaults(t *testing.T) {
	if noWorld != "" {
		t.Skip(noWorld)
	}
	t.Parallel()
	s := startServer(t, 18443)
	before := footprintOf(t, s.process.PID())
	together(t, rows, s)
	observed.mu.Lock()
	t.Logf("seen:\n%s", strings.Join(observed.lines, "\n"))
	observed.mu.Unlock()
	noneLeft(t, s, before)
}

// together runs rows at the same time, since nearly all that they do is to wait: more
// of them than -parallel would allow.
func together(t *testing.T, rows []row, s *server) {
	t.Helper()
	var all sync.WaitGroup
	for _, r := range rows {
		if r.long && !long() {
			continue
		}
		all.Go(func() { t.Run(r.name, func(t *testing.T) { r.run(t, s) }) })
	}
	all.Wait()
}

// noneLeft says that the daemon holds what it held before there was any agent: those
// of the rows have ended.
func noneLeft(t *testing.T, s *server, before footprint) {
	t.Helper()
	var after footprint
	within(t, 20*time.Second, func() (bool, string) {
		after = footprintOf(t, s.process.PID())
		return after.sockets <= before.sockets+1 && after.files <= before.files+2, fmt.Sprintf("before %+v, after %+v",
			before, after)
	})
	t.Logf("the daemon: %+v before, %+v after", before, after)
	require.Less(t, after.rssKiB, before.rssKiB+64<<10, "KiB")
}
