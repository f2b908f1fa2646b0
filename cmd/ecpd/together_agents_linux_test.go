package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
)

// balancer is a load balancer on layer 4: it leads each connection to the first daemon of its
// list that takes it.
type balancer struct {
	net.Listener
	mu sync.Mutex
	to []string // guarded by mu
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &balancer{Listener: l}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { b.lead(in) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return b
}

// leadTo sets where connections are led from now on.
func (b *balancer) leadTo(daemons ...*daemon) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = nil
	for _, d := range daemons {
		b.to = append(b.to, strings.TrimPrefix(d.url, "http://"))
	}
}

func (b *balancer) lead(in net.Conn) {
	defer func() { _ = in.Close() }()
	b.mu.Lock()
	to := b.to
	b.mu.Unlock()
	for _, address := range to {
		out, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue
		}
		var way sync.WaitGroup
		for _, ends := range [][2]net.Conn{{in, out}, {out, in}} {
			way.Go(func() {
				_, _ = io.Copy(ends[0], ends[1]) // a connection that breaks has ended
				_ = ends[0].Close()
				_ = ends[1].Close()
			})
		}
		way.Wait()
		return
	}
}

// agentsAcross: an agent that is connected to one daemon is asked at the other, for what the
// API tells, for its broker and its dashboard; it comes back elsewhere when its daemon ends
// or is killed.
func agentsAcross(t *testing.T, server *pgtest.Server) {
	g, front := newTogether(t, server), newBalancer(t)
	programs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(programs, "emqxee-agent-linux-amd64"),
		[]byte("\x7fELF: guides tell its sum"), 0o755))
	begin := func() *process {
		return g.begin(t, "--cluster-agent", "http://"+front.Addr().String(), "--dashboard-listen", "127.0.0.1:0",
			"--agents-dir", programs)
	}
	first, second := begin(), begin()
	a, b := g.ready(t, first), g.ready(t, second)
	a.shares(t, 2, 20*time.Second)
	front.leadTo(a)
	through := &tunnelled{witness: newWitness(t, "5.8.9", nil), daemon: &daemon{
		process: a.process, url: "http://" + front.Addr().String(), token: g.token, http: &http.Client{
			Timeout: 45 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}}
	id := through.adopt(t, "plant", agent.BrokerSettings{DashboardURL: through.witness.URL,
		APIURL: through.witness.URL, Username: "admin", Password: "public"})
	asked := func(d *daemon, within time.Duration) {
		t.Helper()
		began, path := time.Now(), "/api/v1/clusters/"+id
		d.isReached(t, path, within)
		require.Equal(t, "running", d.reaches(t, id, "running").Status.State)
		var stats struct {
			Nodes []struct{ Node, Error string }
		}
		d.call(t, "GET", path+"/stats", "", &stats, 200)
		require.Len(t, stats.Nodes, 1)
		require.Empty(t, stats.Nodes[0].Error)
		host, cookie := (&tunnelled{daemon: d, id: id}).dashboard(t)
		page := visit(t, browser(t, "", nil), "GET", "http://"+host+"/", "", "Cookie", cookie)
		require.Equal(t, 200, page.status, "%s", page.body)
		t.Logf("%s answers for the agent after %v", d.url, time.Since(began))
	}
	asked(a, 10*time.Second)
	asked(b, 10*time.Second)

	front.leadTo(b)
	first.Signal(t, syscall.SIGTERM)
	require.Zero(t, first.Wait(t, 15*time.Second)) // it cannot answer for the other one any more
	asked(b, 15*time.Second)

	if os.Getenv("OPENECP_LONG") == "" { // another one joins, and one is killed
		return
	}
	c := g.ready(t, begin())
	asked(c, 15*time.Second)
	front.leadTo(c)
	second.Kill()
	asked(c, 40*time.Second)
	code, _ := c.Terminate(t)
	require.Zero(t, code)
}

// isReached waits until the agent of a cluster is connected, and its broker is asked through it.
func (d *daemon) isReached(t *testing.T, path string, within time.Duration) {
	t.Helper()
	processtest.Eventually(t, within, func() (bool, string) {
		var agents struct{ Items []struct{ Connected bool } }
		d.call(t, "GET", path+"/agents", "", &agents, 200)
		nodes, err := d.try("GET", path+"/emqx/api/v5/nodes", "")
		return err == nil && nodes.status == 200 && len(agents.Items) == 1 && agents.Items[0].Connected,
			fmt.Sprintf("%+v %v %d %s", agents, err, nodes.status, nodes.body)
	})
}
