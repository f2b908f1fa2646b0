package emqxsim

import (
	"math"
	"slices"
	"time"
)

// The reasons for which clients are refused. See [Cluster.Refused].
const (
	refusedNoNode     = "no_node"
	refusedEvacuating = "evacuating"
	refusedStopped    = "listener_stopped"
	refusedFull       = "listener_full"
	refusedLimit      = "license_limit"
	refusedExpired    = "license_expired"
	refusedHangs      = "member_hangs"
)

// connectDue lets the clients connect whose time has come, and reports whether any did. It
// takes one set of them out at a time, because the license counts the sessions of all
// others.
func (c *Cluster) connectDue(t time.Time) (some bool) {
	for _, g := range c.groups {
		for {
			i := slices.IndexFunc(g.attempts, func(w attempt) bool { return !w.due.After(t) })
			if i < 0 {
				break
			}
			w := g.attempts[i]
			g.attempts = slices.Delete(g.attempts, i, i+1)
			tried := w.n
			c.connect(g, &w, t)
			some = some || w.n < tried
		}
	}
	return some
}

// connect lets clients connect. Those that are refused try again later.
func (c *Cluster) connect(g *group, w *attempt, t time.Time) {
	room, why := c.room(g, t)
	free := w.n
	if reason := c.licenseRefuses(t); reason != "" {
		free, why = 0, reason
	} else if c.blocks(w.session, t) {
		c.keepWaiting(g, w, room, t)
		free = 0
	} else if left := c.licenseLeft(w.session, t); left < free {
		free, why = left, refusedLimit
	}
	for free > 0 {
		open := c.open(room)
		if len(open) == 0 {
			break
		}
		share := max(free/len(open), 1)
		for range open {
			n := open[c.turn%len(open)]
			c.turn++
			k := min(share, free, room[n])
			c.admit(g, w, n, k)
			room[n], free = room[n]-k, free-k
		}
	}
	if w.n > 0 {
		c.refused[why] += w.n
		c.logRefused(g, why, w.n, t)
		wait := min(g.Reconnect<<min(w.tries, 5), longestWait)
		g.schedule(w.spans, w.session, t.Add(max(wait, g.Reconnect)), w.tries+1)
	}
}

// connectWait is how long a client waits for the answer to its CONNECT.
const connectWait = 5 * time.Second

// keepWaiting lets clients wait for an answer that does not come. As many as there is room for
// occupy a connection meanwhile. They try again after connectWait.
func (c *Cluster) keepWaiting(g *group, w *attempt, room map[*Node]int, t time.Time) {
	open := c.open(room)
	for i, n := range open {
		if w.n == 0 {
			return
		}
		k := min((w.n+len(open)-i-1)/(len(open)-i), room[n])
		c.refused[refusedHangs] += k
		c.logRefused(g, refusedHangs, k, t)
		g.addAttempt(w.take(k), attempt{session: w.session, holds: n, due: t.Add(connectWait), tries: w.tries})
	}
}

// room returns how many clients each node accepts through the group's listener, and why
// others accept none.
func (c *Cluster) room(g *group, t time.Time) (map[*Node]int, string) {
	room, why := map[*Node]int{}, refusedNoNode
	for _, n := range c.nodes {
		if !n.reachable(t) || c.front && n.role != replicant {
			continue
		}
		l := n.db.listener(g.Listener)
		switch {
		case !n.accepts(t):
			if why == refusedNoNode && (n.evac != nil || c.donating(n) != nil) {
				why = refusedEvacuating
			}
		case l == nil || !l.running(n):
			why = refusedStopped
		default:
			why = refusedFull
			if left := l.limit(n) - c.through(l.id, n); l.limit(n) == 0 {
				room[n] = math.MaxInt32 // there is no limit
			} else if left > 0 {
				room[n] = left
			}
		}
	}
	return room, why
}

// open returns the nodes that have room.
func (c *Cluster) open(room map[*Node]int) []*Node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *Node) bool { return room[n] <= 0 })
}

// admit connects k clients to a node and moves the session they have to it.
func (c *Cluster) admit(g *group, w *attempt, n *Node, k int) {
	at(g.on, n).put(w.take(k)...)
	n.traffic.connected += k
	switch w.session {
	case nil:
		n.traffic.sessions += k
	case n:
		n.traffic.resumed += k
	default:
		n.traffic.takenover += k
	}
}

// through counts the connections of a listener on a node, including those of clients that
// wait for an answer.
func (c *Cluster) through(listener string, n *Node) int {
	sum := 0
	for _, g := range c.groups {
		if g.Listener != listener {
			continue
		}
		sum += count(g.on, n)
		for i := range g.attempts {
			if g.attempts[i].holds == n {
				sum += g.attempts[i].n
			}
		}
	}
	return sum
}
