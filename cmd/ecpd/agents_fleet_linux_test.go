package main_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/processtest"
)

// agentsOfCluster is how many nodes each cluster of a fleet has.
const agentsOfCluster = 3

// reportEvery is how often an agent reports by itself.
const reportEvery = 10 * time.Second

// fleet is a daemon, and agents that run in this process.
type agentFleet struct {
	*process
	b       *testing.B
	mode    agentproto.TunnelMode
	binary  string
	dir     string
	address string
	token   string
	http    *http.Client
	agents  []*fleetAgent
	work    sync.WaitGroup
	paused  atomic.Bool // nobody reports by itself

	bare bare // of the daemon without agents
}

// bare is what a daemon takes without agents, memory in KiB.
type bare struct {
	rss, made, heap, stacks float64
	goroutines              int
}

// fleetAgent is one agent of a simulated broker.
type fleetAgent struct {
	cluster, token, ca string
	node               int
	reports            *agentproto.ReportLog
	started            atomic.Bool
}

// newFleet starts a daemon with the clusters that agents are to register with.
func newFleet(b *testing.B, mode agentproto.TunnelMode, n int) *agentFleet {
	b.Helper()
	f := &agentFleet{b: b, mode: mode, binary: hooked(b), dir: b.TempDir(),
		address: processtest.FreeAddress(b)}
	f.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		// it is the daemon that we have started
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 16,
	}}
	programs := filepath.Join(f.dir, "agents")
	require.NoError(b, os.Mkdir(programs, 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(programs, "emqxee-agent-linux-amd64"),
		[]byte("\x7fELF: guides tell its sum"), 0o755))
	b.Cleanup(func() { // its context has ended by then
		f.work.Wait()
		f.http.CloseIdleConnections()
	})
	f.start()
	f.call("PATCH", "/api/v1/pool", `{"clusters": 100000}`, nil, 200)
	f.agents = make([]*fleetAgent, n)
	tokens := make([]struct{ ID, Token, CASHA256 string }, (n+agentsOfCluster-1)/agentsOfCluster)
	parallel(8, len(tokens), func(i int) {
		f.call("POST", "/api/v1/clusters", fmt.Sprintf(`{"mode":"adopted","name":"site %d"}`, i), &tokens[i], 201)
		f.call("POST", "/api/v1/clusters/"+tokens[i].ID+"/setup", `{"method":"binary","arch":"amd64"}`, &tokens[i], 201)
	})
	for i := range f.agents {
		t := tokens[i/agentsOfCluster]
		f.agents[i] = &fleetAgent{cluster: t.ID, token: t.Token, ca: t.CASHA256, node: i % agentsOfCluster,
			reports: agentproto.NewReportLog(32)}
	}
	f.bare = f.holds()
	return f
}

// holds collects garbage and tells what is left.
func (f *agentFleet) holds() (out bare) {
	f.b.Helper()
	f.hook("/settle")
	out.rss, out.made = f.resident("VmRSS"), f.resident("RssAnon")
	out.goroutines = f.goroutines()
	out.heap, out.stacks = f.runtimeMemory()
	return out
}

// hooked is the daemon as it is built for users, with the hook of testdata.
func hooked(b *testing.B) string {
	b.Helper()
	here, err := os.Getwd()
	require.NoError(b, err)
	overlay := filepath.Join(b.TempDir(), "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(here,
		"hook.go"): filepath.Join(here, "testdata", "hook.go.txt")}})
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(overlay, text, 0o600))
	return processtest.Program(b, "./cmd/ecpd", "-overlay", overlay)
}

// start starts the daemon, at the same address each time.
func (f *agentFleet) start() {
	f.b.Helper()
	_ = os.Remove(f.socket())
	f.process = launchProgram(f.b, f.binary, f.dir,
		[]string{"ECPD_HOOK=" + f.socket(), "GODEBUG=" + os.Getenv("GODEBUG"), "GOGC=" + os.Getenv("GOGC")},
		"serve", "--dev", "--tls-auto", "--listen", f.address, "--data-dir", filepath.Join(f.dir,
			"data"), "--agents-dir", filepath.Join(f.dir, "agents"), "--log-level", "warn")
	f.Line(f.b, readyLine)
	token, err := os.ReadFile(filepath.Join(f.dir, "data", "token"))
	require.NoError(f.b, err)
	f.token = strings.TrimSpace(string(token))
}

func (f *agentFleet) clusters() int { return (len(f.agents) + agentsOfCluster - 1) / agentsOfCluster }

// each does something with every agent, so many at a time.
func (f *agentFleet) each(atOnce int, do func(*fleetAgent)) {
	parallel(atOnce, len(f.agents), func(i int) { do(f.agents[i]) })
}

func parallel(atOnce, n int, do func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}

func (f *agentFleet) pause(yes bool) { f.paused.Store(yes) }

func (a *fleetAgent) registered() bool { return a.started.Load() }

