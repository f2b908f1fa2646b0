package faulttest

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// What is meant for what several rows wait for.
const (
	// it reports every 10 s, and what is wrong once more at once: it is believed when it was seen twice
	twoReports = 16 * time.Second
	oneReport  = 12 * time.Second // one good report ends it
	atOnce     = 4 * time.Second
	grace      = 8 * time.Second  // 5 s, in which an agent may come back
	silence    = 50 * time.Second // 30 s without a word, and the grace
	comesBack  = 32 * time.Second // the longest pause of an agent between two tries
)

// rows are the faults of brokers, agents and networks. Those of the daemon are in
// daemon_test.go.
var rows = []row{
	{name: "broker stopped", run: brokerStopped},
	{name: "wrong password", run: wrongPassword},
	{name: "one node of three down, agents beside the others", run: nodeDown},
	{name: "one node of three down, an agent beside it", run: nodeDownWithAgent},
	{name: "nodes disagree on members", run: nodesDisagree},
	{name: "agent killed", run: agentKilled},
	{name: "agent killed, supervised", run: agentKilledSupervised},
	{name: "agent stopped", run: agentStopped},
	{name: "network cut 10 s", run: networkCutShort},
	{name: "network cut longer than silence", run: networkCutLong, long: true},
	{name: "half-open connection", run: halfOpen, long: true},
	{name: "token expired", run: tokenExpired, long: true},
	{name: "token revoked, of a cluster that is gone, unknown", run: badTokens},
	{name: "token of another cluster", run: tokenOfAnother},
	{name: "agent beside a foreign broker", run: foreignBroker},
	{name: "key copied to a second host", run: keyCopied},
	{name: "same node name twice", run: nodeNameTwice},
	{name: "node replaced, its agent too", run: nodeReplaced},
	{name: "node of one gets a new address", run: nodeRenamed},
	{name: "disk full at the agent", run: diskFull},
	{name: "clock an hour ahead", run: clockOff(time.Hour)},
	{name: "clock an hour behind", run: clockOff(-time.Hour)},
	{name: "clock at 1970", run: clockAt1970},
}

func brokerStopped(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	c.broken()
	c.agents[0].emqx.stop()
	saw := c.until(ecp.Abnormal, ecp.ReasonEMQXUnreachable, twoReports)
	require.Contains(t, saw.message, emqxAddress)
	require.Contains(t, saw.message, "connection refused")
	c.agents[0].says(atOnce, "runs, and is connected", "To do:", "let EMQX run where the agent looks for it")
	out, code := c.agents[0].run("doctor")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "FAIL")
	c.broken()
	c.agents[0].emqx.start()
	c.until(ecp.Running, ecp.ReasonAsExpected, oneReport)
}

func wrongPassword(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	c.broken()
	c.sim.AddUser("admin", "another one", "administrator")
	c.sim.EndLogins()
	saw := c.until(ecp.Abnormal, ecp.ReasonEMQXAuthFailed, twoReports)
	require.Contains(t, saw.message, "emqxee-agent register --emqx-dashboard-username")
	c.agents[0].says(atOnce, "give the agent credentials that EMQX takes", "emqxee-agent register")
	c.broken() // the command that it tells of, with the right password
	out, code := c.agents[0].run("register", "--emqx-dashboard-username", "admin", "--emqx-dashboard-password",
		"another one")
	require.Zero(t, code, out)
	c.until(ecp.Running, ecp.ReasonAsExpected, 5*time.Second)
}

func nodeDown(t *testing.T, s *server) {
	c := adopt(t, s, 3, 2)
	c.broken()
	c.sim.Node(nodeName(2)).Kill()
	saw := c.until(ecp.Abnormal, ecp.ReasonNodeDown, twoReports)
	require.Contains(t, saw.message, nodeName(2))
	c.broken()
	c.sim.Node(nodeName(2)).Revive()
	c.until(ecp.Running, ecp.ReasonAsExpected, oneReport)
}

