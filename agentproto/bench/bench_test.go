package bench

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// links are the networks between server and agents. Queue is what a bottleneck
// holds before its sender has to wait.
var links = []linkSpec{
	{Name: "loopback"},
	{Name: "50ms", Delay: 25 * time.Millisecond},
	{Name: "20Mbit", Delay: 10 * time.Millisecond, Rate: 20_000_000 / 8, Queue: 128 << 10},
}

const idleAgents = 1000

// BenchmarkTraffic measures requests through one agent. One iteration is a
// round of all candidates, so that what else the machine does meets all of
// them; the medians of the rounds are reported as ratios.
func BenchmarkTraffic(b *testing.B) {
	for _, l := range links {
		b.Run(l.Name, func(b *testing.B) {
			lasts := time.Second
			if l.Rate > 0 { // eight streams of remotedialer may move nothing in a second there
				lasts = 4 * time.Second
			}
			runs := rounds(b, job{Link: l, For: lasts, Warm: 300*time.Millisecond + 20*l.Delay})
			b.Log(trafficTable(runs))
			for _, name := range ours() {
				m := runs[name]
				for metric, of := range traffic {
					b.ReportMetric(m.median(of)/runs[reference].median(of), name+":"+metric+"/"+reference)
					b.ReportMetric(m.median(of)/runs[rival].median(of), name+":"+metric+"/"+rival)
				}
			}
		})
	}
}

// BenchmarkIdle measures what a server holds for an agent that is connected and
// is asked nothing.
func BenchmarkIdle(b *testing.B) {
	runs := rounds(b, job{Idle: idleAgents})
	b.Log(idleTable(runs))
	for _, name := range ours() {
		m := runs[name].median(rss)
		b.ReportMetric(m, name+":KiB/agent")
		b.ReportMetric(m/runs[rival].median(rss), name+":KiB/"+rival)
	}
}

// ours returns the names of what is compared with the others.
func ours() []string {
	var names []string
	for _, c := range candidates {
		if strings.HasPrefix(c.name, "agentproto") {
			names = append(names, c.name)
		}
	}
	return names
}

// rounds measures every candidate once in each iteration.
func rounds(b *testing.B, j job) map[string]results {
	runs := map[string]results{}
	for b.Loop() {
		for _, c := range candidates {
			j.Candidate = c.name
			r, err := measure(b.Context(), j)
			if err != nil {
				b.Fatal(err)
			}
			runs[c.name] = append(runs[c.name], r)
		}
	}
	b.ReportMetric(0, "ns/op") // says how long the bench takes, and nothing else
	return runs
}

// TestEveryCandidate keeps the bench working: each candidate answers, on a link
// that delays as well.
func TestEveryCandidate(t *testing.T) {
	slow := linkSpec{Name: "slow", Delay: time.Millisecond, Rate: 10 << 20, Queue: 64 << 10}
	for _, c := range candidates {
		for _, l := range []linkSpec{{Name: "loopback"}, slow} {
			t.Run(c.name+"/"+l.Name, func(t *testing.T) {
				t.Parallel()
				r, err := measure(t.Context(),
					job{Candidate: c.name, Link: l, For: 250 * time.Millisecond, Warm: 250 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				if r.One <= 0 || r.Eight <= 0 || r.Alone.Count == 0 || r.Busy.Count == 0 {
					t.Errorf("a figure is missing: %+v", r)
				}
			})
		}
	}
}

// TestIdle keeps the measuring of memory working.
func TestIdle(t *testing.T) {
	for _, c := range candidates {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := measure(t.Context(), job{Candidate: c.name, Idle: 10})
			if err != nil {
				t.Fatal(err)
			}
			if r.Goroutines <= 0 {
				t.Errorf("nothing was kept for an agent: %+v", r)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	rs := results{{One: 3}, {One: 1}, {One: 2}}
	if got := rs.median(one); got != 2 {
		t.Errorf("median of 1, 2 and 3: %v", got)
	}
	if !slices.Equal([]float64{rs[0].One, rs[1].One}, []float64{3, 1}) {
		t.Error("the rounds were put into another order")
	}
}