// register redeems the token, and then the agent runs until the fleet ends.
func (a *fleetAgent) register(f *agentFleet) {
	a.started.Store(true)
	hello := agentproto.Hello{Version: "1.0.0", OS: "linux", Arch: "amd64",
		Hostname: fmt.Sprintf("%s-%d", a.cluster, a.node)}
	id, err := agentproto.Register(f.b.Context(),
		agentproto.RegisterConfig{URL: "https://" + f.address, Token: a.token, CASHA256: []string{a.ca}, Hello: hello})
	if err != nil {
		f.b.Errorf("register: %v", err)
		return
	}
	a.report(false)
	is, err := agentproto.NewAgent(agentproto.AgentConfig{
		Identity: id, Tunnel: f.mode, Reports: a.reports, Hello: func() agentproto.Hello { return hello },
	})
	if err != nil {
		f.b.Errorf("agent: %v", err)
		return
	}
	f.work.Go(func() {
		if err := is.Run(f.b.Context()); err != nil {
			f.b.Errorf("run: %v", err)
		}
	})
	f.work.Go(func() { a.reportForEver(f) })
}

func (a *fleetAgent) reportForEver(f *agentFleet) {
	timer := time.NewTimer(rand.N(reportEvery))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if !f.paused.Load() {
				a.report(false)
			}
			timer.Reset(reportEvery)
		case <-f.b.Context().Done():
			return
		}
	}
}

// report tells what a real broker of three nodes would be reported to be, with one
// node down if it is.
func (a *fleetAgent) report(down bool) {
	at := time.Now()
	r := agentproto.Report{
		At: at, Node: a.nodeName(a.node), Version: "5.8.9", Edition: "Enterprise", Uptime: time.Hour,
		Connections: 3000 + rand.N(100), Limit: 10000, LimitCall: true, LicenseType: 1, Dashboard: true,
	}
	for i := range agentsOfCluster {
		m := agentproto.Member{Name: a.nodeName(i), Status: agentproto.MemberRunning, Role: "core", Version: "5.8.9",
			UptimeMS: at.UnixMilli() & 0xffffff, Connections: 1000 + rand.N(30)}
		if down && i == agentsOfCluster-1 {
			m.Status = agentproto.MemberStopped
		}
		r.Members = append(r.Members, m)
	}
	a.reports.Append(r)
}

func (a *fleetAgent) nodeName(i int) string { return fmt.Sprintf("emqx@%s-%d.internal", a.cluster, i) }

// call sends a request to the API that must come to one of the statuses.
func (f *agentFleet) call(method, path, body string, out any, status int) {
	f.b.Helper()
	b := f.send(f.http, "https://"+f.address+path, method, body, status)
	if out != nil {
		require.NoError(f.b, json.Unmarshal(b, out), "%s", b)
	}
}

func (f *agentFleet) send(client *http.Client, url, method, body string, status int) []byte {
	f.b.Helper()
	req, err := http.NewRequestWithContext(f.b.Context(), method, url, strings.NewReader(body))
	require.NoError(f.b, err)
	req.Header.Set("Authorization", "Bearer "+f.token)
	if body != "" {
		req.Header.Set("Content-Type",
			map[bool]string{true: "application/merge-patch+json", false: "application/json"}[method == "PATCH"])
	}
	res, err := client.Do(req)
	require.NoError(f.b, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(f.b, err)
	require.Equal(f.b, status, res.StatusCode, "%s %s: %s", method, url, b)
	return b
}

// arrival is when a cluster was seen to run.
type arrival struct {
	id string
	at time.Time
}

// running follows the events of the daemon, and tells when clusters run.
func (f *agentFleet) running() <-chan arrival {
	f.b.Helper()
	req, err := http.NewRequestWithContext(f.b.Context(), http.MethodGet, "https://"+f.address+"/api/v1/events",
		http.NoBody)
	require.NoError(f.b, err)
	req.Header.Set("Authorization", "Bearer "+f.token)
	res, err := (&http.Client{Transport: f.http.Transport}).Do(req)
	require.NoError(f.b, err)
	require.Equal(f.b, 200, res.StatusCode)
	out := make(chan arrival, len(f.agents))
	f.work.Go(func() {
		defer res.Body.Close()
		lines := bufio.NewReaderSize(res.Body, 64<<10)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			var e struct{ Kind, Key, State string }
			if text, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(text), &e) == nil &&
				e.Kind == "cluster" && e.State == "running" {
				select {
				case out <- arrival{e.Key, time.Now()}:
				default:
				}
			}
		}
	})
	return out
}

// page is what /metrics shows.
type page map[string]float64

func (f *agentFleet) page() page {
	f.b.Helper()
	out := page{}
	for line := range strings.Lines(string(f.send(f.http, "https://"+f.address+"/metrics", "GET", "", 200))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = v
		}
	}
	return out
}

func (m page) writes() float64 { return m[`ecpd_store_duration_seconds_count{access="write"}`] }

func (m page) agents(mode agentproto.TunnelMode) int {
	return int(m[fmt.Sprintf(`openecp_agents{carrier=%q,state="connected"}`, mode)])
}

func (f *agentFleet) refusals(m page) (n int) {
	for name, v := range m {
		if strings.HasPrefix(name, "openecp_agent_refusals_total") {
			n += int(v)
		}
	}
	return n
}

// awaits waits for what the metrics show.
func (f *agentFleet) awaits(what string, done func(page) bool) {
	f.b.Helper()
	for began := time.Now(); ; <-time.After(200 * time.Millisecond) {
		m := f.page()
		if done(m) {
			return
		}
		if time.Since(began) > 3*time.Minute {
			f.b.Fatalf("it is not so that %s: %v", what, m)
		}
	}
}
