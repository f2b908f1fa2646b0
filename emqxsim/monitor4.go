package emqxsim

import "time"

// The charts of the dashboard, of the Enterprise edition only. Only those parts of the
// answers are simulated that clients are known to read.

// currentMetrics4 returns message rates per second and counts of the whole cluster.
func currentMetrics4(c *call4) answer {
	o := obj{"received": 0, "sent": 0, "subscription": 0, "connection": 0, "live_connection": 0}
	for _, m := range c.running() {
		for key, n := range map[string]int{
			"received": int(m.traffic.received.rate), "sent": int(m.traffic.sent.rate),
			"subscription": c.c.subscriptions(m), "connection": c.c.sessions(m), "live_connection": c.c.live(m),
		} {
			o[key] = o[key].(int) + n
		}
	}
	return data4(o)
}

// The length and the step of the charts.
const (
	chartLength4 = 2 * time.Hour
	chartStep4   = time.Minute
)

// charts4 computes the value of a chart from the state of a node at the end and the
// beginning of a step.
var charts4 = map[string]func(end, begin moment) int{
	"connection":    func(end, _ moment) int { return end.sessions },
	"route":         func(end, _ moment) int { return end.topics },
	"subscriptions": func(end, _ moment) int { return end.subs },
	"received":      func(end, begin moment) int { return end.received.at(end.from) - begin.received.at(begin.from) },
	"sent":          func(end, begin moment) int { return end.sent.at(end.from) - begin.sent.at(begin.from) },
	"dropped":       func(end, begin moment) int { return end.dropped.at(end.from) - begin.dropped.at(begin.from) },
}

// monitorMetrics4 is one chart: the points of each node, which are a time in
// milliseconds and a value.
func monitorMetrics4(c *call4) answer {
	kind := c.params["type"]
	if charts4[kind] == nil {
		return notFound4()
	}
	return data4(c.chart(kind))
}

func (c *call4) chart(kind string) obj {
	out := obj{}
	for _, m := range c.running() {
		points := [][2]int64{}
		for t := c.now.Truncate(chartStep4).Add(chartStep4 - chartLength4); !t.After(c.now); t = t.Add(chartStep4) {
			end, ran := m.stateAt(t)
			if !ran {
				continue
			}
			begin, _ := m.stateAt(t.Add(-chartStep4))
			end.from, begin.from = t, t.Add(-chartStep4)
			points = append(points, [2]int64{t.UnixMilli(), int64(charts4[kind](end, begin))})
		}
		out[m.name] = points
	}
	return out
}
