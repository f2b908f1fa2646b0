package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkEngines does the same on SQLite and on PostgreSQL, each durable on this
// machine's disk: one record and its change in a transaction, and 50 of 10,000 clusters.
// It reports PostgreSQL's median as a multiple of SQLite's.
func BenchmarkEngines(b *testing.B) {
	server := pgtest.Start(b, "fsync=on")
	plans := func(c *sqlstore.Config) { c.URL += "&default_query_exec_mode=cache_statement" }
	folder := openIn(b, b.TempDir())
	for name, s := range map[string]*sqlstore.Store{
		"as through a pooler": openAt(b, server.Database(b)), "statements kept": openAt(b, server.Database(b), plans),
	} {
		b.Run("write, "+name, func(b *testing.B) {
			var ours, theirs []time.Duration
			for i := 0; b.Loop(); i++ {
				r := record(0)
				r.Revision = int64(i)
				theirs = append(theirs, timed(func() { put(b, folder, r) }))
				ours = append(ours, timed(func() { put(b, s, r) }))
			}
			compare(b, ours, theirs)
		})
		for i := 0; i < 10_000; i += 500 {
			var batch []ecp.Payload
			for n := range 500 {
				batch = append(batch, record(i+n))
			}
			put(b, s, batch...)
			put(b, folder, batch...)
		}
		for what, q := range map[string]ecp.Query{
			"first 50": {Limit: 50}, "50 of a project": {Limit: 50, Project: "org/p42"}, "all": {},
		} {
			b.Run(fmt.Sprintf("list %s, %s", what, name), func(b *testing.B) {
				var ours, theirs []time.Duration
				for b.Loop() {
					theirs = append(theirs, timed(func() { listed(b, folder, q) }))
					ours = append(ours, timed(func() { listed(b, s, q) }))
				}
				compare(b, ours, theirs)
			})
		}
	}
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func listed(b *testing.B, s ecp.Store, q ecp.Query) {
	b.Helper()
	require.NoError(b, s.Read(b.Context(), func(tx ecp.Tx) error {
		for _, err := range ecp.List[ecp.ClusterRecord](tx, q) {
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func compare(b *testing.B, postgres, sqlite []time.Duration) {
	b.Helper()
	b.ReportMetric(ms(percentile(postgres, 50)), "p50-ms")
	b.ReportMetric(ms(percentile(postgres, 99)), "p99-ms")
	b.ReportMetric(ms(percentile(sqlite, 50)), "p50-ms-sqlite")
	b.ReportMetric(ms(percentile(sqlite, 99)), "p99-ms-sqlite")
	b.ReportMetric(float64(percentile(postgres, 50))/float64(percentile(sqlite, 50)), "x-sqlite")
}
