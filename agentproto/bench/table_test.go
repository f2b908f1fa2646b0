package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// results are the rounds of one candidate.
type results []result

// figure takes one figure of a round.
type figure func(result) float64

func one(r result) float64       { return r.One }
func eight(r result) float64     { return r.Eight }
func aloneP50(r result) float64  { return milliseconds(r.Alone.P50) }
func aloneP99(r result) float64  { return milliseconds(r.Alone.P99) }
func busyP50(r result) float64   { return milliseconds(r.Busy.P50) }
func busyP99(r result) float64   { return milliseconds(r.Busy.P99) }
func cpu(r result) float64       { return r.CPU }
func meanwhile(r result) float64 { return r.BusyBulk }
func rss(r result) float64       { return r.RSS }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// traffic are the figures that are compared.
var traffic = map[string]figure{
	"1-stream": one, "8-streams": eight,
	"p50-alone": aloneP50, "p99-alone": aloneP99, "p50-bulk": busyP50, "p99-bulk": busyP99,
}

// median returns the middle of a figure.
func (rs results) median(of figure) float64 {
	values := make([]float64, 0, len(rs))
	for _, r := range rs {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// trafficTable returns the medians in Markdown.
func trafficTable(runs map[string]results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "medians of %d\n", len(runs[reference]))
	b.WriteString("| | 1 stream MiB/s | x tls | x remotedialer | 8 streams MiB/s | x tls | x remotedialer | CPU " +
		"s/GiB | small p50 ms | p99 | during bulk p50 | p99 | x remotedialer | bulk meanwhile MiB/s |\n")
	b.WriteString("|---|" + strings.Repeat("---:|", 13) + "\n")
	for _, c := range candidates {
		m := runs[c.name].median
		times := func(of figure, other string) float64 { return m(of) / runs[other].median(of) }
		fmt.Fprintf(&b, "| %s | %.1f | %.2f | %.2f | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | "+
			"%.1f |\n", c.name,
			m(one), times(one, reference), times(one, rival), m(eight), times(eight, reference), times(eight, rival),
			m(cpu), m(aloneP50), m(aloneP99), m(busyP50), m(busyP99), times(busyP99, rival), m(meanwhile))
	}
	return b.String()
}

// idleTable returns the medians of memory in Markdown.
func idleTable(runs map[string]results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "medians of %d, %d agents\n", len(runs[reference]), idleAgents)
	b.WriteString("| | RSS KiB per agent | x remotedialer | heap and stacks KiB | goroutines " +
		"|\n|---|---:|---:|---:|---:|\n")
	for _, c := range candidates {
		m := runs[c.name].median
		fmt.Fprintf(&b, "| %s | %.1f | %.2f | %.1f | %.1f |\n", c.name, m(rss), m(rss)/runs[rival].median(rss),
			m(func(r result) float64 { return r.Heap }), m(func(r result) float64 { return r.Goroutines }))
	}
	return b.String()
}
