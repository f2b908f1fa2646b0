// Package ecpmetrics shows a Manager to Prometheus. [New] makes the metrics and
// [Metrics.Run] follows the fleet's changes for them, so that a scrape asks no
// cluster and reads nothing of the store but the pool, the quotas and the certificates,
// however large the fleet is. No metric has a label that grows with it: quotas and
// certificates are set one by one.
package ecpmetrics

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/prometheus/client_golang/prometheus"
)

// Patience bounds how long one scrape waits for the store.
const Patience = 5 * time.Second

// Config is what the metrics are made of. Manager is required.
type Config struct {
	Manager *fleet.Manager
	// Logger is told when the fleet cannot be followed; nil = nothing is logged.
	Logger *slog.Logger
	// Retry is the time before the fleet is read again after that; 0 = a second.
	Retry time.Duration
}

// Metrics is a prometheus.Collector; all its names begin with openecp_. A
// registry takes one of them: give each Manager of a process a registry of its
// own, or one wrapped with a label.
type Metrics struct {
	manager *fleet.Manager
	log     *slog.Logger
	retry   time.Duration
	failed  atomic.Uint64 // reads of the store that did not work
	fleet   *fleetMetrics
}

// New makes the metrics and starts nothing. Until Run runs, what it follows is
// left out of the page. It fails where the Manager is missing.
func New(c Config) (*Metrics, error) {
	if c.Manager == nil {
		return nil, errors.New("ecpmetrics: Config.Manager is missing; fleet.New makes one")
	}
	m := &Metrics{manager: c.Manager, log: c.Logger, retry: c.Retry, fleet: newFleet()}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.retry <= 0 {
		m.retry = time.Second
	}
	return m, nil
}

// counter is a metric that the Manager counts by itself.
type counter struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(fleet.Stats) float64
}

var counters = []counter{
	{describe("passes_total", "Looks at a cluster with what followed from them."), prometheus.CounterValue,
		func(s fleet.Stats) float64 { return float64(s.Passes) }},
	{describe("applies_total", "Calls that made a platform converge towards a spec."), prometheus.CounterValue,
		func(s fleet.Stats) float64 { return float64(s.Applies) }},
	{describe("apply_failures_total", "Calls to converge or remove a cluster that failed; they are repeated."),
		prometheus.CounterValue, func(s fleet.Stats) float64 { return float64(s.ApplyFailures) }},
	{describe("writes_total", "Writes to the store by passes; a pass that finds nothing new makes none."),
		prometheus.CounterValue, func(s fleet.Stats) float64 { return float64(s.Writes) }},
	{describe("broker_asks_total", "Questions to the management API of an EMQX node."), prometheus.CounterValue,
		func(s fleet.Stats) float64 { return float64(s.Asked) }},
	{describe("broker_silent_total", "Passes in which no asked EMQX node of a cluster answered."),
		prometheus.CounterValue, func(s fleet.Stats) float64 { return float64(s.Silent) }},
	{describe("unrecorded_clusters",
		"Clusters that are there and that no record knows, as last seen; they are left alone until somebody decides."),
		prometheus.GaugeValue, func(s fleet.Stats) float64 { return float64(s.Unrecorded) }},
	{describe("foreign_members", "Members of EMQX clusters that are no nodes of their cluster, as last seen; repair "+
		"removes those that have stopped."), prometheus.GaugeValue,
		func(s fleet.Stats) float64 { return float64(s.ForeignMembers) }},
	{describe("queue_depth", "Clusters that wait for a worker."), prometheus.GaugeValue,
		func(s fleet.Stats) float64 { return float64(s.Queue) }},
}

// booking is a number of the pool.
type booking struct {
	desc *prometheus.Desc
	read func(ecp.Pool) float64
}

var bookings = []booking{
	{describe("pool_connections_used", "MQTT connections that are booked."),
		func(p ecp.Pool) float64 { return float64(p.UsedConnections) }},
	{describe("pool_connections_limit", "MQTT connections that can be booked in all; +Inf where they are not limited."),
		func(p ecp.Pool) float64 { return limit(p.Connections) }},
	{describe("pool_clusters_used", "Clusters that are booked."),
		func(p ecp.Pool) float64 { return float64(p.UsedClusters) }},
	{describe("pool_clusters_limit", "Clusters that can be booked in all; +Inf where they are not limited."),
		func(p ecp.Pool) float64 { return limit(p.Clusters) }},
}

