package emqxsim

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// meter counts at a rate that changes from time to time. Its value does not depend on when
// it was read before.
type meter struct {
	base  float64
	rate  float64 // per second
	since time.Time
	peak  float64 // the highest rate
}

func (m *meter) at(t time.Time) int {
	if m == nil {
		return 0
	}
	return int(m.exact(t) + 1e-6)
}

func (m *meter) exact(t time.Time) float64 {
	return m.base + m.rate*max(t.Sub(m.since).Seconds(), 0)
}

// set changes the rate from t on.
func (m *meter) set(rate float64, t time.Time) {
	if rate == m.rate {
		return
	}
	m.base, m.since, m.rate = m.exact(t), t, rate
	m.peak = max(m.peak, rate)
}

// meterOf returns the meter of a node.
func meterOf(m *map[*Node]*meter, n *Node) *meter {
	if *m == nil {
		*m = map[*Node]*meter{}
	}
	if (*m)[n] == nil {
		(*m)[n] = &meter{}
	}
	return (*m)[n]
}

// traffic is what a node has counted since its start.
type traffic struct {
	received, sent, dropped meter
	bytesIn, bytesOut       meter
	qosIn, qosOut           [3]meter

	connected, disconnected      int
	sessions, resumed, takenover int // created, resumed and taken over

	peakLive, peakSessions, peakSubs, peakTopics, peakAll int
}

// moment is the state of a node from a time on, for the series.
type moment struct {
	from                         time.Time
	live, sessions, subs, topics int
	received, sent, dropped      meter
}

// How far the series goes back, and how many changes it keeps.
const (
	historyLength = 7 * 24 * time.Hour
	historySize   = 4096
)

// flow is what a group publishes on a node.
type flow struct {
	g    *group
	node *Node
	rate float64
}

// refreshTraffic updates rates, peaks and series from the connected clients.
func (c *Cluster) refreshTraffic(t time.Time) {
	flows := c.flows(t)
	c.refreshMessages(flows, t)
	c.refreshRules(flows, t)
	topics, all := c.topics(), 0
	for _, n := range c.running(t) {
		all += c.sessions(n)
	}
	for _, n := range c.nodes {
		if n.left && !n.joining || !n.up(t) {
			continue
		}
		m := moment{
			from: t, live: c.live(n), sessions: c.sessions(n), subs: c.subscriptions(n), topics: topics,
			received: n.traffic.received, sent: n.traffic.sent, dropped: n.traffic.dropped,
		}
		tr := &n.traffic
		tr.peakLive, tr.peakSessions = max(tr.peakLive, m.live), max(tr.peakSessions, m.sessions)
		tr.peakSubs, tr.peakTopics, tr.peakAll = max(tr.peakSubs, m.subs), max(tr.peakTopics, topics),
			max(tr.peakAll, all)
		n.recordMoment(m)
	}
}

// recordMoment adds a changed state to the series.
func (n *Node) recordMoment(m moment) {
	if i := len(n.history) - 1; i >= 0 {
		last := n.history[i]
		same := last
		same.from = m.from
		if same == m {
			return
		}
		if last.from.Equal(m.from) {
			n.history[i] = m
			return
		}
	}
	n.history = append(n.history, m)
	if len(n.history) > historySize {
		n.history = slices.Delete(n.history, 0, historySize/4)
	}
}

// stateAt returns the state of a node at t, or false if it did not run yet.
func (n *Node) stateAt(t time.Time) (moment, bool) {
	i := sort.Search(len(n.history), func(i int) bool { return n.history[i].from.After(t) })
	if i == 0 {
		return moment{}, false
	}
	return n.history[i-1], true
}

func (c *Cluster) flows(t time.Time) []flow {
	var out []flow
	for _, g := range c.groups {
		for _, n := range c.nodes {
			if k := count(g.on, n); k > 0 && g.Rate > 0 && g.Topic != "" && n.up(t) {
				out = append(out, flow{g, n, g.Rate * float64(k)})
			}
		}
	}
	return out
}

