package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	encoding "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
)

// The measures of TestAdoptedLogsUnderLoad.
const (
	loadRate  = 10_000 // lines a second, of both nodes together
	loadLines = 15_000 // of each node
	loadFiles = 12     // that each log has
	loadTurns = 11     // rotations of each log while it is followed
)

// TestAdoptedLogsUnderLoad follows the logs of two nodes, which write fast and rotate
// again and again, through a tunnel that drops twice: every line once, and in order. Others
// that follow and do not read make nobody wait, and fill no memory.
func TestAdoptedLogsUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	t.Parallel()
	p := newPlant(t)
	turn := loadLines * len(loadLine(1, 0)) / loadTurns
	writers := []*rotating{
		p.node(t, 1, "direct", func(dir string) rotation { return &wrapLog{dir: dir} }, turn),
		p.node(t, 2, "websocket", func(dir string) rotation { return &renamedLog{dir: dir} }, turn),
	}
	p.reaches(t, p.id, "running")
	processtest.Eventually(t, 30*time.Second, func() (bool, string) {
		seen := string(p.call(t, "GET", p.path, "", nil, 200, 422, 503).body)
		return strings.Count(seen, " old ") == 500 && strings.Contains(seen, `"gaps":[]`), seen[:min(len(seen), 2000)]
	})
	before, agents := resident(t, p.process), 0
	for range 4 { // they read the beginning at most
		p.open(t, p.path+"?follow=true&limit=1")
	}
	stream := bufio.NewReaderSize(p.open(t, p.path+"?follow=true&limit=1"), 1<<20)
	for line := ""; !strings.Contains(line, " old "); { // the history has come
		var err error
		line, err = stream.ReadString('\n')
		require.NoError(t, err)
	}
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { writeAtRate(writing, writers) })
	next, gaps := p.takeAll(t, stream)
	group.Wait()
	require.Equal(t, []int{0, loadLines, loadLines}, next, "gaps: %q", gaps)
	for _, g := range gaps {
		assert.Contains(t, g, "not connected", "nothing was lost")
	}
	for i, w := range writers {
		require.GreaterOrEqual(t, w.turns, 10)
		peak := resident(t, p.agents[i])
		agents = max(agents, peak.peak)
	}
	after := resident(t, p.process)
	t.Logf("daemon: %d MiB before, %d at most; agents: %d MiB at most", before.now>>20, after.peak>>20, agents>>20)
	require.Less(t, after.peak-before.now, 96<<20, "bytes of the daemon")
	require.Less(t, agents, 96<<20, "bytes of an agent")

	var merged struct{ Items []struct{ At, Node string } }
	p.call(t, "GET", p.path+"?limit=2000", "", &merged, 200)
	require.Len(t, merged.Items, 2000)
	times, nodes := []string{}, map[string]int{}
	for _, l := range merged.Items {
		at, err := time.Parse(time.RFC3339Nano, l.At)
		require.NoError(t, err)
		times = append(times, at.UTC().Format("2006-01-02T15:04:05.000000"))
		nodes[l.Node]++
	}
	require.True(t, slices.IsSorted(times))
	require.Len(t, nodes, 2)
}

// takeAll reads what both nodes write, and cuts the tunnel twice meanwhile. next is the
// number of the line that would be the next one, by node.
func (p *plant) takeAll(t *testing.T, stream *bufio.Reader) (next []int, gaps []string) {
	t.Helper()
	next = make([]int, 3)
	cuts := []int{loadLines / 2, loadLines * 5 / 4} // lines of both after which it drops
	for next[1]+next[2] < 2*loadLines {
		line, err := stream.ReadSlice('\n')
		require.NoError(t, err, "after %v", next)
		if bytes.Contains(line, []byte(`"why":`)) {
			gaps = append(gaps, string(line))
			continue
		}
		i := bytes.Index(line, []byte(" load "))
		if i < 0 {
			continue
		}
		node, n := int(line[i+6]-'0'), string(line[i+8:i+14])
		if n != fmt.Sprintf("%06d", next[node]) {
			require.Fail(t, "not the next line", "node %d: line %s instead of %d; gaps: %q", node, n, next[node], gaps)
		}
		next[node]++
		if len(cuts) > 0 && next[1]+next[2] >= cuts[0] {
			cuts = cuts[1:]
			p.relay.cut()
		}
	}
	return next, gaps
}

