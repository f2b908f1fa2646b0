package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openecp/openecp/ecp"
)

// timedStore measures the transactions of a store.
type timedStore struct {
	ecp.Store
	metrics *metrics
}

// Read measures one that reads.
func (s timedStore) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	defer s.measure("read", time.Now())
	return s.Store.Read(ctx, fn)
}

// Write measures one that writes.
func (s timedStore) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	defer s.measure("write", time.Now())
	return s.Store.Write(ctx, fn)
}

// Purge removes old changes, where the store keeps them until then.
func (s timedStore) Purge(ctx context.Context, before time.Time) (int64, error) {
	if p, ok := s.Store.(ecp.Purger); ok {
		return p.Purge(ctx, before)
	}
	return 0, nil
}

func (s timedStore) measure(access string, began time.Time) {
	s.metrics.store.WithLabelValues(access).Observe(time.Since(began).Seconds())
}

// databaseFile is how sqlstore names its file; the log of what is not yet in it
// has "-wal" at its end.
const databaseFile = "ecpd.db"

var fileSize = prometheus.NewDesc("ecpd_store_size_bytes", "Size of the database's files: database, and log of what is not yet in it.", []string{"file"}, nil)

// fileSizes tells how large the database is.
type fileSizes struct{ database string }

// Describe names the one metric.
func (f *fileSizes) Describe(ch chan<- *prometheus.Desc) { ch <- fileSize }

// Collect looks at the files; one that is not there is left out.
func (f *fileSizes) Collect(ch chan<- prometheus.Metric) {
	for label, name := range map[string]string{"database": f.database, "log": f.database + "-wal"} {
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

// blocked is how long a write that then fails has to wait before the client
// counts as slow. HTTP/2 does not say that a deadline was the reason.
const blocked = 5 * time.Second

// streamWriter sees whether an answer is a stream, and how it broke.
type streamWriter struct {
	http.ResponseWriter
	metrics *metrics
	begins  func() // called when the answer turns out to be a stream
	stream  bool
	lost    string // why it broke; "" = it did not
}

// WriteHeader counts a stream that begins.
func (s *streamWriter) WriteHeader(status int) {
	if !s.stream && strings.HasPrefix(s.Header().Get("Content-Type"), "text/event-stream") {
		s.stream = true
		s.metrics.streams.Inc()
		s.begins()
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write remembers why it failed.
func (s *streamWriter) Write(b []byte) (int, error) {
	began := time.Now()
	n, err := s.ResponseWriter.Write(b)
	s.note(err, began)
	return n, err
}

// FlushError sends what was written; http.ResponseController calls it.
func (s *streamWriter) FlushError() error {
	began := time.Now()
	err := http.NewResponseController(s.ResponseWriter).Flush()
	s.note(err, began)
	return err
}

// Unwrap lets http.ResponseController reach the server's own writer.
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
