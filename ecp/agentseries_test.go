package ecp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMergeSamples: one sample a moment, no message twice, and no zero where nobody
// has looked.
func TestMergeSamples(t *testing.T) {
	from := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	to := from.Add(10 * time.Minute)
	samples := func(received int64, seconds ...int) (out []AgentSample) {
		for _, s := range seconds {
			out = append(out, AgentSample{TrafficSample{At: from.Add(time.Duration(s) * time.Second), Received: received}, 10 * time.Second})
		}
		return out
	}
	at := func(s int) time.Time { return from.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct {
		name string
		all  [][]AgentSample
		want int64 // messages
		n    int
		gaps []SeriesGap
	}{
		{"none", nil, 0, 0, []SeriesGap{{from, to}}},
		{"a gap between", [][]AgentSample{samples(1, 10, 20, 30, 300, 590)}, 5, 5, []SeriesGap{{at(30), at(290)}, {at(300), at(580)}}},
		{"filled by another", [][]AgentSample{samples(1, 10, 20, 30, 300, 590), samples(100, 15, 25, 35, 45)}, 105, 6, []SeriesGap{{at(45), at(290)}, {at(300), at(580)}}},
		{"outside", [][]AgentSample{samples(1, -20, 0, 10, 700)}, 1, 1, []SeriesGap{{at(10), to}}},
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
	var many []AgentSample
	for s := range 600 * 10 {
		many = append(many, AgentSample{TrafficSample{At: from.Add(time.Duration(s+1) * 100 * time.Millisecond), Received: 1}, 100 * time.Millisecond})
	}
	series, gaps := mergeSamples([][]AgentSample{many}, from, to)
	require.LessOrEqual(t, len(series), mostSamples+1)
	require.Empty(t, gaps)
	var sum int64
	for _, s := range series {
		sum += s.Received
	}
	require.Equal(t, int64(6000), sum)
}
