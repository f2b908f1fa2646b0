package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkFleet sums up 10,000 adopted clusters with an agent each, and lists what
// Prometheus is to scrape of them; the budget is that of lists, 20 ms for 99 of 100.
func BenchmarkFleet(b *testing.B) {
	store, link := memstore.New(), &fleet.FakeLink{}
	m, err := fleet.New(context.Background(), fleet.Config{Store: store, Link: link})
	require.NoError(b, err)
	require.NoError(b, store.Write(context.Background(), func(tx ecp.Tx) error {
		for i := range 10_000 {
			rec := ecp.ClusterRecord{
				ID:      ecp.ID(fmt.Sprintf("emqx-%08x", i*7919)),
				Name:    fmt.Sprint("Cluster ", i),
				Project: "default/default",
				Mode:    ecp.Adopted,
				Spec:    ecp.Spec{Adopted: &ecp.AdoptedSpec{}},
				Status:  ecp.Status{State: ecp.Running, Version: []string{"5.8.9", "4.4.24"}[i%2]},
			}
			if err := ecp.Put(tx, rec, 0); err != nil {
				return err
			}
			link.Show(rec.ID, ecp.AgentObservation{Agent: "agt-1", Connected: true, Report: &ecp.AgentReport{
				At: time.Now().Add(time.Hour), Node: "emqx@a", Description: ecp.Description{Nodes: []ecp.BrokerNode{{
					Name:        "emqx@a",
					Status:      ecp.NodeRunning,
					Connections: 3,
				}, {Name: "emqx@b"}, {Name: "emqx@c"}}},
			}})
		}
		return nil
	}))
	for name, do := range map[string]func() error{
		"overview": func() error { _, err := m.Monitor.Overview(asSystem(), ""); return err },
		"targets":  func() error { _, err := m.Monitor.ScrapeTargets(asSystem(), ecp.ListOptions{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				err := do()
				took = append(took, time.Since(start))
				require.NoError(b, err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
		})
	}
}