// loadLine is a line as EMQX writes it.
func loadLine(node, n int) string {
	return fmt.Sprintf("%s [warning] load %d %06d clientid: c%d, peername: 192.0.2.1:%d, reason: a line as long as "+
		"most\n",
		time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"), node, n, n%1000, 1024+n%60000)
}

// writeAtRate lets all write their lines.
func writeAtRate(ctx context.Context, writers []*rotating) {
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; n < loadLines; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for due := int(time.Since(began).Seconds() * loadRate / float64(len(writers))); n < min(due, loadLines); n++ {
			for i, w := range writers {
				w.write(loadLine(i+1, n))
			}
		}
	}
}

// rotation is a way to rotate a log.
type rotation interface {
	// next begins another file.
	next() *os.File
}

// rotating is a log that rotates.
type rotating struct {
	rotation
	t     *testing.T
	most  int // bytes of a file
	file  *os.File
	size  int
	turns int
}

func (r *rotating) write(line string) {
	if r.file == nil || r.size+len(line) > r.most {
		if r.file != nil {
			r.turns++
			assert.NoError(r.t, r.file.Close())
		}
		r.file, r.size = r.next(), 0
	}
	n, err := r.file.WriteString(line)
	assert.NoError(r.t, err)
	r.size += n
}

// wrapLog is how 4.4 rotates: through the same files again and again, with an index.
type wrapLog struct {
	dir    string
	number int
}

func (w *wrapLog) next() *os.File {
	w.number = w.number%loadFiles + 1
	f, err := os.Create(filepath.Join(w.dir, "emqx.log."+strconv.Itoa(w.number)))
	if err != nil {
		panic(err)
	}
	index := encoding.BigEndian.AppendUint32([]byte{0, 0, 0, 0, 0, 2}, uint32(w.number))
	if err := os.WriteFile(filepath.Join(w.dir, "emqx.log.idx"), index, 0o600); err != nil {
		panic(err)
	}
	return f
}

// renamedLog is how 5.x rotates: emqx.log becomes emqx.log.0, and each older file the
// next number.
type renamedLog struct{ dir string }

func (w *renamedLog) next() *os.File {
	name := func(n int) string { return filepath.Join(w.dir, "emqx.log."+strconv.Itoa(n)) }
	for n := loadFiles - 2; n >= 0; n-- {
		_ = os.Rename(name(n), name(n+1)) // there may be none yet
	}
	current := filepath.Join(w.dir, "emqx.log")
	_ = os.Rename(current, name(0))
	f, err := os.Create(current)
	if err != nil {
		panic(err)
	}
	return f
}

