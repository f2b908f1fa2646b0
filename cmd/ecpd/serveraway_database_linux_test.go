package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
)

// waitsForServer: daemons that find the server of their database away live, say what they
// wait for, and go on when it is back, whether they share it or not.
func waitsForServer(t *testing.T, server *pgtest.Server) {
	const waits = "waiting for the database, which is away"
	g := newTogether(t, server)
	u, err := url.Parse(g.url)
	require.NoError(t, err)
	behind, address := u.Host, processtest.FreeAddress(t)
	u.Host = address
	g.url = u.String() + "&connect_timeout=1"
	begin := func(args ...string) *daemon {
		listen := processtest.FreeAddress(t)
		return client(t, g.begin(t, append(args, "--listen", listen)...), "http://"+listen, g.token)
	}
	answers := func(d *daemon, path string, status int, says string) {
		t.Helper()
		processtest.Eventually(t, time.Minute, func() (bool, string) {
			a, err := d.try("GET", path, "")
			return err == nil && a.status == status && strings.Contains(string(a.body), says),
				fmt.Sprint(err, a.status, string(a.body), d.process)
		})
	}
	away := func(all ...*daemon) {
		t.Helper()
		for _, d := range all {
			answers(d, "/healthz", 200, "ok")
			answers(d, "/readyz", 503, "the database "+filepath.Base(u.Path)+" on "+address+" ")
			answers(d, "/api/v1/clusters", 503, `"code":"unavailable"`)
			d.Logs(t, waits)
		}
	}

	// It refuses connections.
	first, leaves := begin(), begin()
	away(first, leaves)
	code, _ := leaves.Terminate(t)
	require.Zero(t, code, leaves.process)

	// It takes them, and says nothing, as where packets are lost.
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	second := begin()
	away(first, second)
	require.NoError(t, silent.Close())

	forward(t, address, behind)
	first.works(t)
	second.works(t)
	first.shares(t, 2, 20*time.Second)
	require.Equal(t, 1, strings.Count(first.Stderr.String(), waits), "once is enough")
	require.NotContains(t, first.Stderr.String(), "the hold of the database", "there was none")
}

// endsWhileItStarts: a daemon that is asked to end in the middle of its start ends at once, and
// has not failed: within the first try to open the database, while it waits for a database
// that another one has, and while it looks whether one with other keys is alive.
func endsWhileItStarts(t *testing.T, server *pgtest.Server) {
	g := newTogether(t, server)
	ends := func(p *process) {
		t.Helper()
		code, took := p.Terminate(t)
		require.Zero(t, code, p)
		require.Less(t, took, 5*time.Second)
		require.Contains(t, p.Stderr.String(), "asked to end before the start was complete")
		require.NotContains(t, p.Stderr.String(), "ecpd: ")
	}
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, silent.Close()) }()
	u, err := url.Parse(g.url)
	require.NoError(t, err)
	u.Host = silent.Addr().String()
	first := g.begin(t, "--database", u.String())
	c, err := silent.Accept() // it is inside of its first try
	require.NoError(t, err)
	ends(first)
	_ = c.Close()

	a := g.begin(t)
	d := g.ready(t, a)
	alone := launch(t, t.TempDir(), g.environ, "serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir(),
		"--database", g.url, "--cluster-agent", "http://127.0.0.1:18180")
	alone.Logs(t, "processes that share the database")
	ends(alone)

	d.Kill() // its record stays, so that one with another key looks for some seconds whether it lives
	other := *g
	other.keys = filepath.Join(t.TempDir(), "keys")
	old, err := os.ReadFile(g.keys)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other.keys, append([]byte("new:"+strings.Repeat("B", 43)+"=\n"), old...), 0o600))
	late := other.begin(t)
	late.Logs(t, "a daemon with other keys of secrets is on record")
	ends(late)
}

// forward connects whoever connects to one address with another, until the test ends.
func forward(t *testing.T, from, to string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", from)
	require.NoError(t, err)
	var all sync.WaitGroup
	pipe := func(a, b net.Conn) {
		_, _ = io.Copy(a, b) // until one end closes
		_, _ = a.Close(), b.Close()
	}
	all.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { _ = a.Close() })
			b, err := new(net.Dialer).DialContext(t.Context(), "tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			all.Go(func() { pipe(a, b) })
			all.Go(func() { pipe(b, a) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
}
