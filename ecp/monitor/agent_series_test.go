package monitor

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestMergeSamples: one sample a moment, no message twice, and no zero where nobody
// has looked.
func TestMergeSamples(t *testing.T) {
	from := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	to := from.Add(10 * time.Minute)
	samples := func(received int64, seconds ...int) (out []ecp.AgentSample) {
		for _, s := range seconds {
			out = append(out,
				ecp.AgentSample{TrafficSample: ecp.TrafficSample{At: from.Add(time.Duration(s) * time.Second),
					Received: received}, Over: 10 * time.Second})
		}
		return out
	}
	at := func(s int) time.Time { return from.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct {
		name string
		all  [][]ecp.AgentSample
		want int64 // messages
		n    int
		gaps []ecp.SeriesGap
	}{
		{"none", nil, 0, 0, []ecp.SeriesGap{{From: from, To: to}}},
		{"a gap between", [][]ecp.AgentSample{samples(1, 10, 20, 30, 300, 590)}, 5, 5,
			[]ecp.SeriesGap{{From: at(30), To: at(290)}, {From: at(300), To: at(580)}}},
		{"filled by another", [][]ecp.AgentSample{samples(1, 10, 20, 30, 300, 590), samples(100, 15, 25, 35, 45)}, 105,
			6, []ecp.SeriesGap{{From: at(45), To: at(290)}, {From: at(300), To: at(580)}}},
		{"outside", [][]ecp.AgentSample{samples(1, -20, 0, 10, 700)}, 1, 1, []ecp.SeriesGap{{From: at(10), To: to}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			series, gaps := mergeSamples(c.all, from, to)
			var sum int64
			for _, s := range series {
				sum += s.Received
			}
			require.Equal(t, c.want, sum)
			require.Len(t, series, c.n)
			require.Equal(t, c.gaps, gaps)
		})
	}
	var many []ecp.AgentSample
	for s := range 600 * 10 {
		many = append(many,
			ecp.AgentSample{TrafficSample: ecp.TrafficSample{At: from.Add(time.Duration(s+1) * 100 * time.Millisecond),
				Received: 1}, Over: 100 * time.Millisecond})
	}
	series, gaps := mergeSamples([][]ecp.AgentSample{many}, from, to)
	require.LessOrEqual(t, len(series), mostSamples+1)
	require.Empty(t, gaps)
	var sum int64
	for _, s := range series {
		sum += s.Received
	}
	require.Equal(t, int64(6000), sum)
}