func nodeDownWithAgent(t *testing.T, s *server) {
	c := adopt(t, s, 3, 3)
	c.broken()
	c.sim.Node(nodeName(2)).Kill()
	c.agents[2].emqx.stop()
	saw := c.until(ecp.Abnormal, ecp.ReasonEMQXUnreachable, twoReports)
	require.Contains(t, saw.message, nodeName(2))
	require.Contains(t, saw.message, string(ecp.ReasonNodeDown))
	c.broken()
	c.sim.Node(nodeName(2)).Revive()
	c.agents[2].emqx.start()
	c.until(ecp.Running, ecp.ReasonAsExpected, oneReport)
}

func nodesDisagree(t *testing.T, s *server) {
	c := adopt(t, s, 2, 2)
	c.broken()
	c.sim.Partition([]string{nodeName(0)}, []string{nodeName(1)})
	saw := c.until(ecp.Abnormal, ecp.ReasonPartitioned, twoReports)
	require.Contains(t, saw.message, nodeName(0))
	require.Contains(t, saw.message, nodeName(1))
	c.broken()
	c.sim.Partition()
	c.until(ecp.Running, ecp.ReasonAsExpected, oneReport)
}

func agentKilled(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	c.broken()
	c.agents[0].kill()
	saw := c.until(ecp.Abnormal, ecp.ReasonAgentDisconnected, grace)
	require.Contains(t, saw.message, "emqxee-agent status")
	require.Contains(t, c.agents[0].status(), "does not run")
	c.broken()
	c.agents[0].start()
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
}

// agentKilledSupervised: what emqxee-agent start leaves in the background starts it
// again, before anybody notices.
func agentKilledSupervised(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	a := c.agents[0]
	c.broken()
	a.stop()
	c.until(ecp.Abnormal, ecp.ReasonAgentDisconnected, grace)
	out, code := a.run("start")
	require.Zero(t, code, out)
	t.Cleanup(func() { _, _ = a.run("stop") })
	c.broken()
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
	before := a.pid()
	c.broken()
	require.NoError(t, syscall.Kill(before, syscall.SIGKILL))
	within(t, 10*time.Second, func() (bool, string) {
		now := a.pid()
		return now != 0 && now != before, strconv.Itoa(now)
	})
	c.connected(a, atOnce)
	c.stays(10 * time.Second)
	out, code = a.run("stop")
	require.Zero(t, code, out)
}

func agentStopped(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	c.broken()
	c.agents[0].stop()
	saw := c.until(ecp.Abnormal, ecp.ReasonAgentDisconnected, grace)
	require.Contains(t, saw.message, "was stopped")
	require.Contains(t, saw.message, "emqxee-agent start")
	c.broken()
	c.agents[0].start()
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
}

// networkCutShort: what TCP mends, nobody has to hear of.
func networkCutShort(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	before := c.connected(c.agents[0], atOnce)
	c.broken()
	c.agents[0].host.cut()
	c.stays(10 * time.Second)
	c.agents[0].host.mend()
	c.stays(16 * time.Second)
	require.Equal(t, before.Since, c.connected(c.agents[0], atOnce).Since, "the connection is the one of before")
}

func networkCutLong(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	c.broken()
	c.agents[0].host.cut()
	saw := c.until(ecp.Abnormal, "", silence)
	require.Equal(t, ecp.ReasonAgentDisconnected, saw.reason, saw.message)
	require.Contains(t, saw.message, "emqxee-agent doctor")
	c.agents[0].says(10*time.Second, "Wrong:", "server: ", "To do:")
	out, code := c.agents[0].run("doctor")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "FAIL", out)
	c.broken()
	c.agents[0].host.mend()
	c.until(ecp.Running, ecp.ReasonAsExpected, comesBack)
}

// halfOpen: neither side hears of the other on the connection that they have; a new
// one takes its place, and nothing else is shown.
func halfOpen(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	before := c.connected(c.agents[0], atOnce)
	c.broken()
	c.agents[0].host.forget(portOf(t, before))
	within(t, 40*time.Second, func() (bool, string) {
		now := c.connected(c.agents[0], silence)
		return now.Remote != before.Remote, now.Remote
	})
	c.stays(time.Since(c.fault))
	c.stays(time.Since(c.fault) + 6*time.Second)
}

