package faulttest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// daemonFaults are the faults of daemons. Those of one daemon come one after the
// other, with the same agents.
var daemonFaults = [][]struct {
	name string
	run  func(*testing.T, *adopted)
}{
	{
		{"full of garbage connections", garbage},
		{"ended and started", restarted(syscall.SIGTERM)},
		{"killed and started", restarted(syscall.SIGKILL)},
	},
	{
		{"certificate renewed", certificateRenewed},
		{"authority changed, announced", authorityAnnounced},
		{"authority changed, unannounced", authorityUnannounced},
	},
}

// TestDaemonFaults breaks daemons, with agents on both carriers.
func TestDaemonFaults(t *testing.T) {
	if noWorld != "" {
		t.Skip(noWorld)
	}
	t.Parallel()
	var all sync.WaitGroup
	for i, faults := range daemonFaults {
		all.Go(func() {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				c := adoptOnBothCarriers(t, 18444+i)
				for _, f := range faults {
					if !t.Run(f.name, func(t *testing.T) { f.run(t, c.in(t)) }) {
						return
					}
				}
			})
		})
	}
	all.Wait()
}

// adoptOnBothCarriers makes a cluster of two nodes at a daemon of its own.
func adoptOnBothCarriers(t *testing.T, port int) *adopted {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "authorities.pem")
	s := prepareServer(t, port, "--agents-ca-file", bundle, "--tls-check", "1s")
	s.bundle = bundle
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "tls"), 0o700))
	moveAuthority(t, s, newAuthority(t, bundle))
	s.begin(t)
	c := adopt(t, s, 2, 1)
	second := newAgent(t, s, c.sim.Node(nodeName(1)))
	second.mustRegister(c.token())
	require.NoError(t, os.WriteFile(filepath.Join(second.home, "etc", "agent.yaml"),
		[]byte("openecp: {tunnel: websocket}\n"), 0o600))
	second.start()
	c.connected(second, 10*time.Second)
	c.agents = append(c.agents, second)
	return c
}

// in is the cluster in another test.
func (c *adopted) in(t *testing.T) *adopted {
	other := *c
	other.t = t
	other.broken()
	return &other
}

// garbage: thousands of connections that say nothing or rubbish keep no agent out,
// and cost nothing when they are gone.
func garbage(t *testing.T, c *adopted) {
	before := footprintOf(t, c.s.process.PID())
	address := strings.TrimPrefix(c.s.url, "https://")
	var all []net.Conn
	t.Cleanup(func() {
		for _, conn := range all {
			_ = conn.Close()
		}
	})
	for i := range 4000 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		all = append(all, conn)
		if i%2 == 0 {
			_, err = conn.Write([]byte("\x16\x03\x01\xff\xff rubbish")[:1+i%10])
			require.NoError(t, err)
		}
	}
	c.broken()
	c.agents[0].kill()
	c.agents[0].start()
	c.connected(c.agents[0], 10*time.Second)
	noted(t, sight{state: ecp.Running, reason: ecp.ReasonAsExpected}, time.Since(c.fault), 10*time.Second)
	c.stays(5 * time.Second)
	for _, conn := range all {
		_ = conn.Close()
	}
	within(t, 20*time.Second, func() (bool, string) {
		after := footprintOf(t, c.s.process.PID())
		return after.sockets <= before.sockets+2, fmt.Sprintf("%+v, then %+v", before, after)
	})
	t.Logf("the daemon: %+v before, %+v after", before, footprintOf(t, c.s.process.PID()))
}

// restarted: agents come back by themselves, and what is shown does not change.
func restarted(how syscall.Signal) func(*testing.T, *adopted) {
	return func(t *testing.T, c *adopted) {
		c.s.process.End(how)
		c.s.begin(t)
		c.broken()
		for _, a := range c.agents {
			c.connected(a, comesBack)
		}
		noted(t, sight{state: ecp.Running, reason: ecp.ReasonAsExpected}, time.Since(c.fault), comesBack)
		c.stays(time.Since(c.fault) + time.Second)
	}
}

// certificateRenewed: connections stay as they are, and new ones take the new
// certificate.
func certificateRenewed(t *testing.T, c *adopted) {
	before := c.agentViews()
	require.NoError(t, os.Remove(filepath.Join(c.s.dir, "tls", "server.pem")))
	c.s.process.Signal(t, syscall.SIGHUP)
	within(t, 5*time.Second, func() (bool, string) {
		_, err := os.Stat(filepath.Join(c.s.dir, "tls", "server.pem"))
		return err == nil, "there is no new certificate"
	})
	c.stays(time.Second)
	require.ElementsMatch(t, sinceOf(before), sinceOf(c.agentViews()))
	c.agents[0].kill()
	c.agents[0].start()
	c.connected(c.agents[0], 5*time.Second)
	c.stays(2 * time.Second)
}

func sinceOf(views []agentView) (out []time.Time) {
	for _, v := range views {
		out = append(out, v.Since)
	}
	return out
}

// authorityAnnounced: both authorities are announced for a while, then the server
// shows a certificate of the new one. Agents that were connected all the time
// follow, too.
func authorityAnnounced(t *testing.T, c *adopted) {
	bundle := filepath.Join(filepath.Dir(c.s.bundle), "next.pem")
	next := newAuthority(t, bundle)
	old, err := os.ReadFile(c.s.bundle)
	require.NoError(t, err)
	fresh, err := os.ReadFile(bundle)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.s.bundle, append(old, fresh...), 0o600))
	for _, a := range c.agents {
		within(t, 10*time.Second, func() (bool, string) {
			kept, err := os.ReadFile(filepath.Join(a.home, "data", "identity.json"))
			require.NoError(t, err)
			return strings.Contains(string(kept),
				inIdentity(t, fresh)), "an agent that is connected does not know of the new authority"
		})
	}
	c.s.process.End(syscall.SIGTERM)
	moveAuthority(t, c.s, next)
	c.s.begin(t)
	c.broken()
	for _, a := range c.agents {
		c.connected(a, comesBack)
	}
	noted(t, sight{state: ecp.Running, reason: ecp.ReasonAsExpected}, time.Since(c.fault), comesBack)
	c.stays(time.Since(c.fault) + time.Second)
}

// authorityUnannounced: agents trust no stranger. Status says which command accepts
// the new authority.
func authorityUnannounced(t *testing.T, c *adopted) {
	a := c.agents[0]
	c.s.process.End(syscall.SIGTERM)
	moveAuthority(t, c.s, newAuthority(t, c.s.bundle))
	c.s.begin(t)
	c.broken()
	token := c.token()
	a.says(comesBack, "is signed by another CA than the one this agent trusts", "--ca-sha256 "+token.CASHA256)
	noted(t, sight{state: ecp.Running, reason: "unheard"}, time.Since(c.fault), comesBack)
	out, code := a.run("register", "--url", c.s.url, "--registration-token", token.Token, "--ca-sha256", token.CASHA256)
	require.Zero(t, code, out)
	c.connected(a, 5*time.Second)
}
