package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// fleet serves the API over a database with so many clusters.
func largeFleet(b *testing.B, clusters int) (url string, m *fleet.Manager) {
	b.Helper()
	store, err := sqlstore.Open(b.Context(), sqlstore.Config{Dir: b.TempDir(), Kinds: fleet.Kinds()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	m, err = fleet.New(b.Context(), fleet.Config{Store: store})
	require.NoError(b, err)
	_, err = m.Accounts.Bootstrap(b.Context(), asSystem)
	require.NoError(b, err)
	states := []ecp.State{ecp.Running, ecp.Running, ecp.Running, ecp.Stopped, ecp.Updating}
	for at := 0; at < clusters; at += 500 {
		require.NoError(b, store.Write(b.Context(), func(tx ecp.Tx) error {
			for i := at; i < min(at+500, clusters); i++ {
				rec := exampleRecord()
				rec.ID, rec.Name = ecp.ID(fmt.Sprintf("emqx-%08x", i*40503)), fmt.Sprintf("site %d", i)
				rec.Status.State = states[i%len(states)]
				rec.CreatedAt = exampleTime.Add(time.Duration(i*7919%clusters) * time.Second)
				if err := ecp.Put(tx, rec, 0); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	handler, err := New(Config{Manager: m})
	require.NoError(b, err)
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	return server.URL, m
}

// exampleRecord is a cluster that runs, as it is stored.
func exampleRecord() ecp.ClusterRecord {
	spec := ecp.HostedSpec{
		Image: "emqx-ee-5.8.9", Nodes: 1, Size: "1C1G", Connections: 1000, Power: ecp.PowerOn, Target: "default",
		Network: ecp.Network{Type: ecp.NodePort, Listeners: []ecp.Listener{{Protocol: ecp.MQTT, Port: 1883}}},
	}
	return ecp.ClusterRecord{
		ID: exampleCluster, Name: "orders", Description: "of the shops", Project: exampleProject, Mode: ecp.Hosted,
		Creator:   "ann",
		CreatedAt: exampleTime, UpdatedAt: exampleTime, Spec: ecp.Spec{Hosted: &spec}, Generation: 1, Revision: 1,
		Status: ecp.Status{State: ecp.Running, Reason: ecp.ReasonAsExpected, Since: exampleTime,
			Conditions: []ecp.Condition{
				{Type: ecp.CondAvailable, Status: ecp.True, Reason: ecp.ReasonAsExpected, Generation: 1,
					Since: exampleTime},
			}},
	}
}

// report writes the spread of times, and what memory the process has.
func report(b *testing.B, what string, times []time.Duration) {
	b.Helper()
	slices.Sort(times)
	at := func(q float64) float64 {
		return float64(times[min(int(q*float64(len(times))), len(times)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), what+"p50-ms")
	b.ReportMetric(at(0.99), what+"p99-ms")
}

func reportRSS(b *testing.B) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return // not on Linux
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(b, err)
	b.ReportMetric(float64(pages*os.Getpagesize())/(1<<20), "rss-MiB")
}

// A page of 50 out of 10,000 clusters, filtered and sorted, over HTTP.
func BenchmarkListOverHTTP(b *testing.B) {
	url, _ := largeFleet(b, 10_000)
	for _, query := range []string{"sort=-createdAt&state=running", "sort=name&q=site+9&project=default/default", ""} {
		b.Run("query="+query, func(b *testing.B) {
			var times []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				got := fetch(b, url+clustersPath+"?limit=50&"+query)
				times = append(times, time.Since(began))
				require.Greater(b, len(got), 50_000)
			}
			report(b, "", times)
			reportRSS(b)
		})
	}
}

func fetch(b *testing.B, url string) []byte {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	require.NoError(b, err)
	r.Header.Set("Authorization", "Bearer "+asSystem)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(b, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, resp.StatusCode, "%s", body)
	return body
}

// One change to 200 who follow the stream: from before the write, which is on
// disk before anybody hears of it, until the last has read it.
func BenchmarkFanOut(b *testing.B) {
	const readers = 200
	url, m := largeFleet(b, 100)
	ctx, cancel := context.WithCancel(b.Context())
	arrived := make(chan time.Time, readers)
	var group sync.WaitGroup
	for range readers {
		stream := follow(ctx, b, url)
		group.Go(func() {
			defer stream.Close()
			for lines := bufio.NewReader(stream); ; {
				line, err := lines.ReadSlice('\n')
				if err != nil {
					return
				}
				if bytes.HasPrefix(line, []byte("event: ")) {
					arrived <- time.Now()
				}
			}
		})
	}
	defer group.Wait()
	defer cancel()
	var first, last, commits []time.Duration
	system := ecp.WithActor(b.Context(), ecp.System)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		began := time.Now()
		_, err := m.Directory.UpdateOrg(system, "default", "at "+strconv.Itoa(i), 0)
		require.NoError(b, err)
		commits = append(commits, time.Since(began))
		at := make([]time.Time, readers)
		for n := range at {
			at[n] = <-arrived
		}
		slices.SortFunc(at, time.Time.Compare)
		first, last = append(first, at[0].Sub(began)), append(last, at[readers-1].Sub(began))
	}
	report(b, "commit-", commits)
	report(b, "first-", first)
	report(b, "last-", last)
	reportRSS(b)
}

// follow opens a stream of events.
func follow(ctx context.Context, b *testing.B, url string) io.ReadCloser {
	b.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/events", nil)
	require.NoError(b, err)
	r.Header.Set("Authorization", "Bearer "+asSystem)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, resp.StatusCode)
	return resp.Body
}
