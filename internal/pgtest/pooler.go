//go:build linux

package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// Pooler starts PgBouncer before the server, in transaction mode, and returns what makes
// the URL of a database one that leads through it. It has fewer connections to a
// database than clients have to it. The test is skipped where there is no PgBouncer.
func (s *Server) Pooler(t testing.TB) (through func(url string) string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer")
	}
	if err != nil {
		const missing = "pgbouncer is missing; on Debian: apt-get install pgbouncer"
		if os.Getenv(required) != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	dir, port := directory(t, "/dev/shm"), freePort(t)
	config := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `[databases]
* = host=127.0.0.1 port=%d user=openecp
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`, s.Port, port), 0o644))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, config)
	process, err := processtest.Begin(asOrdinary(cmd, dir))
	require.NoError(t, err)
	t.Cleanup(func() {
		process.Kill()
		if t.Failed() {
			t.Log(process)
		}
	})
	through = func(url string) string {
		return strings.Replace(url, fmt.Sprint(":", s.Port, "/"), fmt.Sprint(":", port, "/"), 1)
	}
	processtest.Eventually(t, patience, func() (bool, string) {
		if process.Ended() {
			t.Fatal(process)
		}
		err := s.askAt(t, through(s.URL("postgres")), "SELECT 1")
		return err == nil, fmt.Sprint(err)
	})
	return through
}
