package emqxsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of evacuations and rebalances.
const (
	waitingHealthCheck = "waiting_health_check"
	waitHealthCheck    = "wait_health_check" // the name it has in a rebalance
	evictingConns      = "evicting_conns"
	waitingTakeover    = "waiting_takeover"
	waitTakeover       = "wait_takeover"
	evictingSessions   = "evicting_sessions"
	prohibiting        = "prohibiting"
)

// eviction holds the settings of an evacuation or a rebalance. Rates are per second.
type eviction struct {
	connRate, sessRate       int
	waitHealth, waitTakeover time.Duration
	absConn, absSess         int
	relConn, relSess         float64
	migrateTo, nodes         []string
}

func defaultEviction() eviction {
	return eviction{
		connRate: 500, sessRate: 500, waitHealth: time.Minute, waitTakeover: time.Minute,
		absConn: 1000, absSess: 1000, relConn: 1.1, relSess: 1.1,
	}
}

// evacuation is the evacuation of a node. It lasts until it is stopped.
type evacuation struct {
	eviction
	state                     string
	next                      time.Time // of its next step; zero if there is none
	initialConns, initialSess int
}

// startEvacuation starts the evacuation of a node at t.
func (c *Cluster) startEvacuation(n *Node, e eviction, t time.Time) {
	n.evac = &evacuation{
		eviction: e, state: waitingHealthCheck, next: t.Add(e.waitHealth),
		initialConns: c.live(n), initialSess: c.sessions(n),
	}
	n.logEvent(t, evacuationBegins, "connections", strconv.Itoa(n.evac.initialConns), "sessions",
		strconv.Itoa(n.evac.initialSess))
	if e.waitHealth <= 0 {
		c.evacuateStep(n, t)
	}
}

// resume continues an evacuation after a restart of its node. It evicts at once, without
// waiting for load balancers again; nothing is on the node any more.
func (e *evacuation) resume(t time.Time) {
	e.state, e.next = evictingConns, t
	e.initialConns, e.initialSess = 0, 0
}

// shownSessions returns the number of sessions that the status shows: until the end of the wait
// for take-over it is the initial number, although clients may have taken their sessions
// elsewhere.
func (e *evacuation) shownSessions(n *Node) int {
	if e.state == evictingSessions || e.state == prohibiting {
		return n.c.sessions(n)
	}
	return e.initialSess
}

// evacuateStep does what is due on a node at t.
func (c *Cluster) evacuateStep(n *Node, t time.Time) {
	e := n.evac
	if e == nil || n.dead || n.suspended != nil || e.next.IsZero() || e.next.After(t) {
		return
	}
	e.next = t.Add(time.Second)
	was := e.state
	defer func() {
		if e.state != was {
			n.logEvent(t, evacuationMoves, "state", e.state)
		}
	}()
	switch e.state {
	case waitingHealthCheck:
		e.state = evictingConns
		c.evictConns(n, t)
	case evictingConns:
		c.evictConns(n, t)
	case waitingTakeover:
		e.state = evictingSessions
		c.evictSessions(n, t)
	case evictingSessions:
		c.evictSessions(n, t)
	case prohibiting:
		e.next = time.Time{}
	}
}

func (c *Cluster) evictConns(n *Node, t time.Time) {
	if c.live(n) == 0 {
		n.evac.state, n.evac.next = waitingTakeover, t.Add(max(n.evac.waitTakeover, time.Second))
		return
	}
	c.disconnectSome(n, n.evac.connRate, t)
}

func (c *Cluster) evictSessions(n *Node, t time.Time) {
	if c.sessions(n) == 0 {
		n.evac.state, n.evac.next = prohibiting, time.Time{}
		return
	}
	c.moveSessions(n, c.recipients(n, n.evac.migrateTo, t), n.evac.sessRate)
}

// recipients returns the members that can take sessions of n, in descending order of their
// names, as recorded.
func (c *Cluster) recipients(n *Node, among []string, t time.Time) []*Node {
	out := slices.DeleteFunc(c.running(t), func(m *Node) bool {
		return m == n || !n.sees(m, t) || m.evac != nil || len(among) > 0 && !slices.Contains(among, m.name)
	})
	slices.Reverse(out)
	return out
}

// rebalance moves clients from nodes with many to nodes with few. Its coordinator is the
// node on which it was started.
type rebalance struct {
	eviction
	coordinator        *Node
	donors, recipients []*Node
	state              string
	next               time.Time
	initial            map[*Node][2]int // connections and sessions of donors
}

// balance divides nodes by what they hold. It returns no donors if there is nothing to
// balance.
func balance(nodes []*Node, hold func(*Node) int, abs int, rel float64) (donors, recipients []*Node) {
	if len(nodes) < 2 {
		return nil, nil
	}
	sum := 0
	for _, n := range nodes {
		sum += hold(n)
	}
	mean := float64(sum) / float64(len(nodes))
	for _, n := range nodes {
		if float64(hold(n)) > mean {
			donors = append(donors, n)
		} else {
			recipients = append(recipients, n)
		}
	}
	if !tilted(donors, recipients, hold, abs, rel) {
		return nil, nil
	}
	slices.Reverse(recipients)
	return donors, recipients
}

func average(nodes []*Node, hold func(*Node) int) float64 {
	sum := 0
	for _, n := range nodes {
		sum += hold(n)
	}
	return float64(sum) / float64(max(len(nodes), 1))
}

// tilted reports whether donors hold enough more than recipients to rebalance.
func tilted(donors, recipients []*Node, hold func(*Node) int, abs int, rel float64) bool {
	if len(donors) == 0 || len(recipients) == 0 {
		return false
	}
	d, r := average(donors, hold), average(recipients, hold)
	return d > r+float64(abs) && d > r*rel
}

