package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
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
