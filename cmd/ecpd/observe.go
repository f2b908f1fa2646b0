package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/httpapi"
	"github.com/openecp/openecp/sqlstore"
	"github.com/prometheus/client_golang/prometheus"
)

// timedStore measures the transactions of a store.
type timedStore struct {
	ecp.Store
	metrics *metrics
}

// Read measures a reading transaction.
func (s timedStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	defer s.measure("read", time.Now())
	return s.Store.Read(ctx, fn)
}

// Write measures a writing transaction.
func (s timedStore) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	defer s.measure("write", time.Now())
	return s.Store.Write(ctx, fn)
}

// Unwrap returns the measured Store, which may need care; see [ecp.StoreAs].
func (s timedStore) Unwrap() ecp.Store { return s.Store }

func (s timedStore) measure(access string, began time.Time) {
	s.metrics.store.WithLabelValues(access).Observe(time.Since(began).Seconds())
}

var fileSize = prometheus.NewDesc("ecpd_store_size_bytes",
	"Size of the database's files: database, and log of what is not yet in it.", []string{"file"}, nil)

// fileSizes collects the sizes of the database's files.
type fileSizes struct{ dataDir string }

// Describe sends the description of the one metric.
func (f *fileSizes) Describe(ch chan<- *prometheus.Desc) { ch <- fileSize }

// Collect leaves out a file that is not there.
func (f *fileSizes) Collect(ch chan<- prometheus.Metric) {
	database, log := sqlstore.Files(f.dataDir)
	for label, name := range map[string]string{"database": database, "log": log} {
		if info, err := os.Stat(name); err == nil {
			ch <- prometheus.MustNewConstMetric(fileSize, prometheus.GaugeValue, float64(info.Size()), label)
		}
	}
}

// withStreams counts the streams of events that a handler serves.
func (m *metrics) withStreams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &streamWriter{ResponseWriter: w, metrics: m, begins: func() { shrinkBuffer(r.Context()) }}
		defer s.end()
		next.ServeHTTP(s, r)
	})
}

// blocked is how long a write that fails must have waited for the client to count as
// slow. With HTTP/2, the error does not tell that a deadline was the reason.
const blocked = 5 * time.Second

// streamWriter finds out whether a response is a stream, and how it breaks.
type streamWriter struct {
	http.ResponseWriter
	metrics *metrics
	begins  func() // called if the response is a stream
	stream  bool
	lost    string // why it broke; empty if it did not
}

// WriteHeader counts a stream that begins.
func (s *streamWriter) WriteHeader(status int) {
	if !s.stream && httpapi.IsEventStream(s.Header()) {
		s.stream = true
		s.metrics.streams.Inc()
		s.begins()
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write records why it failed.
func (s *streamWriter) Write(b []byte) (int, error) {
	began := time.Now()
	n, err := s.ResponseWriter.Write(b)
	s.note(err, began)
	return n, err
}

// FlushError is called by http.ResponseController.
func (s *streamWriter) FlushError() error {
	began := time.Now()
	err := http.NewResponseController(s.ResponseWriter).Flush()
	s.note(err, began)
	return err
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *streamWriter) note(err error, began time.Time) {
	switch {
	case err == nil || s.lost != "":
	case errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) >= blocked:
		s.lost = lostSlow
	default:
		s.lost = lostGone
	}
}

func (s *streamWriter) end() {
	if !s.stream {
		return
	}
	s.metrics.streams.Dec()
	if s.lost != "" {
		s.metrics.lost.WithLabelValues(s.lost).Inc()
	}
}
