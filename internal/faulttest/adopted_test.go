package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// adopted is an adopted cluster in one row of the table.
type adopted struct {
	t  *testing.T
	s  *server
	id ecp.ID

	sim    *emqxsim.Cluster
	agents []*agent

	fault time.Time // when the last fault, or its end, began
}

// setup is the answer to a call for a guide.
type setup struct{ Token, TokenID, CASHA256 string }

// adopt makes an adopted cluster of so many nodes; beside the first of them, so many
// as agents says, is an agent. It waits until it runs.
func adopt(t *testing.T, s *server, nodes, agents int) *adopted {
	t.Helper()
	c := adoptNothing(t, s)
	for i := range nodes {
		c.sim.Join(nodeName(i))
	}
	token := c.token()
	for i := range agents {
		a := newAgent(t, s, c.sim.Node(nodeName(i)))
		a.mustRegister(token)
		a.start()
		c.agents = append(c.agents, a)
	}
	for _, a := range c.agents {
		c.connected(a, 20*time.Second)
		a.says(10*time.Second, "of the EMQX cluster") // its first report
	}
	c.until(ecp.Running, ecp.ReasonAsExpected, 30*time.Second)
	return c
}

// clusters counts them, for their names.
var clusters atomic.Int32

// adoptNothing makes an adopted cluster without agents.
func adoptNothing(t *testing.T, s *server) *adopted {
	t.Helper()
	c := &adopted{t: t, s: s, fault: time.Now(), sim: emqxsim.NewCluster(emqxsim.ClusterConfig{Username: "key",
		Password: "secret"})}
	name := fmt.Sprint(strings.NewReplacer("/", " ", ",", "").Replace(t.Name()), " ", clusters.Add(1))
	made := call[struct{ ID ecp.ID }](t, s, http.MethodPost, "/api/v1/clusters",
		map[string]any{"mode": "adopted", "name": name})
	c.id = made.ID
	return c
}

func nodeName(i int) string { return fmt.Sprintf("emqx@10.0.0.%d", i+1) }

// path is that of the cluster in the API.
func (c *adopted) path(rest string) string { return "/api/v1/clusters/" + string(c.id) + rest }

func (c *adopted) token() setup {
	c.t.Helper()
	return call[setup](c.t, c.s, http.MethodPost, c.path("/setup"), map[string]any{})
}

// agentView is an agent in the API.
type agentView struct {
	ID, Node, Hostname, Remote, Message string
	Connected                           bool
	Since                               time.Time
	ClockSkewSeconds                    int
	Reason                              ecp.Reason
}

func (c *adopted) agentViews() []agentView {
	c.t.Helper()
	return call[struct{ Items []agentView }](c.t, c.s, http.MethodGet, c.path("/agents"), nil).Items
}

// broken marks the moment of a fault, or of its end: what is waited for is counted
// from there.
func (c *adopted) broken() { c.fault = time.Now() }

// patience is the shortest time-out: on a busy machine the programs are late. The log has
// the time that a quiet machine needs.
const patience = time.Minute

// until waits until the cluster is shown so, and returns what is shown. The time that
// is meant for it counts from the last fault.
func (c *adopted) until(state ecp.State, reason ecp.Reason, meant time.Duration) sight {
	c.t.Helper()
	bound := max(patience, 2*meant)
	timeout := time.After(time.Until(c.fault.Add(bound)))
	for {
		seen, more := c.s.shown(c.id)
		for _, now := range seen {
			if now.state == state && (reason == "" || now.reason == reason) && !now.at.Before(c.fault) {
				c.t.Logf("%s/%s after %.1f s (%v are meant for it): %s", state, now.reason,
					now.at.Sub(c.fault).Seconds(), meant,
					now.message)
				noted(c.t, now, now.at.Sub(c.fault), meant)
				return now
			}
		}
		if n := len(seen); n > 0 && seen[n-1].state == state && (reason == "" || seen[n-1].reason == reason) {
			return seen[n-1] // it was so before
		}
		select {
		case <-more:
		case <-timeout:
			require.FailNow(c.t, fmt.Sprintf("it is not %s/%s within %v", state, reason, bound), "%v", seen)
		}
	}
}

// stays says that the cluster was shown as running for so long, counted from the
// last fault.
func (c *adopted) stays(d time.Duration) {
	c.t.Helper()
	timeout := time.After(time.Until(c.fault.Add(d)))
	for {
		seen, more := c.s.shown(c.id)
		last := seen[len(seen)-1]
		require.Equal(c.t, ecp.Running, last.state, "%v", seen)
		select {
		case <-more:
		case <-timeout:
			noted(c.t, last, d, d)
			return
		}
	}
}

