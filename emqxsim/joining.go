package emqxsim

import (
	"slices"
	"time"
)

// A node of EMQX that is new starts as a cluster of its own, answers as one that
// is ready, finds the others and joins them: for that it stops its listeners and
// what it knows, and starts again with what they know.

// retryJoin is how often a new node looks for others that did not all answer.
const retryJoin = 5 * time.Second

// joinsLater says whether a new node finds others when it starts.
func (c *Cluster) joinsLater(n *Node, t time.Time) bool {
	return c.cfg.Pace.Alone > 0 && !c.singleNode() &&
		slices.ContainsFunc(c.members(), func(m *Node) bool { return m != n && m.up(t) })
}

// startAlone starts a node that joins the others later.
func (n *Node) startAlone(t time.Time) {
	n.left, n.joining, n.db = true, true, newDatabase(n.c.cfg, t)
	n.start(t)
}

// joinStep joins the others. While one of them hangs, or none answers, it looks
// for them again.
func (n *Node) joinStep(t time.Time) {
	if n.dead || !n.joining || !n.joins.Equal(t) {
		return
	}
	others := n.c.members()
	hangs := slices.ContainsFunc(others, func(m *Node) bool { return m.suspended != nil && !m.lost(t) })
	answers := slices.ContainsFunc(others, func(m *Node) bool { return m.up(t) && m.suspended == nil })
	if n.suspended != nil || hangs || len(others) > 0 && !answers {
		n.joins = t.Add(retryJoin)
		return
	}
	n.c.lose(n, t)
	n.enter(t)
}

// reachable says whether clients are led to the node: it is a member or is to be
// one, and load balancers take it for ready.
func (n *Node) reachable(t time.Time) bool {
	return (!n.left || n.joining) && n.up(t) && !t.Before(n.serves)
}