// plant is a daemon with an adopted cluster whose agents come through a relay.
type plant struct {
	*daemon
	id, path string
	relay    *relay
	sim      *emqxsim.Cluster
	guide    struct{ Token, CASHA256 string }
	agents   []*process
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	p := &plant{relay: newRelay(t)}
	data := filepath.Join(t.TempDir(), "data")
	d := launch(t, t.TempDir(), nil, "serve", "--dev", "--tls-auto", "--listen", "127.0.0.1:0", "--data-dir", data,
		"--agents-dir", processtest.Agents(t), "--cluster-agent", "https://"+p.relay.Addr().String())
	address := d.Line(t, readyLine)
	token, err := os.ReadFile(filepath.Join(data, "token"))
	require.NoError(t, err)
	p.daemon = client(t, d, address, strings.TrimSpace(string(token)))
	// it is the daemon that we have started
	p.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	u, err := url.Parse(address)
	require.NoError(t, err)
	p.relay.leadTo(u.Host)
	p.sim = emqxsim.NewCluster(emqxsim.ClusterConfig{})
	p.sim.AddUser("op", "canary-word", "administrator")
	var made struct{ ID string }
	p.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"plant"}`, &made, 201)
	p.id, p.path = made.ID, "/api/v1/clusters/"+made.ID+"/logs"
	p.call(t, "POST", "/api/v1/clusters/"+p.id+"/setup", `{"method":"binary","arch":"`+runtime.GOARCH+`"}`, &p.guide,
		201)
	return p
}

// node lets another node run, with an agent beside it and a log that has been rotated
// before.
func (p *plant) node(t *testing.T, number int, tunnel string, how func(dir string) rotation, most int) *rotating {
	t.Helper()
	emqx := httptest.NewServer(p.sim.Join(fmt.Sprintf("emqx@10.0.0.%d", number)).Dashboard())
	t.Cleanup(emqx.Close)
	dir := t.TempDir()
	w := &rotating{rotation: how(dir), t: t, most: most}
	for n := 0; w.turns < loadFiles; n++ {
		w.write(strings.Replace(loadLine(number, n), " load ", " old ", 1))
	}
	w.turns = 0
	t.Cleanup(func() { _ = w.file.Close() })
	program, home := processtest.Agent(t, runtime.GOARCH), filepath.Join(t.TempDir(), "agent")
	secret := []string{"EMQXEE_AGENT_REGISTRATION_TOKEN=" + p.guide.Token,
		"EMQXEE_AGENT_EMQX_DASHBOARD_PASSWORD=canary-word"}
	register := launchProgram(t, program, t.TempDir(), secret, "register", "--home", home, "--url",
		"https://"+p.relay.Addr().String(), "--ca-sha256", p.guide.CASHA256,
		"--tunnel", tunnel, "--emqx-dashboard-url", emqx.URL, "--emqx-dashboard-username", "op",
		"--emqx-log-collection-enabled", "--emqx-log-collection-dir", dir)
	require.Zero(t, register.Wait(t, time.Minute))
	p.agents = append(p.agents, launchProgram(t, program, t.TempDir(), nil, "run", "--home", home))
	return w
}

// open opens a stream and reads nothing of it.
func (p *plant) open(t *testing.T, path string) io.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+p.token)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	res, err := transport.RoundTrip(req)
	require.NoError(t, err)
	t.Cleanup(func() {
		cancel()
		_ = res.Body.Close()
		transport.CloseIdleConnections()
	})
	require.Equal(t, http.StatusOK, res.StatusCode)
	return res.Body
}

// relay is a TCP proxy whose connections can be cut.
type relay struct {
	net.Listener
	work sync.WaitGroup

	mu     sync.Mutex
	target string     // guarded by mu
	conns  []net.Conn // guarded by mu
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{Listener: l}
	r.work.Go(r.serve)
	t.Cleanup(func() {
		_ = l.Close()
		r.cut()
		r.work.Wait()
	})
	return r
}

func (r *relay) leadTo(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

func (r *relay) serve() {
	for {
		near, err := r.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			r.mu.Unlock()
			_ = near.Close()
			continue
		}
		r.conns = append(r.conns, near, far)
		r.mu.Unlock()
		for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
			r.work.Go(func() {
				_, _ = io.Copy(ends[0], ends[1])
				_ = ends[0].Close()
				_ = ends[1].Close()
			})
		}
	}
}

// cut ends the connections there are.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// memory is what a process holds, in bytes.
type memory struct{ now, peak int }

func resident(t *testing.T, p *process) memory {
	t.Helper()
	return memory{now: memoryOf(t, p.PID(), "VmRSS") << 10, peak: memoryOf(t, p.PID(), "VmHWM") << 10}
}
