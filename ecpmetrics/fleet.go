package ecpmetrics

import (
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/prometheus/client_golang/prometheus"
)

// fleet is what is known of clusters and operations from their changes.
type fleetMetrics struct {
	ended    *prometheus.CounterVec
	duration *prometheus.HistogramVec

	mu         sync.Mutex
	known      bool // read once and followed since; guarded by mu, as all below
	clusters   map[string]place
	operations map[string]work // those that have not ended
}

// place is where a cluster stands.
type place struct {
	mode  ecp.Mode
	state ecp.State
	stale bool
}

// work is an operation that has not ended.
type work struct {
	kind  ecp.OperationKind
	phase ecp.Phase
}

var (
	clustersDesc = describe("clusters", "Clusters by mode and state; every state of a mode is there.", "mode",
		"state")
	staleDesc = describe("stale_clusters",
		"Clusters that could not be looked at when it was last tried; their state is the last one known.", "mode")
	operationsDesc = describe("operations", "Operations that have not ended, by kind and phase.", "kind", "phase")
)

// kinds and the phases are shown from the start, so that a rate has a zero to
// begin at.
var (
	kinds = []ecp.OperationKind{ecp.OpCreate, ecp.OpStart, ecp.OpStop, ecp.OpRestart, ecp.OpUpdate, ecp.OpRepair,
		ecp.OpTakeOver, ecp.OpPutBack, ecp.OpDelete}
	openPhases  = []ecp.Phase{ecp.PhaseQueued, ecp.PhaseRunning}
	finalPhases = []ecp.Phase{ecp.PhaseSucceeded, ecp.PhaseFailed, ecp.PhaseCancelled, ecp.PhaseSuperseded}
)

// seconds are the bounds of durations: EMQX nodes take some seconds to some
// minutes to start, and each waits for the one before it.
var seconds = []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600}

func newFleet() *fleetMetrics {
	f := &fleetMetrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "openecp_operations_ended_total",
			Help: "Operations that have ended while the daemon ran, by kind and final phase.",
		}, []string{"kind", "phase"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "openecp_operation_duration_seconds",
			Help:    "Time from the command to the end of an operation that has succeeded or failed, by kind.",
			Buckets: seconds,
		}, []string{"kind"}),
		clusters: map[string]place{}, operations: map[string]work{},
	}
	for _, k := range kinds {
		for _, p := range finalPhases {
			f.ended.WithLabelValues(string(k), string(p))
		}
		f.duration.WithLabelValues(string(k))
	}
	return f
}

// replace takes a fleet that was read whole.
func (f *fleetMetrics) replace(clusters map[string]place, operations map[string]work) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clusters, f.operations, f.known = clusters, operations, true
}

// lose leaves the fleet out until it is read again.
func (f *fleetMetrics) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = false
}

// apply takes one change.
func (f *fleetMetrics) apply(c ecp.Change) {
	switch p := c.Payload.(type) {
	case ecp.ClusterRecord:
		f.mu.Lock()
		defer f.mu.Unlock()
		if c.Deleted {
			delete(f.clusters, c.Key)
			return
		}
		f.clusters[c.Key] = placeOf(p)
	case ecp.Operation:
		f.applyOperation(c, p)
	}
}

func placeOf(r ecp.ClusterRecord) place {
	return place{r.Mode, r.Status.State, !r.Status.StaleFrom.IsZero()}
}

func (f *fleetMetrics) applyOperation(c ecp.Change, o ecp.Operation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case c.Deleted:
		delete(f.operations, c.Key)
	case !o.Phase.Final():
		f.operations[c.Key] = work{o.Kind, o.Phase}
	default:
		delete(f.operations, c.Key)
		f.ended.WithLabelValues(string(o.Kind), string(o.Phase)).Inc()
		if o.Phase == ecp.PhaseSucceeded || o.Phase == ecp.PhaseFailed {
			f.duration.WithLabelValues(string(o.Kind)).Observe(max(0, o.EndedAt.Sub(o.CreatedAt)).Seconds())
		}
	}
}

func (f *fleetMetrics) describe(ch chan<- *prometheus.Desc) {
	ch <- clustersDesc
	ch <- staleDesc
	ch <- operationsDesc
	f.ended.Describe(ch)
	f.duration.Describe(ch)
}

func (f *fleetMetrics) collect(ch chan<- prometheus.Metric) {
	f.ended.Collect(ch)
	f.duration.Collect(ch)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known {
		return
	}
	at, stale, open := f.countLocked()
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	for _, mode := range []ecp.Mode{ecp.Hosted, ecp.Adopted} {
		for _, state := range mode.StateMachine().States() {
			gauge(clustersDesc, at[place{mode: mode, state: state}], string(mode), string(state))
		}
		gauge(staleDesc, stale[mode], string(mode))
	}
	for w, n := range open {
		gauge(operationsDesc, n, string(w.kind), string(w.phase))
	}
}

// countLocked counts clusters by place, stale ones by mode, and operations,
// with a zero for each known kind.
func (f *fleetMetrics) countLocked() (at map[place]int, stale map[ecp.Mode]int, open map[work]int) {
	at, stale, open = map[place]int{}, map[ecp.Mode]int{}, map[work]int{}
	for _, p := range f.clusters {
		at[place{mode: p.mode, state: p.state}]++
		if p.stale {
			stale[p.mode]++
		}
	}
	for _, k := range kinds {
		for _, p := range openPhases {
			open[work{k, p}] = 0
		}
	}
	for _, w := range f.operations {
		open[w]++
	}
	return at, stale, open
}

// longer is the pause after one more failure.
func longer(pause, first time.Duration) time.Duration {
	return slices.Max([]time.Duration{first, min(2*pause, 30*time.Second)})
}
