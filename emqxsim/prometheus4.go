package emqxsim

import (
	_ "embed"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// metric4 is a metric of emqx_prometheus: its name and type, its group in the JSON form,
// and the source of its value, which is a figure of /stats or /metrics or a constant.
type metric4 struct{ name, kind, group, source string }

//go:embed keys/prometheus4.txt
var prometheusText4 string

// eachMetric4 calls show for each metric in the order of the text form.
func eachMetric4(do func(metric4)) {
	for line := range strings.Lines(prometheusText4) {
		f := strings.Fields(line)
		do(metric4{f[0], f[1], f[2], f[3]})
	}
}

// prometheus4 answers scrapers in text and others in JSON. It needs no credentials, but its
// plugin: without it the call is not found.
func prometheus4(c *call4) answer {
	if !c.c.v4.loaded(c.n.name, "emqx_prometheus") {
		return notFound4()
	}
	figures := c.figures()
	if c.URL.Query().Get("type") == "prometheus" {
		return asText(200, exposition4(figures))
	}
	groups := obj{}
	eachMetric4(func(m metric4) {
		if m.group == "-" {
			return
		}
		g, ok := groups[m.group].(obj)
		if !ok {
			g = obj{}
			groups[m.group] = g
		}
		g[m.name] = m.value(figures)
	})
	return data4(groups)
}

// figures returns the figures of /stats and /metrics of the answering node, and those of
// the cluster.
func (c *call4) figures() obj {
	out := obj{"nodes.running": len(c.running()), "nodes.stopped": len(c.n.peers()) - len(c.running())}
	maps.Copy(out, stats4(c, c.n))
	maps.Copy(out, metrics4(c, c.n))
	return out
}

func (m metric4) value(figures obj) any {
	if v, ok := figures[m.source]; ok {
		return v
	}
	if n, err := strconv.ParseFloat(m.source, 64); err == nil {
		return n
	}
	return 0
}

func exposition4(figures obj) string {
	var b strings.Builder
	eachMetric4(func(m metric4) {
		fmt.Fprintf(&b, "# TYPE %s %s\n", m.name, m.kind)
		label, values, labelled := strings.Cut(m.source, ":")
		if !labelled {
			fmt.Fprintf(&b, "%s %v\n", m.name, m.value(figures))
			return
		}
		for v := range strings.SplitSeq(values, ",") {
			name, n, _ := strings.Cut(v, "=")
			fmt.Fprintf(&b, "%s{%s=%q} %s\n", m.name, label, name, n)
		}
	})
	return b.String()
}
