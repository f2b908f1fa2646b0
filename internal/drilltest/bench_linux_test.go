package drilltest

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// BenchmarkDaemons lets one, two and three daemons make 1,000 clusters of one node (or
// OPENECP_BENCH_CLUSTERS), and then look after them for half a minute. All of them are in one
// process on one machine, with the database: what is measured is what sharing costs, not
// what more machines bring. It reports for both parts the passes and the transactions of the
// database in a second.
func BenchmarkDaemons(b *testing.B) {
	clusters := 1000
	if s := os.Getenv("OPENECP_BENCH_CLUSTERS"); s != "" {
		var err error
		clusters, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	for n := 1; n <= 3; n++ {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server := pgtest.Start(b, "max_connections=200")
			w := newWorld(b, server, n, nil)
			require.NoError(b, w.direct.Write(b.Context(), func(tx ecp.Tx) error {
				pool := ecp.Pool{Connections: 1 << 30, Clusters: 1 << 20, Revision: 2}
				if err := ecp.Put(tx, pool, ecp.AnyVersion); err != nil {
					return err
				}
				return ecp.Put(tx, ecp.Quota{Of: project, Connections: 0, Revision: 2}, ecp.AnyVersion)
			}))
			for b.Loop() {
				l := w.load(server)
				w.thousand(b, clusters)
				took := l.report(b, "making")
				b.ReportMetric(float64(clusters)/took.Seconds(), "clusters/s")
				w.settle()
				l = w.load(server)
				<-time.After(30 * time.Second)
				l.report(b, "idle")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// thousand makes clusters by all daemons in turn, and waits until all run.
func (w *world) thousand(b *testing.B, n int) {
	b.Helper()
	var asking sync.WaitGroup
	for i, s := range w.seats {
		m := s.runs().manager
		asking.Go(func() {
			for c := i; c < n; c += len(w.seats) {
				_, _, err := m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Project: project,
					Name: fmt.Sprint("c", c), Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: "emqx-ee-5.8.9", Nodes: 1,
						Connections: 10}}})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	asking.Wait()
	waitFor(b, 20*time.Minute, "all run", func() (bool, string) {
		left := 0
		require.NoError(b, w.direct.Read(b.Context(), func(tx ecp.Tx) error {
			left = n
			for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
				if err != nil {
					return err
				}
				if r.Status.State == ecp.Running {
					left--
				}
			}
			return nil
		}))
		return left == 0, fmt.Sprint(left, " do not")
	})
}

// load is what daemons and the database have done until a moment.
type load struct {
	*world
	server              *pgtest.Server
	at                  time.Time
	passes              uint64
	commits, rows, seqs int64
}

func (w *world) load(server *pgtest.Server) load {
	l := load{world: w, server: server, at: time.Now()}
	for _, s := range w.seats {
		l.passes += s.runs().manager.Stats().Passes
	}
	name, _, _ := strings.Cut(path.Base(w.url), "?")
	server.Get(w.t, server.URL("postgres"), "SELECT xact_commit, tup_returned FROM pg_stat_database WHERE datname = '"+
		name+"'", &l.commits, &l.rows)
	err := w.direct.Read(context.Background(), func(tx ecp.Tx) (err error) { l.seqs, err = tx.Seq(); return err })
	require.NoError(w.t, err)
	return l
}

func (l load) report(b *testing.B, what string) time.Duration {
	b.Helper()
	now := l.world.load(l.server)
	took := now.at.Sub(l.at)
	per := func(n float64) float64 { return n / took.Seconds() }
	b.ReportMetric(per(float64(now.passes-l.passes)), "passes/s-"+what)
	b.ReportMetric(per(float64(now.commits-l.commits)), "tx/s-"+what)
	b.ReportMetric(per(float64(now.seqs-l.seqs)), "changes/s-"+what)
	return took
}
