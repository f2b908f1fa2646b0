package main

import (
	"context"
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

// stream counts a stream of events while it is open, and how it ends.
func (m *metrics) stream(ctx context.Context) (ended func(httpapi.StreamEnd)) {
	m.streams.Inc()
	shrinkBuffer(ctx)
	return func(end httpapi.StreamEnd) {
		m.streams.Dec()
		if end != httpapi.StreamDone {
			m.lost.WithLabelValues(string(end)).Inc()
		}
	}
}