// quotaUsed and quotaLimit have a label that names an organisation or a project.
var (
	quotaUsed = describe("quota_connections_used",
		"MQTT connections that are booked of a quota with a limit; of is an organisation, or org/project.", "of")
	quotaLimit = describe("quota_connections_limit", "MQTT connections that can be booked of a quota.", "of")
)

// certificateExpiry has a label that names an entry of the catalog.
var certificateExpiry = describe("certificate_expiry_timestamp_seconds",
	"When a certificate of the catalog, which clusters serve, stops being valid, as seconds since 1970.", "certificate")

// contestedDesc is the one metric whose label is not ours: how the programs call
// themselves that undo what a platform was asked for.
var contestedDesc = describe("contested_objects",
	"Objects of clusters that somebody else keeps changing back, by that one's field manager; empty = not known.",
	"manager")

// contestedManagers is how many field managers are shown by name; those beyond
// are added up as "other".
const contestedManagers = 10

func (m *Metrics) collectContested(ch chan<- prometheus.Metric, by map[string]int) {
	named, other := map[string]int{"": by[""]}, 0
	for _, manager := range slices.Sorted(maps.Keys(by)) {
		if len(named) <= contestedManagers || manager == "" {
			named[manager] = by[manager]
		} else {
			other += by[manager]
		}
	}
	if other > 0 {
		named["other"] += other
	}
	for manager, n := range named {
		ch <- prometheus.MustNewConstMetric(contestedDesc, prometheus.GaugeValue, float64(n),
			strings.ToValidUTF8(manager, "?"))
	}
}

var failures = describe("metrics_failures_total",
	"Reads of the store for metrics that failed; what they would have shown is left out.")

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

func (m *Metrics) collectQuotas(ctx context.Context, ch chan<- prometheus.Metric) {
	quotas, err := m.manager.Directory.Quotas(ctx)
	if err != nil {
		m.failed.Add(1)
		return
	}
	for _, q := range quotas {
		ch <- prometheus.MustNewConstMetric(quotaUsed, prometheus.GaugeValue, float64(q.UsedConnections), q.Of)
		ch <- prometheus.MustNewConstMetric(quotaLimit, prometheus.GaugeValue, float64(q.Connections), q.Of)
	}
}

func (m *Metrics) collectCertificates(ctx context.Context, ch chan<- prometheus.Metric) {
	all, err := m.manager.Catalog.Certificates.List(ctx)
	if err != nil {
		m.failed.Add(1)
		return
	}
	for _, c := range all {
		ends := float64(c.NotAfter.Unix())
		ch <- prometheus.MustNewConstMetric(certificateExpiry, prometheus.GaugeValue, ends, c.Name)
	}
}

// Describe names every metric, for the registry.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range counters {
		ch <- c.desc
	}
	for _, b := range bookings {
		ch <- b.desc
	}
	ch <- quotaUsed
	ch <- quotaLimit
	ch <- certificateExpiry
	ch <- contestedDesc
	ch <- failures
	describeAgents(ch)
	m.fleet.describe(ch)
}

// Collect sends every metric as it is now.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	stats := m.manager.Stats()
	for _, c := range counters {
		ch <- prometheus.MustNewConstMetric(c.desc, c.kind, c.read(stats))
	}
	m.collectContested(ch, stats.Contested)
	collectAgents(ch, stats.Agents)
	// A collector is handed no context; this is where its calls begin.
	//nolint:forbidigo // as said above
	ctx, cancel := context.WithTimeout(ecp.WithActor(context.Background(), ecp.System), Patience)
	defer cancel()
	if pool, err := m.manager.Pool(ctx); err == nil {
		for _, b := range bookings {
			ch <- prometheus.MustNewConstMetric(b.desc, prometheus.GaugeValue, b.read(pool))
		}
	} else {
		m.failed.Add(1)
	}
	m.collectQuotas(ctx, ch)
	m.collectCertificates(ctx, ch)
	m.fleet.collect(ch)
	ch <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, float64(m.failed.Load()))
}
