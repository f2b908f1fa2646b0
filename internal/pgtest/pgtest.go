//go:build linux

// Package pgtest starts PostgreSQL for tests: a real server of Debian's packages, as
// an ordinary user, in a directory of its own that goes with the test.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// required makes a missing server a failure instead of a skipped test.
const required = "OPENECP_REQUIRE_POSTGRES"

// patience bounds how long a server may take to start, on a busy machine.
const patience = 2 * time.Minute

// Server is a PostgreSQL server that runs, or was stopped for a while. Its superuser is
// openecp, whom it lets in from this machine without a password.
type Server struct {
	// Dir holds its files; Port is where it listens, on 127.0.0.1.
	Dir  string
	Port int

	bin      string
	settings []string
	process  *processtest.Process

	mu   sync.Mutex
	made int                // guarded by mu
	free []string           // guarded by mu; databases that tests have given back
	dbs  map[string]*sql.DB // guarded by mu; connections of tests' own, by URL
}

// Start starts a server with settings of its own, each as NAME=VALUE, and ends it with
// the test. What it holds does not survive the machine, as no test needs that, but with
// fsync=on. The test is skipped where there is no PostgreSQL, unless
// OPENECP_REQUIRE_POSTGRES is set.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	fast := "/dev/shm"
	if slices.Contains(settings, "fsync=on") {
		fast = ""
	}
	s := &Server{bin: programs(t), Dir: directory(t, fast), Port: freePort(t), dbs: map[string]*sql.DB{}}
	s.settings = append([]string{"fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=",
		"max_connections=60", "shared_buffers=32MB", "timezone=UTC"}, settings...)
	s.run(t, "initdb", "--pgdata", s.data(), "--username=openecp", "--auth=trust", "--encoding=UTF8", "--locale=C",
		"--no-sync", "--no-instructions")
	s.start(t)
	return s
}

// start runs the server until the test is over.
func (s *Server) start(t testing.TB) {
	t.Helper()
	s.Run(t)
	t.Cleanup(func() {
		for _, db := range s.dbs {
			_ = db.Close() // nothing is held that matters
		}
		s.process.End(syscall.SIGQUIT)
		if t.Failed() {
			t.Log(s.process)
		}
	})
}

// Replica starts a second server that has what this one has acknowledged (synchronous
// streaming replication), and ends it with the test.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	r := &Server{bin: s.bin, Dir: directory(t, "/dev/shm"), Port: freePort(t), dbs: map[string]*sql.DB{},
		settings: s.settings}
	r.run(t, "pg_basebackup", "--pgdata", r.data(), "--host=127.0.0.1", fmt.Sprint("--port=", s.Port),
		"--username=openecp", "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	r.start(t)
	s.Ask(t, s.URL("postgres"), "ALTER SYSTEM SET synchronous_standby_names = '*'")
	s.Ask(t, s.URL("postgres"), "SELECT pg_reload_conf()")
	processtest.Eventually(t, patience, func() (bool, string) {
		err := s.askAt(t, s.URL("postgres"), "SELECT 1 / count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
		return err == nil, fmt.Sprint("no replica is in step: ", err)
	})
	return r
}

// Promote makes a replica take writes.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Ask(t, s.URL("postgres"), "SELECT pg_promote()")
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// Run starts the server again after End.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.Port)}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	var err error
	s.process, err = processtest.Begin(s.command(t, "postgres", args...))
	require.NoError(t, err)
	processtest.Eventually(t, patience, func() (bool, string) {
		if s.process.Ended() {
			t.Fatal(s.process)
		}
		err := s.ask(t, "postgres", "SELECT 1")
		return err == nil, fmt.Sprint(err)
	})
}

// End ends the server at once, as if its machine had failed; the data are there when
// it runs again.
func (s *Server) End() { s.process.End(syscall.SIGQUIT) }