// refreshMessages updates the rates of messages. A message goes to every connected
// subscriber on any node. If there is none, it is dropped on the node of its publisher.
func (c *Cluster) refreshMessages(flows []flow, t time.Time) {
	type rates struct {
		in, out, dropped, bytesIn, bytesOut float64
		qosIn, qosOut                       [3]float64
	}
	sums := map[*Node]*rates{}
	for _, n := range c.nodes {
		sums[n] = &rates{}
	}
	for _, f := range flows {
		s, qos := sums[f.node], min(max(f.g.QoS, 0), 2)
		s.in += f.rate
		s.qosIn[qos] += f.rate
		s.bytesIn += f.rate * float64(f.g.Payload)
		wanted := false
		for _, g := range c.groups {
			for _, n := range c.nodes {
				k := c.deliveries(f, g, n)
				if k == 0 {
					continue
				}
				wanted = true
				sums[n].out += k
				sums[n].qosOut[qos] += k
				sums[n].bytesOut += k * float64(f.g.Payload)
			}
		}
		if !wanted {
			s.dropped += f.rate
		}
	}
	for n, s := range sums {
		tr := &n.traffic
		tr.received.set(s.in, t)
		tr.sent.set(s.out, t)
		tr.dropped.set(s.dropped, t)
		tr.bytesIn.set(s.bytesIn, t)
		tr.bytesOut.set(s.bytesOut, t)
		for q := range 3 {
			tr.qosIn[q].set(s.qosIn[q], t)
			tr.qosOut[q].set(s.qosOut[q], t)
		}
	}
}

// deliveries returns how many messages of a flow a group gets on a node per second.
func (c *Cluster) deliveries(f flow, g *group, n *Node) float64 {
	k := float64(count(g.on, n))
	if k == 0 {
		return 0
	}
	sum := 0.0
	for _, filter := range g.Subscribe {
		shared := strings.HasPrefix(filter, "$share/")
		if shared {
			if parts := strings.SplitN(filter, "/", 3); len(parts) == 3 {
				filter = parts[2]
			}
		}
		own := strings.Contains(filter, "%c")
		switch {
		case !matches(filter, f.g.Topic):
		case own && g == f.g: // each client gets its own
			sum += f.rate * k / float64(max(c.connectedOf(g), 1))
		case own:
		case shared:
			sum += f.rate * k / float64(max(c.connectedOf(g), 1))
		default:
			sum += f.rate * k
		}
	}
	return sum
}

func (c *Cluster) connectedOf(g *group) int {
	sum := 0
	for _, p := range g.on {
		sum += p.n
	}
	return sum
}

// refreshRules updates the rates of rules and actions. They run on the node of the
// publisher.
func (c *Cluster) refreshRules(flows []flow, t time.Time) {
	acts := map[*resource]map[*Node]float64{}
	for _, r := range c.db.rules {
		for _, n := range c.nodes {
			rate := 0.0
			for _, f := range flows {
				if r.enable && f.node == n && slices.ContainsFunc(r.from,
					func(topic string) bool { return matches(topic, f.g.Topic) }) {
					rate += f.rate
				}
			}
			meterOf(&r.matched, n).set(rate, t)
			down := 0.0
			for _, a := range r.actions {
				id, _ := a.(string)
				act := c.db.resource(kindAction, id)
				if act == nil {
					continue
				}
				if acts[act] == nil {
					acts[act] = map[*Node]float64{}
				}
				acts[act][n] += rate
				if s, _ := act.status(n); s != connected {
					down += rate
				}
			}
			meterOf(&r.failed, n).set(down, t)
		}
	}
	for _, a := range c.db.ofKind(kindAction) {
		for _, n := range c.nodes {
			rate, down := acts[a][n], 0.0
			if s, _ := a.status(n); s != connected {
				down = rate
			}
			meterOf(&a.matched, n).set(rate, t)
			meterOf(&a.failed, n).set(down, t)
		}
	}
}

// subscriptions counts the subscriptions of the sessions on a node.
func (c *Cluster) subscriptions(n *Node) int {
	sum := 0
	for _, g := range c.groups {
		sum += (count(g.on, n) + count(g.away, n) + g.waitingSessions(n)) * len(g.Subscribe)
	}
	return sum
}

// shared counts the shared subscriptions among them.
func (c *Cluster) shared(n *Node) int {
	sum := 0
	for _, g := range c.groups {
		for _, f := range g.Subscribe {
			if strings.HasPrefix(f, "$share/") {
				sum += count(g.on, n) + count(g.away, n) + g.waitingSessions(n)
			}
		}
	}
	return sum
}

// topics counts the different filters in the whole cluster.
func (c *Cluster) topics() int {
	seen, own := map[string]bool{}, 0
	for _, g := range c.groups {
		held := 0
		for _, n := range c.nodes {
			held += count(g.on, n) + count(g.away, n) + g.waitingSessions(n)
		}
		if held == 0 {
			continue
		}
		for _, f := range g.Subscribe {
			if strings.Contains(f, "%c") {
				own += held
			} else {
				seen[f] = true
			}
		}
	}
	return len(seen) + own
}
