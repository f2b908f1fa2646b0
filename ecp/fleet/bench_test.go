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
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// aFleet gives a Manager with running clusters of one node, worked on by hand
// with a clock that a test moves.
func aFleet(t testing.TB, n int) (*fleet.Manager, *emqxsim.Provisioner, []ecp.ID, func(time.Duration)) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	sim, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{Now: clock})
	require.NoError(t, err)
	m, err := fleet.New(context.Background(), fleet.Config{
		Store: memstore.New(), Provisioners: map[string]ecp.Provisioner{
			"default": sim,
		}, Adapters: []ecp.Adapter{emqxv5.New(emqxv5.Config{})}, Now: clock,
	})
	require.NoError(t, err)
	m.SetTick(clock)
	ids := make([]ecp.ID, n)
	for i := range ids {
		info, _, err := m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: fmt.Sprint("c", i), Spec: spec("", 1)})
		require.NoError(t, err)
		ids[i] = info.ID
	}
	look := func(after time.Duration) {
		now = now.Add(after)
		for _, id := range ids {
			m.Pass(context.Background(), id)
		}
	}
	for range 5 {
		look(3 * time.Second)
	}
	page, err := m.Clusters(asSystem(), ecp.ListOptions{State: ecp.Running, Limit: ecp.MaxListLimit})
	require.NoError(t, err)
	require.Len(t, page.Items, min(n, ecp.MaxListLimit))
	return m, sim, ids, look
}

// nothingWritten fails if anything was stored or applied meanwhile.
func nothingWritten(t testing.TB, m *fleet.Manager, sim *emqxsim.Provisioner, do func()) {
	stats, writes := m.Stats(), sim.Writes()
	do()
	after := m.Stats()
	require.Equal(t, stats.Writes, after.Writes, "writes to the store")
	require.Equal(t, stats.Applies, after.Applies, "calls of Apply")
	require.Equal(t, writes, sim.Writes(), "writes to the platform")
}

func TestANoOpPassWritesNothing(t *testing.T) {
	m, sim, _, look := aFleet(t, 20)
	asked := m.Stats().Asked
	nothingWritten(t, m, sim, func() {
		for range 10 {
			look(10 * time.Second)
		}
	})
	require.Greater(t, m.Stats().Asked, asked, "EMQX was asked meanwhile")
}

// BenchmarkNoOpPass is a full pass over 1,000 running clusters, with EMQX asked
// on every second one.
func BenchmarkNoOpPass(b *testing.B) {
	m, sim, ids, look := aFleet(b, 1000)
	nothingWritten(b, m, sim, func() {
		for b.Loop() {
			look(10 * time.Second)
		}
	})
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(ids)), "µs/cluster")
}

// BenchmarkList lists 50 of 10,000 clusters, filtered; the budget is 20 ms for
// 99 of 100.
func BenchmarkList(b *testing.B) {
	store := memstore.New()
	m, err := fleet.New(context.Background(), fleet.Config{Store: store})
	require.NoError(b, err)
	require.NoError(b, store.Write(context.Background(), func(tx ecp.Tx) error {
		for i := range 10_000 {
			rec := ecp.ClusterRecord{
				ID:      ecp.ID(fmt.Sprintf("emqx-%08x", i*7919)),
				Name:    fmt.Sprint("Cluster ", i),
				Project: "default/default",
				Mode:    ecp.Adopted,
				Spec:    ecp.Spec{Adopted: &ecp.AdoptedSpec{}},
				Status: ecp.Status{
					State:      []ecp.State{ecp.Running, ecp.Abnormal}[i%100/99],
					Conditions: make([]ecp.Condition, 8),
				},
			}
			if err := ecp.Put(tx, rec, 0); err != nil {
				return err
			}
		}
		return nil
	}))
	for name, o := range map[string]ecp.ListOptions{
		"page":    {Limit: 50},
		"name":    {Limit: 50, Sort: ecp.SortName, Descending: true},
		"version": {Limit: 50, Sort: ecp.SortVersion, State: ecp.Running},
		"state":   {Limit: 50, State: ecp.Abnormal},
		"query":   {Limit: 50, Query: "ter 999"},
		"none":    {Limit: 50, Query: "nothing like it"},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				_, err := m.Clusters(asSystem(), o)
				took = append(took, time.Since(start))
				require.NoError(b, err)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
		})
	}
}