// emqx is the API of a node on its host's loopback.
type emqx struct {
	host *host
	node *emqxsim.Node
	web  *http.Server
	done sync.WaitGroup
}

const emqxAddress = "127.0.0.1:18083"

func newEMQX(h *host, node *emqxsim.Node) *emqx {
	e := &emqx{host: h, node: node}
	e.start()
	h.t.Cleanup(e.stop)
	return e
}

func (e *emqx) start() {
	l := e.host.listen(emqxAddress)
	e.web = emqxsim.NewServer("5.8.9", e.node.Handler())
	e.done.Go(func() { _ = e.web.Serve(l) })
}

func (e *emqx) stop() {
	_ = e.web.Close()
	e.done.Wait()
}

// agent is the real program on a host, beside a node.
type agent struct {
	t       *testing.T
	s       *server
	host    *host
	emqx    *emqx
	home    string
	process *processtest.Process // nil means it does not run in the foreground
}

func newAgent(t *testing.T, s *server, node *emqxsim.Node) *agent {
	t.Helper()
	h := newHost(t)
	a := &agent{t: t, s: s, host: h, home: filepath.Join(h.dir, "agent")}
	if node != nil {
		a.emqx = newEMQX(h, node)
	}
	t.Cleanup(func() {
		a.kill()
		if log, _ := os.ReadFile(a.log()); t.Failed() {
			t.Logf("the agent's log on %s:\n%s", h.name, log)
		}
	})
	return a
}

func (a *agent) log() string { return filepath.Join(a.host.dir, "log") }

// run runs a command of the agent on its host, and returns what it printed and its
// exit code.
func (a *agent) run(args ...string) (string, int) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second) // in clean-ups, too
	defer cancel()
	cmd := a.host.command(ctx, agentFile(), append(args, "--home", a.home)...)
	r := processtest.Run(a.t, cmd)
	return r.Stdout + r.Stderr, r.Code
}

// register redeems a token.
func (a *agent) register(token setup, more ...string) (string, int) {
	a.t.Helper()
	return a.run(append([]string{
		"register", "--url", a.s.url, "--registration-token", token.Token, "--ca-sha256", token.CASHA256,
		"--emqx-dashboard-url", "http://" +
			emqxAddress, "--emqx-dashboard-username", "admin", "--emqx-dashboard-password", "public",
	}, more...)...)
}

func (a *agent) mustRegister(token setup) {
	a.t.Helper()
	out, code := a.register(token)
	require.Zero(a.t, code, out)
}

// start runs the agent in the foreground: nothing starts it again.
func (a *agent) start() {
	a.t.Helper()
	a.process = launch(a.t, a.host.command(context.Background(), agentFile(), "run", "--home", a.home), a.log())
}

// kill ends it without a goodbye.
func (a *agent) kill() {
	if a.process != nil {
		a.process.Kill()
		a.process = nil
	}
}

// stop lets it say goodbye.
func (a *agent) stop() {
	a.process.End(syscall.SIGTERM)
	a.process = nil
}

// status returns the output of emqxee-agent status.
func (a *agent) status() string {
	a.t.Helper()
	out, _ := a.run("status")
	return out
}

// says waits until status says all of that.
func (a *agent) says(meant time.Duration, words ...string) string {
	a.t.Helper()
	var out string
	within(a.t, meant, func() (bool, string) {
		out = a.status()
		for _, w := range words {
			if !strings.Contains(out, w) {
				return false, fmt.Sprintf("%q is not in\n%s", w, out)
			}
		}
		return true, ""
	})
	return out
}

// connected waits until the agent is connected, by the server's word.
func (c *adopted) connected(a *agent, meant time.Duration) (view agentView) {
	c.t.Helper()
	id := ""
	within(c.t, meant, func() (bool, string) {
		if id == "" { // it may not answer yet
			id = a.id()
		}
		views := c.agentViews()
		for _, v := range views {
			if v.ID == id {
				view = v
			}
		}
		return view.Connected, fmt.Sprintf("%q %+v", id, views)
	})
	return view
}

// told returns the output of emqxee-agent status --json.
func (a *agent) told() (s struct {
	PID    int
	Server struct{ Agent string }
}) {
	a.t.Helper()
	out, _ := a.run("status", "--json")
	_ = json.Unmarshal([]byte(out), &s) // it says in words that it does not answer yet
	return s
}

// id is the agent's, by its own word; pid is its process, 0 means it does not run.
func (a *agent) id() string { a.t.Helper(); return a.told().Server.Agent }
func (a *agent) pid() int   { a.t.Helper(); return a.told().PID }

// portOf is the agent's port of its connection.
func portOf(t *testing.T, v agentView) int {
	t.Helper()
	_, port, err := net.SplitHostPort(v.Remote)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}
