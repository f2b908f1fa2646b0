package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// BenchmarkClusters holds one daemon with its simulator against many hosted clusters of
// three nodes: until all run, at peace, and after a restart. What the simulated brokers
// cost is in it.
//
//	OPENECP_CLUSTERS=1000 go test -run '^$' -bench Clusters -benchtime 1x -timeout 30m ./cmd/ecpd
//
// The number is 100 if it is not given. The load of the machine is told beside the figures.
func BenchmarkClusters(b *testing.B) {
	n := 100
	if s := os.Getenv("OPENECP_CLUSTERS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(b, err, "OPENECP_CLUSTERS")
	}
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "data")
		d := dev(b, dir)
		<-time.After(3 * time.Second) // whatever a start does is over
		b.ReportMetric(float64(memoryOf(b, d.PID(), "VmRSS"))/1024, "MiB-idle")
		d.call(b, "PATCH", "/api/v1/pool", `{"clusters": 100000, "connections": 100000000}`, nil, 200)

		began := time.Now()
		d.createMany(b, n)
		b.ReportMetric(time.Since(began).Seconds(), "s-asked")
		d.counts(b, "all run", func(m map[string]float64) bool {
			return m[`openecp_clusters{mode="hosted",state="running"}`] == float64(n)
		})
		b.ReportMetric(time.Since(began).Seconds(), "s-running")
		b.ReportMetric(cpuOf(b, d.process).Seconds(), "cpu-s-running")
		d.atPeace(b, n, "")

		d.End(syscall.SIGTERM)
		began = time.Now()
		d = dev(b, dir)
		d.counts(b, "all were observed", func(m map[string]float64) bool {
			return m["openecp_passes_total"] >= float64(n) && m["openecp_queue_depth"] == 0 &&
				m[`openecp_stale_clusters{mode="hosted"}`] == 0
		})
		b.ReportMetric(time.Since(began).Seconds(), "s-fresh-after-restart")
		d.atPeace(b, n, "-after-restart")
		d.End(syscall.SIGTERM)
	}
	b.ReportMetric(loadAverage(b), "load")
	b.ReportMetric(0, "ns/op")
}

// createMany asks for n clusters, sixteen at once.
func (d *daemon) createMany(b *testing.B, n int) {
	b.Helper()
	var all sync.WaitGroup
	turn := make(chan struct{}, 16)
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			a, err := d.try("POST", "/api/v1/clusters", request(fmt.Sprint("c", i), 3))
			if err != nil || a.status != 202 {
				b.Errorf("create: %v %s", err, a.body)
			}
			<-turn
		})
	}
	all.Wait()
}

// atPeace tells what a fleet costs in which nothing happens.
func (d *daemon) atPeace(b *testing.B, n int, when string) {
	b.Helper()
	before, cpu := d.metrics(b), cpuOf(b, d.process)
	const watched = 30 * time.Second
	<-time.After(watched)
	after := d.metrics(b)
	rss := float64(memoryOf(b, d.PID(), "VmRSS"))
	b.ReportMetric(100*(cpuOf(b, d.process)-cpu).Seconds()/watched.Seconds(), "cpu-%"+when)
	b.ReportMetric(after["openecp_passes_total"]-before["openecp_passes_total"], "passes"+when)
	b.ReportMetric(after["openecp_writes_total"]-before["openecp_writes_total"], "writes"+when)
	b.ReportMetric(after["openecp_applies_total"]-before["openecp_applies_total"], "applies"+when)
	b.ReportMetric(rss/1024, "MiB"+when)
	b.ReportMetric(rss/float64(n), "KiB/cluster"+when)
}

func (d *daemon) metrics(b *testing.B) map[string]float64 {
	b.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(string(d.call(b, "GET", "/metrics", "", nil, 200).body)) {
		i := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64); err == nil && i > 0 {
			out[line[:i]] = v
		}
	}
	return out
}

func (d *daemon) counts(b *testing.B, what string, done func(map[string]float64) bool) {
	b.Helper()
	processtest.Eventually(b, 20*time.Minute, func() (bool, string) {
		m := d.metrics(b)
		return done(m), fmt.Sprintf("not so: %s; %v passes, %v queued, %v run", what, m["openecp_passes_total"],
			m["openecp_queue_depth"], m[`openecp_clusters{mode="hosted",state="running"}`])
	})
}