// badTokens: who tries a token that is none is told why and what to do, and an agent
// that serves goes on.
func badTokens(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	revoked := c.token()
	call[struct{}](t, s, http.MethodDelete, c.path("/registrations/"+revoked.TokenID), nil)
	other := adoptNothing(t, s)
	foreign := other.token()
	call[struct{}](t, s, http.MethodDelete, other.path(""), nil)
	unknown := setup{Token: strings.Repeat("0", 32), CASHA256: revoked.CASHA256}
	for _, try := range []struct {
		what  string
		token setup
		words string
	}{
		{"revoked", revoked, "revoked"}, {"of a cluster that is gone", foreign, "not known"}, {"unknown", unknown,
			"not known"},
	} {
		out, code := c.agents[0].register(try.token)
		require.Equal(t, 1, code, "%s: %s", try.what, out)
		require.Contains(t, out, try.words, try.what)
		require.Contains(t, out, "guide", try.what)
		require.NotContains(t, out, try.token.Token, try.what)
	}
	c.stays(5 * time.Second)
}

// tokenExpired: as above.
func tokenExpired(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	expired := call[setup](t, s, http.MethodPost, c.path("/setup"), map[string]any{"life": "1m"})
	c.broken()
	c.stays(61 * time.Second)
	out, code := c.agents[0].register(expired)
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "expired")
	require.Contains(t, out, "guide")
	require.NotContains(t, out, expired.Token)
	c.broken()
	c.stays(5 * time.Second)
}

// tokenOfAnother: it is a good one, and takes the agent away; that its broker is none
// of the other cluster's shows there.
func tokenOfAnother(t *testing.T, s *server) {
	c, other := adopt(t, s, 2, 2), adoptNothing(t, s)
	a, theirs := c.agents[1], newAgent(t, s, other.sim.Join("emqx@10.9.9.9"))
	theirs.mustRegister(other.token())
	theirs.start()
	other.until(ecp.Running, ecp.ReasonAsExpected, 30*time.Second)
	c.broken()
	other.broken()
	a.mustRegister(other.token())
	saw := other.until(ecp.Abnormal, ecp.ReasonClusterMismatch, atOnce)
	require.Contains(t, saw.message, nodeName(1))
	a.says(atOnce, "the server refuses it", "belongs to another cluster")
	c.stays(time.Since(c.fault)) // by the agent that is left
	other.broken()
	a.mustRegister(c.token())
	other.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
	c.connected(a, atOnce)
	c.broken()
	c.stays(2 * time.Second)
}

func foreignBroker(t *testing.T, s *server) {
	c := adopt(t, s, 2, 2)
	foreign := newAgent(t, s, emqxsim.NewCluster(emqxsim.ClusterConfig{}).Join("emqx@10.9.9.9"))
	foreign.mustRegister(c.token())
	c.broken()
	foreign.start()
	saw := c.until(ecp.Abnormal, ecp.ReasonClusterMismatch, atOnce)
	require.Contains(t, saw.message, "emqx@10.9.9.9")
	require.Contains(t, saw.message, nodeName(0))
	foreign.says(atOnce, "the server refuses it", "belongs to another cluster",
		"Register this agent with the cluster that it belongs to")
	c.broken() // what a person does
	call[struct{}](t, s, http.MethodDelete, c.path("/agents/"+foreign.id()), nil)
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
	if long() {
		foreign.says(comesBack+30*time.Second, "register it again") // it has asked again
	}
}

func keyCopied(t *testing.T, s *server) {
	c := adopt(t, s, 2, 1)
	first, thief := c.agents[0], newAgent(t, s, c.sim.Node(nodeName(1)))
	require.NoError(t, sh(t.Context(), "cp -rp "+first.home+" "+thief.home+"; rm "+thief.home+"/run/*"))
	c.broken()
	thief.start()
	saw := c.until(ecp.Abnormal, ecp.ReasonIdentityConflict, 6*time.Second)
	require.Contains(t, saw.message, thief.host.addr)
	thief.says(atOnce, "the server refuses it", "another process")
	require.NotContains(t, first.status(), "refuses", "the first goes on")
	thief.kill()
	c.broken()
	if long() { // it is told of for 90 s
		c.until(ecp.Running, ecp.ReasonAsExpected, 100*time.Second)
	}
}

