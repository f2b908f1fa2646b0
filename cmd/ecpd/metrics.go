package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecpmetrics"
	"github.com/openecp/openecp/httpapi"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the metrics of the fleet and of the daemon itself, in a registry of their
// own. No label holds what a client wrote or what grows with the fleet: there are as
// many routes, methods and statuses as the API has.
type metrics struct {
	registry *prometheus.Registry
	fleet    *ecpmetrics.Metrics

	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	streams  prometheus.Gauge
	lost     *prometheus.CounterVec
	store    *prometheus.HistogramVec
	reloads  *prometheus.CounterVec
}

// How a reload ends.
const (
	reloadDone   = "success"
	reloadFailed = "failure"
)

// durationBuckets fit responses from memory and the database, in seconds. The last ones
// are for requests that wait for an operation.
var durationBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: durationBuckets}
		return prometheus.NewHistogramVec(opts, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("ecpd_http_requests_total",
			"Answered requests to the API; route is empty where there is no such path.", "method", "route", "code"),
		took: histogram("ecpd_http_request_duration_seconds",
			"Time to answer a request to the API; streams of events are left out, requests with wait= are not.",
			"method", "route"),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ecpd_event_streams", Help: "Streams of events that are open.",
		}),
		lost: counter("ecpd_event_streams_lost_total", "Streams of events that broke, by reason: "+
			"slow = cut off because the client did not read, gone = its connection broke.", "reason"),
		store: histogram("ecpd_store_duration_seconds",
			"Time of a transaction of the database, with the wait for its turn: only one writes at a time.", "access"),
		reloads: counter("ecpd_reloads_total",
			"Attempts to take a changed certificate or, with SIGHUP, the settings anew.", "result"),
	}
	for _, end := range []httpapi.StreamEnd{httpapi.StreamSlow, httpapi.StreamGone} {
		m.lost.WithLabelValues(string(end))
	}
	for _, result := range []string{reloadDone, reloadFailed} {
		m.reloads.WithLabelValues(result)
	}
	return m
}

// register registers everything that can be scraped of a daemon, whose Manager is there.
func (m *metrics) register(d *daemon) (err error) {
	if m.fleet, err = ecpmetrics.New(ecpmetrics.Config{Manager: d.manager, Logger: d.log}); err != nil {
		return err
	}
	all := []prometheus.Collector{
		m.fleet, m.requests, m.took, m.streams, m.lost, m.store, m.reloads, buildMetric(),
		&fileSizes{d.config.dataDir},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ecpd_daemons_unheard",
			Help: "Other daemons on the same database that this one cannot reach over the network.",
		}, func() float64 { return float64(len(d.unheard())) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	if pair := d.certificate; pair != nil {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ecpd_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificate in use stops being valid, as seconds since 1970.",
		}, func() float64 { return float64(pair.notAfter().Unix()) }))
	}
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// page serves the metrics. What cannot be collected is left out.
func (m *metrics) page() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// request counts a response of the API.
func (m *metrics) request(o httpapi.Observation) {
	m.requests.WithLabelValues(o.Method, o.Route, strconv.Itoa(o.Status)).Inc()
	if !o.Stream {
		m.took.WithLabelValues(o.Method, o.Route).Observe(o.Took.Seconds())
	}
}

// reload counts an attempt to reload.
func (m *metrics) reload(err error) {
	result := reloadDone
	if err != nil {
		result = reloadFailed
	}
	m.reloads.WithLabelValues(result).Inc()
}

// buildMetric has the build in its labels, and always the value 1.
func buildMetric() prometheus.Collector {
	b := buildInfo()
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ecpd_build_info", Help: "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "goversion": b.Go},
	})
	g.Set(1)
	return g
}

// metricsOnly serves /metrics without a token, and nothing else.
func metricsOnly(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return mux
}

// withMetrics serves /metrics beside the API, to system administrators only, because the
// page shows every project.
func withMetrics(api, metrics http.Handler, m *fleet.Manager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			api.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, ecp.CodeUnsupported, "/metrics takes GET and HEAD")
			return
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, http.StatusUnauthorized, ecp.CodeDenied, "send a token: Authorization: Bearer TOKEN")
			return
		}
		actor, err := m.Accounts.Authenticate(r.Context(), strings.TrimSpace(token))
		switch {
		case ecp.CodeOf(err) == ecp.CodeDenied:
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			problem(w, http.StatusUnauthorized, ecp.CodeDenied, ecp.MessageOf(err))
		case err != nil:
			problem(w, http.StatusInternalServerError, ecp.CodeInternal, ecp.MessageOf(err))
		case !actor.May(ecp.RightAdmin, ""):
			problem(w, http.StatusForbidden, ecp.CodeDenied,
				"metrics show every project; only a system administrator may read them")
		default:
			metrics.ServeHTTP(w, r)
		}
	})
}

// problemBody is an error as the API writes it (RFC 9457).
type problemBody struct {
	Type   string   `json:"type"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Code   ecp.Code `json:"code"`
	Detail string   `json:"detail"`
}

// problem writes an error in the form that the API has.
func problem(w http.ResponseWriter, status int, code ecp.Code, detail string) {
	b, err := json.Marshal(problemBody{"about:blank", http.StatusText(status), status, code, detail})
	if err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // it fails only if the client has closed the connection
}
