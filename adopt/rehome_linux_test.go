package adopt_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
)

// The agents of the benchmark are in a process of their own: both ends of so many
// connections are more files than one process may have open.
const perCluster = 5

// howMany returns OPENECP_BENCH_REHOME, or 10,000.
func howMany(b *testing.B) int {
	b.Helper()
	text := os.Getenv("OPENECP_BENCH_REHOME")
	if text == "" {
		return 10_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err)
	return n
}

// rehomeJob is what the process with the agents reads from its environment.
type rehomeJob struct {
	Agents  int
	Address string
	Pin     string
}

const rehomeEnv = "OPENECP_BENCH_AGENTS"

func rehomeNode(i int) string { return fmt.Sprintf("emqx@node-%d", i) }

func rehomeKey(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(i))
	return ed25519.NewKeyFromSeed(seed)
}

// TestRehomeAgents is not a test: it is the process with the agents, which runs until its
// standard input ends.
func TestRehomeAgents(t *testing.T) {
	raw := os.Getenv(rehomeEnv)
	if raw == "" {
		t.Skip("runs as a part of BenchmarkRehome only")
	}
	var job rehomeJob
	require.NoError(t, json.Unmarshal([]byte(raw), &job))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range job.Agents {
		key := rehomeKey(i)
		log := agentproto.NewReportLog(2)
		report := agentproto.Report{At: time.Now(), Node: rehomeNode(i), Version: "5.8.9", Edition: "enterprise"}
		for n := range perCluster {
			report.Members = append(report.Members, agentproto.Member{Name: rehomeNode(i/perCluster*perCluster + n),
				Status: agentproto.MemberRunning})
		}
		log.Append(report)
		public, _ := key.Public().(ed25519.PublicKey)
		config := agentproto.AgentConfig{Reports: log, Identity: agentproto.Identity{
			Agent: string(ecp.AgentIDOf(public)), Key: key, Server: "https://" + job.Address, ServerName: teamName,
			CASHA256: []string{job.Pin}}}
		if i == 0 && testing.Verbose() {
			config.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		agent, err := agentproto.NewAgent(config)
		require.NoError(t, err)
		group.Go(func() { _ = agent.Run(ctx) })
		if i%10 == 9 { // the server's queue of handshakes is not what is measured
			<-time.After(5 * time.Millisecond)
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	group.Wait()
}

// listenShared listens on a port that several listeners may have.
func listenShared(b *testing.B, address string) net.Listener {
	b.Helper()
	const reusePort = 15 // SO_REUSEPORT
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if failed := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, reusePort, 1)
		}); failed != nil {
			return failed
		}
		return err
	}}
	l, err := c.Listen(b.Context(), "tcp", address)
	require.NoError(b, err)
	return l
}

// BenchmarkRehome ends one of two daemons, which has 10,000 agents, and measures how long it
// takes until all of them are connected to the other one and have reported. The budget is 60
// seconds.
func BenchmarkRehome(b *testing.B) {
	for b.Loop() {
		rehome(b)
	}
}

func rehome(b *testing.B) {
	tm, rehomed := newTeamOf(b, 0), howMany(b)
	tm.timings = adopt.Timings{} // as they are
	tm.listen = func() net.Listener { return listenShared(b, "127.0.0.1:0") }
	one := tm.join(0)
	port := one.agents
	tm.listen = func() net.Listener { return listenShared(b, "127.0.0.1:0") }
	at := time.Now()
	ids := tm.registerMany(rehomed)
	b.Logf("registered after %s", time.Since(at))

	raw, err := json.Marshal(rehomeJob{rehomed, port, tm.pin})
	require.NoError(b, err)
	self, err := os.Executable()
	require.NoError(b, err)
	child := exec.CommandContext(b.Context(), self, "-test.run", "^TestRehomeAgents$", "-test.timeout", "20m",
		"-test.v")
	child.Env = append(os.Environ(), rehomeEnv+"="+string(raw))
	var said bytes.Buffer
	child.Stdout, child.Stderr = &said, os.Stderr
	stdin, err := child.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, child.Start())
	defer func() {
		_ = stdin.Close()
		require.NoError(b, child.Wait(), said.String())
	}()
	reported := func(d *daemon) (n int) {
		for _, id := range ids {
			for _, a := range d.hub.Observe(id).Agents {
				if a.Connected && a.Report != nil && !a.Report.At.Before(a.Since) {
					n++
				}
			}
		}
		return n
	}
	until := func(what string, is func() int) {
		for limit, tick := time.After(10*time.Minute), time.NewTicker(50*time.Millisecond); is() < rehomed; {
			select {
			case <-tick.C:
			case <-limit:
				require.Fail(b, what, "%d of %d", is(), rehomed)
			}
		}
	}
	until("connected", func() int { return reported(one) })
	b.Logf("connected after %s", time.Since(at))
	tm.listen = func() net.Listener { return listenShared(b, port) }
	two := tm.join(0)
	until("known to the other daemon", func() int { return reported(two) })
	b.Logf("known to the other daemon after %s", time.Since(at))
	here := func() int { return two.hub.Stats().Connected["direct"] }
	before := here()
	began := time.Now()
	one.halt()
	ended := time.Since(began)
	until("half of them connected again", func() int { return 2 * here() })
	b.Logf("half of them connected again after %s", time.Since(began))
	until("connected again", here)
	b.Logf("connected again after %s", time.Since(began))
	until("reported again", func() int { return reported(two) })
	b.ReportMetric(time.Since(began).Seconds(), "s-to-rehome")
	b.ReportMetric(ended.Seconds(), "s-to-end")
	b.ReportMetric(float64(rehomed-before), "agents")
}

// registerMany makes clusters with so many agents.
func (tm *team) registerMany(n int) (ids []ecp.ID) {
	t := tm.t
	t.Helper()
	m := tm.daemons[0]
	_, err := m.Catalog.UpdatePool(tm.as(), ecp.Pool{Connections: 1_000_000, Clusters: 10_000})
	require.NoError(t, err)
	var token ecp.Secret
	for i := range n {
		if i%perCluster == 0 {
			info, _, err := m.Create(tm.as(), fleet.CreateRequest{Mode: ecp.Adopted, Name: fmt.Sprint("c", i),
				Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
			require.NoError(t, err)
			_, token, err = m.Agents.CreateRegistration(tm.as(), info.ID, 0)
			require.NoError(t, err)
			ids = append(ids, info.ID)
		}
		public, _ := rehomeKey(i).Public().(ed25519.PublicKey)
		_, err = m.Agents.Register(tm.as(), ecp.AgentRegistration{Token: token, PublicKey: public})
		require.NoError(t, err)
	}
	return ids
}
