package main_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
)

// BenchmarkAgents holds one daemon (TLS with its own authority, SQLite) against
// many agents that run in this process, three to a cluster, as the budgets want:
//
//	OPENECP_AGENTS=5000 go test -run '^$' -bench Agents -timeout 30m ./cmd/ecpd
//
// The number is 300 if it is not given. OPENECP_PROFILES names a folder for
// profiles of the daemon, OPENECP_ONLY=memory leaves out what comes after memory.
// What it takes of memory is told twice: at peace, as an operator sees it, and with
// the garbage collected. Figures of time depend on the
// machine, and on what else runs there: the load is told beside them.
func BenchmarkAgents(b *testing.B) {
	for _, mode := range []agentproto.TunnelMode{agentproto.TunnelDirect, agentproto.TunnelWebSocket} {
		b.Run(string(mode), func(b *testing.B) { benchmarkAgents(b, mode) })
	}
}

func agentsWanted(b *testing.B) int {
	b.Helper()
	n := 300
	if s := os.Getenv("OPENECP_AGENTS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(b, err, "OPENECP_AGENTS")
	}
	var limit syscall.Rlimit
	require.NoError(b, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	require.NoError(b, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	require.Greater(b, limit.Cur, uint64(2*n),
		"each agent is a connection, which is open here and there: raise the limit of open files")
	return n
}

func benchmarkAgents(b *testing.B, mode agentproto.TunnelMode) {
	n := agentsWanted(b)
	f := newFleet(b, mode, n)
	for registered := false; b.Loop(); registered = true {
		if !registered { // once: few are there before the time of a benchmark is up
			f.register()
		}
	}
	b.ReportMetric(0, "ns/op")
	f.awaits("all report", func(m page) bool {
		return m.agents(mode) == n &&
			m["openecp_agent_reports_total"] >= float64(n)
	})
	f.memory()
	if os.Getenv("OPENECP_ONLY") == "memory" { // what an agent costs takes a minute, all else ten
		return
	}
	f.idle()
	f.lists()
	f.floods()
	f.restarts("restart", func(p *process) { p.End(syscall.SIGTERM) })
	f.restarts("kill", (*process).Kill)
	b.ReportMetric(loadAverage(b), "load")
}

// register lets agents come at 50/s, one of each cluster, and then the others as
// fast as they may.
func (f *agentFleet) register() {
	f.b.Helper()
	const rate = 50
	running := f.running()
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	first := f.agents[:0:0]
	for i, a := range f.agents {
		if i%agentsOfCluster == 0 {
			first = append(first, a)
		}
	}
	began := make(map[string]time.Time, len(first))
	var took []time.Duration
	for _, a := range first {
		<-tick.C
		began[a.cluster] = time.Now()
		f.work.Go(func() { a.register(f) })
	}
	patience := time.After(time.Minute)
	for len(took) < len(first) {
		select {
		case r := <-running:
			if at, ok := began[r.id]; ok {
				took = append(took, r.at.Sub(at))
				delete(began, r.id)
			}
		case <-patience:
			f.b.Fatalf("%d clusters of %d run", len(took), len(first))
		}
	}
	f.percentiles("token-to-running", took)

	since, cpu := time.Now(), f.cpu()
	f.each(32, func(a *fleetAgent) {
		if !a.registered() {
			a.register(f)
		}
	})
	rest := float64(len(f.agents) - len(first))
	f.b.ReportMetric(rest/time.Since(since).Seconds(), "registrations/s")
	f.b.ReportMetric((f.cpu()-cpu).Seconds()*1000/rest, "cpu-ms/registration")
}

// memory tells what an agent costs: the difference to the daemon without them.
func (f *agentFleet) memory() {
	f.b.Helper()
	n := float64(len(f.agents))
	<-time.After(20 * time.Second) // two reports of each
	f.b.ReportMetric((f.resident("VmRSS")-f.bare.rss)/n, "KiB/agent-uncollected")
	f.profile("heap", "goroutine")
	now := f.holds()
	f.hook("/settle")
	f.keep("memstats", "/debug/pprof/heap?debug=1")
	f.b.ReportMetric(f.bare.rss/1024, "MiB-bare")
	f.b.ReportMetric((now.rss-f.bare.rss)/n, "KiB/agent")
	f.b.ReportMetric((now.made-f.bare.made)/n, "KiB/agent-anonymous")
	f.b.ReportMetric((now.heap-f.bare.heap)/n, "KiB/agent-heap")
	f.b.ReportMetric((now.stacks-f.bare.stacks)/n, "KiB/agent-stacks")
	f.b.ReportMetric(float64(now.goroutines-f.bare.goroutines)/n, "goroutines/agent")
}

// idle tells what a fleet costs that does nothing but report.
func (f *agentFleet) idle() {
	f.b.Helper()
	const during = 30 * time.Second
	before, cpu := f.page(), f.cpu()
	done := f.profileCPU("idle", during)
	<-time.After(during)
	<-done
	after := f.page()
	f.b.ReportMetric(100*(f.cpu()-cpu).Seconds()/during.Seconds(), "cpu%-idle")
	f.b.ReportMetric((after["openecp_agent_reports_total"]-before["openecp_agent_reports_total"])/during.Seconds(),
		"reports/s-idle")
	f.b.ReportMetric(after.writes()-before.writes(), "writes-idle")
	f.b.ReportMetric(after["openecp_passes_total"]-before["openecp_passes_total"], "passes-idle")
}

// lists tells how long the API takes while all are connected.
func (f *agentFleet) lists() {
	f.b.Helper()
	for name, path := range map[string]string{
		"list": "/api/v1/clusters?limit=50&sort=name&state=running", "get": "/api/v1/clusters/" + f.agents[0].cluster,
		"agents": "/api/v1/clusters/" + f.agents[0].cluster + "/agents", "metrics": "/metrics",
	} {
		var took []time.Duration
		for range 100 {
			began := time.Now()
			f.call("GET", path, "", nil, 200)
			took = append(took, time.Since(began))
		}
		f.percentiles(name, took)
	}
}

// floods lets every agent send more reports than the daemon takes at once, the
// same each time, and then such that move every cluster.
func (f *agentFleet) floods() {
	f.b.Helper()
	const rounds = 20
	f.pause(true)
	defer f.pause(false)
	for _, flood := range []struct {
		name   string
		rounds int
		down   func(round int) bool
	}{
		{"same", rounds, func(int) bool { return false }},
		{"changing", 4, func(round int) bool { return round < 2 }},
	} {
		before, cpu, began := f.page(), f.cpu(), time.Now()
		want := before["openecp_agent_reports_total"] + float64(flood.rounds*len(f.agents))
		done := f.profileCPU("flood-"+flood.name, 3*time.Second)
		for round := range flood.rounds {
			for _, a := range f.agents {
				a.report(flood.down(round))
			}
			if flood.name == "changing" { // a state moves when it is seen twice, a second apart
				<-time.After(1100 * time.Millisecond)
			}
		}
		f.awaits("the reports are taken", func(m page) bool { return m["openecp_agent_reports_total"] >= want })
		took := time.Since(began)
		f.awaits("the clusters are settled", func(m page) bool { return m["openecp_queue_depth"] == 0 })
		after := f.page()
		reports := float64(flood.rounds * len(f.agents))
		<-done
		if flood.name == "same" {
			f.b.ReportMetric(reports/took.Seconds(), "reports/s")
			f.b.ReportMetric((f.cpu()-cpu).Seconds()*1e6/reports, "cpu-µs/report")
			f.b.ReportMetric(after.writes()-before.writes(), "writes-same")
			continue
		}
		f.b.ReportMetric((f.cpu()-cpu).Seconds()*1e6/reports, "cpu-µs/report-changing")
		f.b.ReportMetric((after.writes()-before.writes())/float64(f.clusters()), "writes/cluster-changing")
		f.b.ReportMetric(time.Since(began).Seconds(), "s-changing")
	}
}

// restarts ends the daemon and starts it again: all come back by themselves.
func (f *agentFleet) restarts(name string, end func(*process)) {
	f.b.Helper()
	n := len(f.agents)
	gone := time.Now()
	end(f.process)
	f.b.ReportMetric(time.Since(gone).Seconds(), "s-end-"+name)
	began := time.Now()
	f.start()
	f.b.ReportMetric(time.Since(began).Seconds(), "s-ready-"+name)
	done := f.profileCPU(name, 10*time.Second)
	f.awaits("all are back", func(m page) bool { return m.agents(f.mode) == n })
	f.b.ReportMetric(time.Since(began).Seconds(), "s-back-"+name)
	f.awaits("all have reported", func(m page) bool { return m["openecp_agent_reports_total"] >= float64(n) })
	f.b.ReportMetric(time.Since(began).Seconds(), "s-reported-"+name)
	f.awaits("the clusters are settled", func(m page) bool { return m["openecp_queue_depth"] == 0 })
	<-done
	m := f.page()
	f.b.ReportMetric(m.writes(), "writes-"+name)
	f.b.ReportMetric(m["openecp_passes_total"], "passes-"+name)
	f.b.ReportMetric(f.cpu().Seconds(), "cpu-s-"+name)
	f.b.ReportMetric(float64(f.refusals(m)), "refusals-"+name)
}

func (f *agentFleet) percentiles(name string, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		f.b.ReportMetric(float64(took[(len(took)-1)*p/100])/1e6, fmt.Sprintf("ms-%s-p%d", name, p))
	}
}
