package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
)

// TestPostgres runs daemons with their database on a server.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"a second daemon stands by": standsBy, "there and back again": migrates, "docs/ha.md": asDocumented,
		"what cannot be": wrongDatabase, "two at once": worksTogether, "two Managers": twins,
		"agents of two":             agentsAcross,
		"cut from one another":      cutApart,
		"a key that is lost":        lostKey,
		"its server leaves two":     serverLeaves,
		"a key is replaced":         keyIsReplaced,
		"a key that some know":      keyIsUnknown,
		"asked to end at its start": endsWhileItStarts,
		"what cannot be of several": wrongPeers, "a server that is away": waitsForServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server)
		})
	}
}

// standby starts a daemon that finds the database taken.
func standby(t *testing.T, dir, url string) *daemon {
	t.Helper()
	address := processtest.FreeAddress(t)
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	require.NoError(t, err)
	p := launch(t, t.TempDir(), nil, "serve", "--dev", "--listen", address, "--data-dir", dir, "--database", url)
	d := client(t, p, "http://"+address, strings.TrimSpace(string(token)))
	for path, wanted := range map[string]struct {
		status int
		says   string
	}{
		"/healthz": {200, "ok"}, "/readyz": {503, "another process has the database"},
		"/api/v1/clusters": {503, `"code":"unavailable"`},
	} {
		processtest.Eventually(t, time.Minute, func() (bool, string) {
			a, err := d.try("GET", path, "")
			return err == nil && a.status == wanted.status && strings.Contains(string(a.body), wanted.says),
				fmt.Sprint(err, a.status, string(a.body), p)
		})
	}
	return d
}

// works waits until a daemon has the database.
func (d *daemon) works(t *testing.T) {
	t.Helper()
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		a, err := d.try("GET", "/readyz", "")
		return err == nil && a.status == 200, fmt.Sprint(err, a.status, string(a.body), d.process)
	})
}

func standsBy(t *testing.T, server *pgtest.Server) {
	dir, url := filepath.Join(t.TempDir(), "data"), server.Database(t)
	one := dev(t, dir, "--database", url)
	id := one.create(t, "first", 2)
	one.reaches(t, id, "running")
	two := standby(t, dir, url)

	// A graceful end hands over at once.
	code, _ := one.Terminate(t)
	require.Zero(t, code)
	two.works(t)
	two.reaches(t, id, "running")
	second := two.create(t, "second", 1)
	two.reaches(t, second, "running")

	// One that is stopped is overtaken, and says so when it goes on.
	three := standby(t, dir, url)
	two.Signal(t, syscall.SIGSTOP)
	three.works(t)
	three.call(t, "POST", "/api/v1/clusters/"+second+"/stop", "", nil, 202)
	three.reaches(t, second, "stopped")
	two.Signal(t, syscall.SIGCONT)
	require.Equal(t, 1, two.Wait(t, time.Minute))
	require.Contains(t, two.Stderr.String(), "another daemon has taken the database over")
	three.reaches(t, id, "running")

	// A standby ends when it is told to.
	four := standby(t, dir, url)
	code, _ = four.Terminate(t)
	require.Zero(t, code)
	code, _ = three.Terminate(t)
	require.Zero(t, code)
}

func migrates(t *testing.T, server *pgtest.Server) {
	dir, url := filepath.Join(t.TempDir(), "data"), server.Database(t)
	migrate := func(code int, from, to string) string {
		t.Helper()
		r := processtest.Run(t, exec.Command(built(t), "migrate", from, to))
		require.Equal(t, code, r.Code, r)
		return r.Stdout + r.Stderr
	}
	require.Contains(t, migrate(1, dir, url), "there is no database of OpenECP in "+dir)
	d := dev(t, dir)
	id := d.create(t, "moves", 1)
	d.reaches(t, id, "running")
	require.Contains(t, migrate(1, dir, url), "stop the daemon first")
	code, _ := d.Terminate(t)
	require.Zero(t, code)

	require.Regexp(t, `^copied \d+ records, of which 1 clusters; SHA-256 of both sides [0-9a-f]{64}\n$`,
		migrate(0, dir, url))
	require.Contains(t, migrate(1, dir, url), "is not empty, and nothing is written over it")
	file := filepath.Join(dir, "ecpd.db")
	require.NoError(t, os.Rename(file, file+".old"))
	d = dev(t, dir, "--database", url)
	d.reaches(t, id, "running")
	r := processtest.Run(t, exec.Command(built(t), "backup", "--dev", "--data-dir", dir, "--database", url, "x.db"))
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Stderr, "pg_dump")
	token := processtest.Run(t, exec.Command(built(t), "token", "create", "--name", "by-hand", "--role", "system",
		"--data-dir", dir, "--database", url))
	require.Zero(t, token.Code, token)
	d.token = strings.TrimSpace(token.Stdout)
	d.cluster(t, id) // it works at once, beside the daemon that runs
	code, _ = d.Terminate(t)
	require.Zero(t, code)

	migrate(0, url, dir)
	d = dev(t, dir)
	d.reaches(t, id, "running")
}

