package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// systemd is a socket as systemd gives its services one to report to.
type systemd struct {
	conn *net.UnixConn
	name string
}

func newSystemd(t *testing.T) *systemd {
	t.Helper()
	dir, err := os.MkdirTemp("", "ecpd-notify-") // the name of a socket has to be short
	require.NoError(t, err)
	name := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		_ = os.RemoveAll(dir)
	})
	return &systemd{conn, name}
}

// hears waits for the next message.
func (s *systemd) hears(t *testing.T) string {
	t.Helper()
	require.NoError(t, s.conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	b := make([]byte, 4096)
	n, err := s.conn.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

// TestSystemdIsTold runs the daemon as the unit does: it says when it is ready,
// reloads with SIGHUP, and ends.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	s := newSystemd(t)
	p := launch(t, t.TempDir(), []string{"NOTIFY_SOCKET=" + s.name}, "serve", "--dev", "--listen", "127.0.0.1:0",
		"--drain", "0s")
	assert.Regexp(t, `^READY=1\nSTATUS=serving on http://127\.0\.0\.1:\d+\n$`, s.hears(t))
	url := p.Line(t, readyLine)
	assert.NotEmpty(t, url)
	p.Signal(t, syscall.SIGHUP)
	assert.Regexp(t, `^RELOADING=1\n`, s.hears(t))
	assert.Regexp(t, `^READY=1\n`, s.hears(t))
	code, _ := p.Terminate(t)
	assert.Zero(t, code)
	assert.Regexp(t, `^STOPPING=1\n`, s.hears(t))

	// A socket that is not there stops nothing.
	p = launch(t, t.TempDir(), []string{"NOTIFY_SOCKET=" + s.name + "-gone"}, "serve", "--dev", "--listen",
		"127.0.0.1:0", "--drain", "0s")
	p.Line(t, readyLine)
	code, _ = p.Terminate(t)
	assert.Zero(t, code)
	assert.Contains(t, p.Stderr.String(), "systemd was not told")
}

// TestReload changes the file of a running daemon: SIGHUP takes the level of the
// log from it, names what needs a restart, and leaves everything as it was where
// the file is wrong.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "ecpd.yaml")
	write := func(content string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	write("dev: true\nlisten: 127.0.0.1:0\nlog:\n  level: info\n")
	d := &daemon{token: "x"}
	d.process = launch(t, dir, []string{"ECPD_CONFIG=" + file})
	d = client(t, d.process, d.Line(t, readyLine), "a-token-that-nobody-has")
	reload := func(saying string) {
		t.Helper()
		d.Signal(t, syscall.SIGHUP)
		d.Logs(t, saying)
	}
	const line = `msg=request method=GET route="GET /healthz"`
	d.call(t, "GET", "/healthz", "", nil, 200)

	write("dev: true\nlisten: 127.0.0.1:0\nlog:\n  level: loud\n")
	reload(file + `:4: log.level is \"loud\"`)
	d.call(t, "GET", "/healthz", "", nil, 200)

	write("dev: true\nlisten: 127.0.0.1:1\nlog:\n  level: debug\n")
	reload("msg=reloaded")
	before, _, _ := strings.Cut(d.Stderr.String(), "msg=reloaded")
	require.NotContains(t, before, line)
	d.Logs(t, "takes effect at the next start only\" setting=listen")
	d.call(t, "GET", "/healthz", "", nil, 200)
	d.Logs(t, line)
	code, _ := d.Terminate(t)
	require.Zero(t, code)
}