func nodeNameTwice(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	second := newAgent(t, s, c.sim.Node(nodeName(0)))
	second.mustRegister(c.token())
	c.broken()
	second.start()
	saw := c.until(ecp.Abnormal, ecp.ReasonIdentityConflict, 6*time.Second)
	require.Contains(t, saw.message, nodeName(0))
	require.Contains(t, saw.message, c.agents[0].host.name)
	require.Contains(t, saw.message, second.host.name)
	second.says(atOnce, "the server refuses it", "Stop one of the two")
	c.broken()
	call[struct{}](t, s, http.MethodDelete, c.path("/agents/"+second.id()), nil)
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
}

// nodeReplaced: a node leaves, another one with another name and an agent of its own
// joins.
func nodeReplaced(t *testing.T, s *server) {
	c := adopt(t, s, 3, 3)
	old := c.agents[2]
	c.broken()
	c.sim.Node(nodeName(2)).Leave()
	old.emqx.stop()
	old.stop()
	c.until(ecp.Abnormal, ecp.ReasonAgentDisconnected, grace)
	within(t, oneReport, func() (bool, string) { // the others tell
		seen, _ := s.shown(c.id)
		return strings.Contains(seen[len(seen)-1].message,
			"no member of the cluster any more"), seen[len(seen)-1].message
	})
	fresh := newAgent(t, s, c.sim.Join("emqx@10.0.0.99"))
	fresh.mustRegister(c.token())
	fresh.start()
	c.connected(fresh, atOnce)
	gone := ""
	for _, v := range c.agentViews() {
		if !v.Connected {
			gone = v.ID
		}
	}
	c.broken()
	call[struct{}](t, s, http.MethodDelete, c.path("/agents/"+gone), nil)
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
}

// nodeRenamed: the only node comes back with another name, as a pod does whose
// address is its name; its agent stays the same.
func nodeRenamed(t *testing.T, s *server) {
	c := adopt(t, s, 1, 1)
	c.broken()
	c.agents[0].emqx.stop()
	c.sim.Node(nodeName(0)).Leave()
	c.agents[0].emqx.node = c.sim.Join("emqx@10.0.0.77")
	c.agents[0].emqx.start()
	within(t, oneReport, func() (bool, string) {
		out := c.agents[0].status()
		return strings.Contains(out, "emqx@10.0.0.77"), out
	})
	c.stays(14 * time.Second)
}

// diskFull: an agent needs no disk to go on, says that it is full, and comes back
// after a restart on it.
func diskFull(t *testing.T, s *server) {
	c := adoptNothing(t, s)
	a := newAgent(t, s, c.sim.Join(nodeName(0)))
	require.NoError(t, os.Mkdir(a.home, 0o700))
	require.NoError(t, sh(t.Context(), "mount -t tmpfs -o size=256k,mode=700 none "+a.home))
	t.Cleanup(func() { a.kill(); _ = syscall.Unmount(a.home, syscall.MNT_DETACH) })
	c.agents = append(c.agents, a)
	a.mustRegister(c.token())
	a.start()
	c.until(ecp.Running, ecp.ReasonAsExpected, 20*time.Second)
	c.broken()
	fill := filepath.Join(a.home, "something else")
	_ = os.WriteFile(fill, make([]byte, 1<<20), 0o600) // until it is full
	a.stop()
	a.start()
	c.connected(a, 10*time.Second)
	c.until(ecp.Running, ecp.ReasonAsExpected, atOnce)
	out, code := a.run("register", "--emqx-dashboard-username", "admin", "--emqx-dashboard-password", "public")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "no space left")
	c.stays(11 * time.Second)
	require.NoError(t, os.Remove(fill))
	a.says(atOnce, "runs, and is connected")
	require.Eventually(t, func() bool { return !strings.Contains(a.status(), "no space left") }, 25*time.Second,
		500*time.Millisecond,
		"what is kept for a server that is away is written again with the next look")
}