// Signal sends a signal to the server, such as SIGSTOP, which new connections wait for.
func (s *Server) Signal(t testing.TB, signal syscall.Signal) { s.process.Signal(t, signal) }

// Database returns the URL of an empty database, which goes back with the test: that is
// cheaper than to make one for each.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := s.take()
	if name == "" {
		s.mu.Lock()
		s.made++
		name = fmt.Sprint("test", s.made)
		s.mu.Unlock()
		require.NoError(t, s.ask(t, "postgres", "CREATE DATABASE "+name))
	}
	t.Cleanup(func() {
		if s.process.Ended() {
			return
		}
		require.NoError(t, s.ask(t, name, "DROP SCHEMA IF EXISTS openecp CASCADE"))
		require.NoError(t, s.ask(t, name, "ALTER DATABASE "+name+" RESET ALL"))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = append(s.free, name)
	})
	return s.URL(name)
}

func (s *Server) take() (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		name, s.free = s.free[n-1], s.free[:n-1]
	}
	return name
}

// Programs is the folder of PostgreSQL's programs.
func (s *Server) Programs() string { return s.bin }

// URL is that of a database.
func (s *Server) URL(name string) string { return s.at(s.Port, name) }

func (s *Server) at(port int, name string) string {
	u := url.URL{Scheme: "postgres", User: url.User("openecp"), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path: name, RawQuery: "sslmode=disable"}
	return u.String()
}

// Ask carries out a statement in the database at a URL.
func (s *Server) Ask(t testing.TB, url, text string) {
	t.Helper()
	require.NoError(t, s.askAt(t, url, text))
}

func (s *Server) ask(t testing.TB, name, text string) error {
	t.Helper()
	return s.askAt(t, s.URL(name), text)
}

// askAt keeps its connection: a server makes a process for each.
func (s *Server) askAt(t testing.TB, url, text string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	s.mu.Lock()
	db := s.dbs[url]
	if db == nil {
		var err error
		if db, err = sql.Open("pgx", url+"&default_query_exec_mode=exec"); err != nil {
			s.mu.Unlock()
			return err
		}
		db.SetMaxOpenConns(1)
		s.dbs[url] = db
	}
	s.mu.Unlock()
	_, err := db.ExecContext(ctx, text)
	return err
}

// run carries out one of PostgreSQL's programs.
func (s *Server) run(t testing.TB, program string, args ...string) {
	t.Helper()
	out, err := s.command(t, program, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", program, out)
}

func (s *Server) command(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(s.bin, program), args...)
	return asOrdinary(cmd, s.Dir)
}

// asOrdinary makes a command that root starts one of an ordinary user: the server
// refuses to be root's.
func asOrdinary(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	switch uid, gid, root := ordinary(); {
	case root && alone():
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}}
	case root:
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return cmd
}

// alone reports whether root is the only user there is, as in the user namespace of
// somebody who is not root outside: it then starts servers as itself under another
// number.
func alone() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	f := strings.Fields(string(b))
	return err == nil && len(f) == 3 && f[2] == "1"
}

// ordinary is whom root starts servers as.
func ordinary() (uid, gid uint32, root bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 65534, 65534, true // nobody, everywhere on Linux
	}
	id, _ := strconv.ParseUint(u.Uid, 10, 32)
	group, _ := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(id), uint32(group), true
}

// programs is where the newest PostgreSQL is.
func programs(t testing.TB) string {
	t.Helper()
	const missing = "PostgreSQL is missing; on Debian: apt-get install postgresql"
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is right
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	if program, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(program)
	}
	if os.Getenv(required) != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// directory belongs to the user of the server.
func directory(t testing.TB, parent string) string {
	t.Helper()
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "pg")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	if uid, gid, root := ordinary(); root && !alone() {
		require.NoError(t, os.Chown(dir, int(uid), int(gid)))
	}
	return dir
}

func freePort(t testing.TB) int {
	t.Helper()
	return int(netip.MustParseAddrPort(processtest.FreeAddress(t)).Port())
}
