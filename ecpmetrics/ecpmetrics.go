// Package ecpmetrics shows a Manager to Prometheus. It holds nothing itself:
// every number is read from the Manager when it is scraped, the counters from
// memory, the clusters and the pool from the store. A scrape never asks a
// cluster, takes [Patience] at most, and where the store does not answer in
// time it leaves out what it could not read and counts that.
package ecpmetrics

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openecp/openecp/ecp"
)

// Patience bounds how long one scrape waits for the store.
const Patience = 5 * time.Second

// Register adds the metrics of a Manager to a registry; all names begin with
// openecp_. It fails where they are registered there already: give each
// Manager of a process a registry of its own, or one wrapped with a label.
func Register(reg prometheus.Registerer, m *ecp.Manager) error {
	if err := reg.Register(&collector{manager: m}); err != nil {
		return fmt.Errorf("register metrics of the manager: %w", err)
	}
	return nil
}

type collector struct {
	manager *ecp.Manager
	failed  atomic.Uint64 // reads of the store that did not work
}

// counter is a metric that the Manager counts by itself.
type counter struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(ecp.Stats) float64
}

var counters = []counter{
	{describe("passes_total", "Looks at a cluster with what followed from them."), prometheus.CounterValue, func(s ecp.Stats) float64 { return float64(s.Passes) }},
	{describe("applies_total", "Calls that made a platform converge towards a spec."), prometheus.CounterValue, func(s ecp.Stats) float64 { return float64(s.Applies) }},
	{describe("apply_failures_total", "Calls to converge or remove a cluster that failed; they are repeated."), prometheus.CounterValue, func(s ecp.Stats) float64 { return float64(s.ApplyFailures) }},
	{describe("writes_total", "Writes to the store by passes; a pass that finds nothing new makes none."), prometheus.CounterValue, func(s ecp.Stats) float64 { return float64(s.Writes) }},
	{describe("broker_asks_total", "Questions to the management API of an EMQX node."), prometheus.CounterValue, func(s ecp.Stats) float64 { return float64(s.Asked) }},
	{describe("broker_silent_total", "Passes in which no asked EMQX node of a cluster answered."), prometheus.CounterValue, func(s ecp.Stats) float64 { return float64(s.Silent) }},
	{describe("queue_depth", "Clusters that wait for a worker."), prometheus.GaugeValue, func(s ecp.Stats) float64 { return float64(s.Queue) }},
}

// booking is a number of the pool.
type booking struct {
	desc *prometheus.Desc
	read func(ecp.Pool) float64
}

var bookings = []booking{
	{describe("pool_connections_used", "MQTT connections that are booked."), func(p ecp.Pool) float64 { return float64(p.UsedConnections) }},
	{describe("pool_connections_limit", "MQTT connections that can be booked in all; +Inf where they are not limited."), func(p ecp.Pool) float64 { return limit(p.Connections) }},
	{describe("pool_clusters_used", "Clusters that are booked."), func(p ecp.Pool) float64 { return float64(p.UsedClusters) }},
	{describe("pool_clusters_limit", "Clusters that can be booked in all; +Inf where they are not limited."), func(p ecp.Pool) float64 { return limit(p.Clusters) }},
}

var (
	clusters = describe("clusters", "Clusters by mode and state; every state of a mode is there.", "mode", "state")
	failures = describe("metrics_failures_total", "Reads of the store for metrics that failed; what they would have shown is left out.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("openecp_"+name, help, labels, nil)
}

// limit shows "unlimited", 0 in the pool, as what it is.
func limit(n int) float64 {
	if n == 0 {
		return math.Inf(1)
	}
	return float64(n)
}

// Describe names every metric, for the registry.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range counters {
		ch <- m.desc
	}
	for _, m := range bookings {
		ch <- m.desc
	}
	ch <- clusters
	ch <- failures
}

// Collect reads everything once.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	stats := c.manager.Stats()
	for _, m := range counters {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.read(stats))
	}
	// A collector is handed no context; this is where its calls begin.
	ctx, cancel := context.WithTimeout(ecp.WithActor(context.Background(), ecp.System), Patience) //nolint:forbidigo // as said above
	defer cancel()
	if pool, err := c.manager.Pool(ctx); err == nil {
		for _, m := range bookings {
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.read(pool))
		}
	} else {
		c.failed.Add(1)
	}
	if counts, err := c.manager.CountByState(ctx); err == nil {
		collectClusters(ch, counts)
	} else {
		c.failed.Add(1)
	}
	ch <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(c.failed.Load()))
}

func collectClusters(ch chan<- prometheus.Metric, counts map[ecp.Mode]map[ecp.State]int) {
	for _, mode := range []ecp.Mode{ecp.Hosted, ecp.Adopted} {
		for _, state := range ecp.States(mode) {
			ch <- prometheus.MustNewConstMetric(clusters, prometheus.GaugeValue, float64(counts[mode][state]), string(mode), string(state))
		}
	}
}
