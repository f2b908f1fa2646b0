package agentproto

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkRequest sends one small request after the other to an agent.
func BenchmarkRequest(b *testing.B) {
	for carrier, tunnel := range carriers {
		b.Run(string(carrier), func(b *testing.B) {
			r := newRig(b)
			a := r.connected(tunnel, withAPI(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"data":[]}`)
			}))
			c := r.client(a, HostAPI)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = get(b, c, "http://x/")
			}
		})
	}
}

// BenchmarkDial opens and closes raw streams.
func BenchmarkDial(b *testing.B) {
	for carrier, tunnel := range carriers {
		b.Run(string(carrier), func(b *testing.B) {
			r := newRig(b)
			a := r.connected(tunnel)
			b.ReportAllocs()
			for b.Loop() {
				conn, err := r.server.Dial(b.Context(), a.id, HostAPI)
				require.NoError(b, err)
				require.NoError(b, conn.Close())
			}
		})
	}
}

// BenchmarkReports brings one report after the other through a live stream,
// from the agent's log to the server's reader.
func BenchmarkReports(b *testing.B) {
	for carrier, tunnel := range carriers {
		b.Run(string(carrier), func(b *testing.B) {
			const ahead = 64 // fewer than the log holds
			r := newRig(b)
			log := NewReportLog(2 * ahead)
			a := r.connected(tunnel, func(c *AgentConfig) { c.Reports = log })
			places := make(chan struct{}, ahead)
			report := Report{Node: "emqx@10.0.0.1", Version: "5.8.6",
				Members: []Member{{Name: "emqx@10.0.0.1", Status: MemberRunning}}}
			want := b.N
			go func() {
				for range want {
					places <- struct{}{}
					log.Append(report)
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			got := 0
			for _, err := range r.server.Reports(b.Context(), a.id, Position{}) {
				require.NoError(b, err)
				<-places
				if got++; got == want {
					break
				}
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}

// BenchmarkDecodeReport reads the report of a cluster of three nodes.
func BenchmarkDecodeReport(b *testing.B) {
	r := Report{Epoch: 1, Seq: 1, At: time.Unix(1_800_000_000, 0), Node: "emqx@10.0.0.1", Version: "5.8.9",
		Edition: "enterprise", Uptime: time.Hour, Connections: 3000, Limit: 10000}
	for _, name := range []string{"emqx@10.0.0.1", "emqx@10.0.0.2", "emqx@10.0.0.3"} {
		r.Members = append(r.Members, Member{Name: name, Status: MemberRunning, Role: "core", Version: "5.8.9",
			UptimeMS: 3_600_000, Connections: 1000})
	}
	line, err := r.MarshalJSON()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := decodeReport(line, Position{})
		require.NoError(b, err)
	}
}