// show returns an evacuation of node n as the answers of both majors have it.
func (e *evacuation) show(n *Node, t time.Time) obj {
	return obj{
		"state": e.state, "connection_eviction_rate": e.connRate, "session_eviction_rate": e.sessRate,
		"connection_goal": 0, "session_goal": 0, "session_recipients": nodeNames(n.c.recipients(n, e.migrateTo, t)),
		"stats": obj{
			"initial_connected": e.initialConns, "initial_sessions": e.initialSess,
			"current_connected": n.c.live(n), "current_sessions": e.shownSessions(n),
		},
	}
}

// showEvacuations lists the nodes that are evacuated.
func showEvacuations(nodes []*Node, t time.Time) []obj {
	out := []obj{}
	for _, n := range nodes {
		if n.evac != nil {
			o := n.evac.show(n, t)
			o["node"] = n.name
			out = append(out, o)
		}
	}
	return out
}

// startRebalance starts a rebalance at t and reports whether there is anything to balance.
func (c *Cluster) startRebalance(n *Node, e eviction, t time.Time) bool {
	nodes := slices.DeleteFunc(n.visible(t), func(m *Node) bool {
		return m.evac != nil || len(e.nodes) > 0 && !slices.Contains(e.nodes, m.name)
	})
	donors, recipients := balance(nodes, c.live, e.absConn, e.relConn)
	if donors == nil {
		donors, recipients = balance(nodes, c.kept, e.absSess, e.relSess)
	}
	if donors == nil {
		return false
	}
	r := &rebalance{
		eviction: e, coordinator: n, donors: donors, recipients: recipients, initial: map[*Node][2]int{},
		state: waitHealthCheck, next: t.Add(max(e.waitHealth, time.Second)),
	}
	for _, d := range donors {
		r.initial[d] = [2]int{c.live(d), c.sessions(d)}
	}
	c.rebalances = append(c.rebalances, r)
	return true
}

// rebalanceStep does what is due. A rebalance ends by itself, or when one of its nodes
// stops.
func (c *Cluster) rebalanceStep(t time.Time) {
	c.rebalances = slices.DeleteFunc(c.rebalances, func(r *rebalance) bool {
		if r.broken(t) {
			return true
		}
		if r.next.After(t) {
			return false
		}
		r.next = t.Add(time.Second)
		return c.rebalanceDue(r, t)
	})
}

func (r *rebalance) broken(t time.Time) bool {
	gone := func(n *Node) bool { return n.left || !n.up(t) }
	return gone(r.coordinator) || slices.ContainsFunc(r.donors, gone) || slices.ContainsFunc(r.recipients, gone)
}

// rebalanceDue does one step and reports whether it was the last.
func (c *Cluster) rebalanceDue(r *rebalance, t time.Time) (done bool) {
	switch r.state {
	case waitHealthCheck, evictingConns:
		r.state = evictingConns
		if !tilted(r.donors, r.recipients, c.live, r.absConn, r.relConn) {
			r.state, r.next = waitTakeover, t.Add(max(r.waitTakeover, time.Second))
			return false
		}
		goal := int(average(r.recipients, c.live))
		for _, d := range r.donors {
			c.disconnectSome(d, min(r.connRate, max(c.live(d)-goal, 0)), t)
		}
	case waitTakeover, evictingSessions:
		r.state = evictingSessions
		if !tilted(r.donors, r.recipients, c.kept, r.absSess, r.relSess) {
			return true
		}
		goal := int(average(r.recipients, c.kept))
		for _, d := range r.donors {
			c.moveSessions(d, r.recipients, min(r.sessRate, max(c.kept(d)-goal, 0)))
		}
	}
	return false
}

// donating returns the rebalance in which a node is a donor, or nil.
func (c *Cluster) donating(n *Node) *rebalance {
	for _, r := range c.rebalances {
		if slices.Contains(r.donors, n) {
			return r
		}
	}
	return nil
}

// coordinating returns the rebalance that was started on a node, or nil.
func (c *Cluster) coordinating(n *Node) *rebalance {
	for _, r := range c.rebalances {
		if r.coordinator == n {
			return r
		}
	}
	return nil
}

// StartEvacuation starts to move all clients off a node, as the API call does. Rates are
// per second; 0 means 500. The evacuation lasts until [Node.StopEvacuation].
func (n *Node) StartEvacuation(connRate, sessRate int, waitHealthCheck, waitTakeover time.Duration) {
	n.c.change(func(t time.Time) {
		e := defaultEviction()
		if connRate > 0 {
			e.connRate = connRate
		}
		if sessRate > 0 {
			e.sessRate = sessRate
		}
		e.waitHealth, e.waitTakeover = waitHealthCheck, waitTakeover
		n.c.startEvacuation(n, e, t)
	})
}

// StopEvacuation ends an evacuation: the node accepts clients again.
func (n *Node) StopEvacuation() { n.c.change(n.stopEvacuation) }

func (n *Node) stopEvacuation(t time.Time) {
	if n.evac != nil {
		n.evac = nil
		n.logEvent(t, evacuationEnds)
	}
}

// nodeNames returns the names of nodes in the order of the list.
func nodeNames(nodes []*Node) []string {
	out := []string{}
	for _, n := range nodes {
		out = append(out, n.name)
	}
	return out
}

// erlangList formats names as the broker prints a list of them.
func erlangList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = `<<"` + n + `">>`
	}
	return "[" + strings.Join(quoted, ",") + "]"
}
