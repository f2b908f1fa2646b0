package emqxsim

import (
	"strconv"
	"time"
)

// The monitor samples every node every ten seconds of the clock.
const sampleEvery = 10 * time.Second

// figures are the values of one sample, of one node or of several together.
type figures struct {
	live, sessions, subs, topics int
	received, sent, dropped      int // in the ten seconds before
}

// sample returns what the monitor saw at t, a multiple of ten seconds, or false if no node
// ran. A node that had run for less than ten seconds is not part of it.
func (q *request) sample(nodes []*Node, t time.Time) (figures, bool) {
	var f figures
	seen := false
	for _, n := range nodes {
		m, ok := n.stateAt(t)
		if !ok {
			continue
		}
		before, ran := n.stateAt(t.Add(-sampleEvery))
		in := func(now, was meter) int {
			if !ran {
				return now.at(t)
			}
			return max(now.at(t)-was.at(t.Add(-sampleEvery)), 0)
		}
		seen = true
		f.live, f.sessions, f.subs = f.live+m.live, f.sessions+m.sessions, f.subs+m.subs
		f.topics = max(f.topics, m.topics) // each node counts those of the whole cluster
		f.received += in(m.received, before.received)
		f.sent += in(m.sent, before.sent)
		f.dropped += in(m.dropped, before.dropped)
	}
	return f, seen
}

// series returns the last points, one per second. Only those have figures at which a sample
// was taken, and the last point is the last sample.
func (q *request) series(nodes []*Node) answer {
	latest := 24 * time.Hour // the default; not recorded
	if s := q.URL.Query().Get("latest"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return invalid(s, "pos_integer()", "latest")
		}
		latest = min(time.Duration(n)*time.Second, historyLength)
	}
	step := time.Second
	if latest > time.Hour {
		step = sampleEvery // the distance for longer times is not recorded
	}
	end := q.now.Truncate(sampleEvery)
	points := []obj{}
	some := false
	for t := q.now.Add(-latest).Truncate(step).Add(step); !t.After(end); t = t.Add(step) {
		p := obj{"time_stamp": t.UnixMilli()}
		if t.Equal(t.Truncate(sampleEvery)) {
			if f, ok := q.sample(nodes, t); ok {
				some = true
				f.fill(p, q.n.version)
			}
		}
		points = append(points, p)
	}
	if !some {
		points = []obj{}
	}
	return asJSON(points)
}

func (f figures) fill(p obj, version string) {
	for k, v := range fields(version,
		field{key: "connections", value: f.sessions}, field{key: "live_connections", value: f.live},
		field{key: "subscriptions", value: f.subs}, field{key: "topics", value: f.topics},
		field{key: "received", value: f.received}, field{key: "sent", value: f.sent},
		field{key: "dropped", value: f.dropped},
		field{key: "validation_succeeded", since: "5.7.0", value: 0}, field{
			key: "validation_failed", since: "5.7.0", value: 0,
		},
		field{key: "persisted", since: "5.7.0", value: 0},
		field{key: "disconnected_durable_sessions", since: "5.7.0", value: 0},
		field{key: "subscriptions_durable", since: "5.7.0", value: 0}, field{
			key: "subscriptions_ram", since: "5.7.0", value: f.subs,
		},
		field{key: "transformation_succeeded", since: "5.8.0", value: 0}, field{
			key: "transformation_failed", since: "5.8.0", value: 0,
		},
	) {
		p[k] = v
	}
}

func monitor5(q *request) answer { return q.series(q.n.visible(q.now)) }

func nodeMonitor5(q *request) answer {
	n := q.node()
	if n == nil {
		return q.unknownNode()
	}
	return q.series([]*Node{n})
}

// current returns the figures for both forms of monitor_current. They come from the last
// sample, and are zero before the first, except for those that are read from a node's
// tables.
func (q *request) current(nodes []*Node) obj {
	f, _ := q.sample(nodes, q.now.Truncate(sampleEvery))
	seconds := int(sampleEvery / time.Second)
	quota := 0
	if q.c.licensed(q.n.version) {
		quota = q.db.limitFor(q.n.version)
	}
	return fields(q.n.version,
		field{key: "received_msg_rate", value: f.received / seconds},
		field{key: "sent_msg_rate", value: f.sent / seconds},
		field{key: "dropped_msg_rate", value: f.dropped / seconds},
		field{key: "connections", value: f.sessions}, field{key: "live_connections", value: f.live},
		field{key: "topics", value: f.topics}, field{key: "subscriptions", value: f.subs},
		field{key: "shared_subscriptions", value: q.sum(q.c.shared)}, field{key: "retained_msg_count", value: 0},
		field{key: "license_quota", value: quota},
		field{key: "persisted_rate", since: "5.7.0", value: 0},
		field{key: "validation_succeeded_rate", since: "5.7.0", value: 0}, field{
			key: "validation_failed_rate", since: "5.7.0", value: 0,
		},
		field{key: "transformation_succeeded_rate", since: "5.8.0", value: 0}, field{
			key: "transformation_failed_rate", since: "5.8.0", value: 0,
		},
	)
}

func monitorCurrent5(q *request) answer {
	nodes := q.n.visible(q.now)
	o := q.current(nodes)
	peak := 0
	for _, n := range nodes {
		peak = max(peak, n.traffic.peakAll)
	}
	for k, v := range fields(q.n.version,
		field{key: "disconnected_durable_sessions", since: "5.7.0", value: 0}, field{
			key: "subscriptions_durable", since: "5.7.0", value: 0,
		},
		field{key: "subscriptions_ram", since: "5.7.0", value: o["subscriptions"]},
		field{key: "cluster_sessions", since: "5.9.0", value: q.sum(q.c.sessions)},
		field{key: "rules_matched_rate", since: "5.10.0", value: 0}, field{
			key: "actions_executed_rate", since: "5.10.0", value: 0,
		},
		field{key: "sessions_hist_hwmark", since: "5.10.0", value: peak},
	) {
		o[k] = v
	}
	return asJSON(o)
}

func nodeMonitorCurrent5(q *request, n *Node) any {
	o := q.current([]*Node{n})
	o["node_uptime"] = n.uptime(q.now).Milliseconds()
	return o
}
