package sqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// record gives a cluster of usual size: 1.5 KB of JSON.
func record(i int) ecp.ClusterRecord {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := ecp.ClusterRecord{
		ID: ecp.ID(fmt.Sprintf("emqx-%08x", i)), Name: fmt.Sprintf("cluster %d", i),
		Project: fmt.Sprintf("org/p%d", i%100), Mode: ecp.Hosted,
		CreatedAt: at, UpdatedAt: at, Generation: 1, Revision: 1,
		Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 3, Size: "1C1G", Connections: 1000,
			Config: map[string]string{"mqtt.max_packet_size": "1MB"}}},
		Resolved: ecp.Resolved{Image: ecp.DefaultImages()[2], Size: ecp.DefaultSizes()[0]},
		Status: ecp.Status{State: ecp.Running, Since: at, Auth: "7d1c7c5e-0000",
			Volumes: map[int]string{0: "a", 1: "b", 2: "c"}},
	}
	for _, t := range []ecp.ConditionType{ecp.CondAccepted, ecp.CondProvisioned, ecp.CondAvailable, ecp.CondReady,
		ecp.CondSettled, ecp.CondHealthy} {
		c.Status.Conditions = append(c.Status.Conditions,
			ecp.Condition{Type: t, Status: ecp.True, Reason: ecp.ReasonByRequest, Since: at})
	}
	return c
}

// percentile gives the p-th percentile of what was measured.
func percentile(took []time.Duration, p int) time.Duration {
	slices.Sort(took)
	return took[min(len(took)*p/100, len(took)-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkWrite writes one record and its change per transaction, in turn
// with the same two statements through bare SQLite with the same settings on
// the same disk.
func BenchmarkWrite(b *testing.B) {
	s := openIn(b, b.TempDir())
	put(b, s, record(0))
	bare := bareSQLite(b, b.TempDir())
	var ours, theirs []time.Duration
	for i := 0; b.Loop(); i++ {
		r := record(0)
		r.Revision = int64(i)
		began := time.Now()
		require.NoError(b, s.Write(b.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, r, ecp.AnyVersion) }))
		ours = append(ours, time.Since(began))
		began = time.Now()
		bare(r)
		theirs = append(theirs, time.Since(began))
	}
	b.ReportMetric(ms(percentile(ours, 50)), "p50-ms")
	b.ReportMetric(ms(percentile(ours, 99)), "p99-ms")
	b.ReportMetric(float64(percentile(ours, 50))/float64(percentile(theirs, 50)), "x-bare-sqlite")
}

// bareSQLite gives a function that stores a cluster and a change with nothing
// of ours in between.
func bareSQLite(b *testing.B, dir string) func(ecp.ClusterRecord) {
	b.Helper()
	require.NoError(b, sqlOnly(b, dir).Close())
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ecpd.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	db.SetMaxOpenConns(1)
	ctx := context.WithoutCancel(b.Context())
	seq := 1
	return func(r ecp.ClusterRecord) {
		seq++
		payload, err := json.Marshal(r)
		require.NoError(b, err)
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(b, err)
		_, err = tx.ExecContext(ctx, "UPDATE records SET version = ?, at = ?, payload = ? WHERE kind = 'cluster' AND "+
			"key = ?", seq, seq, string(payload), string(r.ID))
		require.NoError(b, err)
		_, err = tx.ExecContext(ctx, "INSERT INTO changes VALUES (?, ?, 'cluster', ?, ?, ?, '', ?, 0, ?)",
			seq, seq, string(r.ID), r.Project, r.Name, string(r.Status.State), string(payload))
		require.NoError(b, err)
		require.NoError(b, tx.Commit())
	}
}

// sqlOnly makes a database with one record.
func sqlOnly(b *testing.B, dir string) *sqlstore.Store {
	b.Helper()
	s := openIn(b, dir)
	put(b, s, record(0))
	return s
}

// BenchmarkList reads 50 of 10,000 clusters. The budget for a filtered list is
// a p99 below 20 ms.
func BenchmarkList(b *testing.B) {
	const clusters = 10_000
	s := openIn(b, fastDir(b))
	for i := 0; i < clusters; i += 500 {
		var batch []ecp.Payload
		for n := range 500 {
			batch = append(batch, record(i+n))
		}
		put(b, s, batch...)
	}
	for _, c := range []struct {
		name  string
		query ecp.Query
		want  func(ecp.ClusterRecord) bool // filters that are not the store's
	}{
		{"first 50", ecp.Query{Limit: 50}, nil},
		{"50 from the middle", ecp.Query{Limit: 50, After: "emqx-00001388"}, nil},
		{"50 of a project", ecp.Query{Limit: 50, Project: "org/p42"}, nil},
		{"all, looking for one", ecp.Query{}, func(c ecp.ClusterRecord) bool { return c.Name == "cluster 9999" }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began, n := time.Now(), 0
				require.NoError(b, s.Read(b.Context(), func(tx ecp.Tx) error {
					for r, err := range ecp.List[ecp.ClusterRecord](tx, c.query) {
						if err != nil {
							return err
						}
						if c.want == nil || c.want(r) {
							n++
						}
					}
					return nil
				}))
				took = append(took, time.Since(began))
				if c.want == nil {
					require.Equal(b, 50, n)
				}
			}
			b.ReportMetric(ms(percentile(took, 50)), "p50-ms")
			b.ReportMetric(ms(percentile(took, 99)), "p99-ms")
		})
	}
}

// BenchmarkManagerList asks a Manager for a page of 10,000 clusters, filtered
// and sorted, with nothing written meanwhile and with one write before every
// list. The budget is a p99 below 20 ms.
func BenchmarkManagerList(b *testing.B) {
	const clusters = 10_000
	s := openIn(b, fastDir(b))
	m, err := fleet.New(b.Context(), fleet.Config{Store: s})
	require.NoError(b, err)
	for i := 0; i < clusters; i += 500 {
		var batch []ecp.Payload
		for n := range 500 {
			batch = append(batch, record(i+n))
		}
		put(b, s, batch...)
	}
	ctx := ecp.WithActor(b.Context(), ecp.System)
	for name, o := range map[string]ecp.ListOptions{
		"by id":                    {},
		"by name, of a state":      {Sort: ecp.SortName, State: ecp.Running},
		"by version, downwards":    {Sort: ecp.SortVersion, Descending: true, Mode: ecp.Hosted},
		"by creation, of a name":   {Sort: ecp.SortCreated, Query: "cluster 99"},
		"by name, of a project":    {Sort: ecp.SortName, Project: "org/p42"},
		"by name, nothing matches": {Sort: ecp.SortName, Query: "nothing like it"},
	} {
		for _, busy := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s, busy=%t", name, busy), func(b *testing.B) {
				o.Limit = 50
				var took []time.Duration
				for n := 0; b.Loop(); n++ {
					if busy {
						b.StopTimer()
						r := record(n % clusters)
						r.Status.State = []ecp.State{ecp.Running, ecp.Degraded}[n%2]
						put(b, s, r)
						b.StartTimer()
					}
					began := time.Now()
					_, err := m.Clusters(ctx, o)
					took = append(took, time.Since(began))
					require.NoError(b, err)
				}
				b.ReportMetric(ms(percentile(took, 50)), "p50-ms")
				b.ReportMetric(ms(percentile(took, 99)), "p99-ms")
			})
		}
	}
}

// BenchmarkOpen opens a store that is there already.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	require.NoError(b, openIn(b, dir).Close())
	for b.Loop() {
		s, err := sqlstore.Open(b.Context(), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
		require.NoError(b, err)
		require.NoError(b, s.Close())
	}
}