// asDocumented runs the commands of the document as they stand there, on this machine.
func asDocumented(t *testing.T, server *pgtest.Server) {
	text, err := os.ReadFile("../../docs/ha.md")
	require.NoError(t, err)
	dir := t.TempDir()
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("of no use: the server trusts\n"), 0o600))
	at := fmt.Sprint("127.0.0.1:", server.Port)
	keys := filepath.Join(dir, "keys")
	here := strings.NewReplacer("db1.example.com,db2.example.com", at, "db1.example.com", at, "verify-full", "disable",
		"/etc/ecpd/database-password", password, "/var/lib/ecpd", data, "ecpd --database", built(t)+
			" --listen 127.0.0.1:0 --data-dir "+data+" --database", "ecpd migrate", built(t)+" migrate",
		"/etc/ecpd/secrets-keys", keys, "10.0.0.1:18190", "127.0.0.1:0")
	ecpctl := filepath.Dir(processtest.Program(t, "./cmd/ecpctl"))
	const token = "only-for-tests-0123456789abcdef"
	var together *process
	asked, ran := "", 0
	first := dev(t, data)
	code, _ := first.Terminate(t)
	require.Zero(t, code)
	for _, command := range consoleCommands(string(text)) {
		if strings.HasPrefix(command, "ecpd migrate") { // into a database that nothing has written to
			server.Ask(t, server.URL("ecpd"), "DROP SCHEMA openecp CASCADE")
		}
		cmd := exec.Command("bash", "-euc", "exec "+here.Replace(command))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+server.Programs()+":"+ecpctl+":"+os.Getenv("PATH"), "PGHOST=127.0.0.1",
			fmt.Sprint("PGPORT=", server.Port), "PGUSER=openecp", "ECPD_CLUSTER_AGENT=http://127.0.0.1:18180",
			"ECPD_BOOTSTRAP_TOKEN="+token, "ECPCTL_TOKEN="+token, "ECPCTL_SERVER="+asked)
		switch {
		case strings.HasPrefix(command, "ecpd --database"):
			p := processtest.Start(t, cmd)
			asked = p.Line(t, readyLine)
			if strings.Contains(command, "--peer-listen") { // it is asked by the commands that follow
				together = p
				client(t, p, asked, token).works(t)
				break
			}
			code, _ := p.Terminate(t)
			require.Zero(t, code, p)
		default:
			r := processtest.Run(t, cmd)
			require.Zero(t, r.Code, "%s: %s", command, r)
			if together != nil && strings.HasPrefix(command, "ecpctl doctor") {
				require.Contains(t, r.Stdout, "one is there, which others can join")
				code, _ := together.Terminate(t)
				require.Zero(t, code, together)
			}
		}
		ran++
	}
	require.GreaterOrEqual(t, ran, 8)
}

// consoleCommands are the commands in the console blocks of a document, each in one line.
func consoleCommands(text string) (commands []string) {
	for i, block := range strings.Split(text, "```") {
		body, isConsole := strings.CutPrefix(block, "console\n")
		if i%2 == 0 || !isConsole {
			continue
		}
		body = strings.ReplaceAll(body, "\\\n", "")
		for line := range strings.Lines(body) {
			if command, is := strings.CutPrefix(line, "$ "); is {
				commands = append(commands, strings.TrimSpace(command))
			}
		}
	}
	return commands
}

func wrongDatabase(t *testing.T, server *pgtest.Server) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--database", "postgres://u:hunter2@h/x"}, "--database has a password in it"},
		{[]string{"--database", "postgres://u@h/x?password=hunter2"}, "--database has a password in it"},
		{[]string{"--database", "mysql://hunter2@h/x"}, "--database is no URL of a PostgreSQL database"},
		{[]string{"--database", "host=h password=hunter2"}, "--database is no URL of a PostgreSQL database"},
		{[]string{"--database-password-file", empty}, "is of no use without --database"},
		{[]string{"--database", server.URL("x"), "--database-password-file", empty}, "is empty"},
		{[]string{"--database", server.URL("x"), "--database-password-file", dir + "/none"}, "no such file"},
		{[]string{"--database", server.URL("none")}, "create it (CREATE DATABASE)"},
		{[]string{"--database", strings.Replace(server.URL("postgres"), "openecp", "nobody", 1)},
			"it does not let this user in"},
		{[]string{"--database", strings.Replace(server.URL("postgres"), "disable", "require", 1)}, "refused TLS"},
	} {
		r := processtest.Run(t, exec.Command(built(t), append([]string{"serve", "--dev", "--listen", "127.0.0.1:0",
			"--data-dir", filepath.Join(dir, "data")}, c.args...)...))
		require.Equal(t, 1, r.Code, "%v: %s", c.args, r)
		require.Contains(t, r.Stderr, c.says)
		require.NotContains(t, r.Stderr, "hunter2")
	}
}
