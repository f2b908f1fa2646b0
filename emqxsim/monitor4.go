package emqxsim

import "time"

// The dashboard's charts, Enterprise only. Of their answers is known what their
// clients read; no more is shown.

// currentMetrics4 are messages per second, and counts, of the whole cluster.
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

// chart4 is how far the charts go back, and in which steps.
const (
	chartLength4 = time.Hour
	chartStep4   = time.Minute
)

// monitorMetrics4 are points of the last hour, one of them chosen or all.
func monitorMetrics4(c *call4) answer {
	points := []obj{}
	for at := c.now.Truncate(chartStep4).Add(chartStep4 - chartLength4); !at.After(c.now); at = at.Add(chartStep4) {
		p := obj{"received": 0, "sent": 0, "subscription": 0, "connection": 0}
		for _, m := range c.running() {
			w, ok := m.when(at)
			before, _ := m.when(at.Add(-chartStep4))
			if !ok {
				continue
			}
			for key, n := range map[string]int{
				"received": w.received.at(at) - before.received.at(at.Add(-chartStep4)),
				"sent":     w.sent.at(at) - before.sent.at(at.Add(-chartStep4)), "subscription": w.subs, "connection": w.sessions,
			} {
				p[key] = p[key].(int) + n
			}
		}
		if kind := c.params["type"]; kind != "" {
			p = obj{kind: p[kind]}
		}
		p["timestamp"] = at.UnixMilli()
		points = append(points, p)
	}
	return data4(points)
}
