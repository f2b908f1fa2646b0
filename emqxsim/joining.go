package emqxsim

import (
	"slices"
	"time"
)

// A new node of EMQX starts as a cluster of its own and answers as if it was ready. Then it
// finds the others and joins them: it stops its listeners, drops what it knows, and starts
// again with the cluster's data.

// retryJoin is how often a new node looks for the others again if not all of them answered.
const retryJoin = 5 * time.Second

// joinsLater reports whether a new node finds others when it starts.
func (c *Cluster) joinsLater(n *Node, t time.Time) bool {
	return c.cfg.Pace.Alone > 0 && !c.singleNode() &&
		slices.ContainsFunc(c.members(), func(m *Node) bool { return m != n && m.up(t) })
}

// startAlone starts a node that joins the others later.
func (n *Node) startAlone(t time.Time) {
	n.left, n.joining, n.db = true, true, newDatabase(n.c.cfg, t)
	n.start(t)
}

// joinStep joins the others. It tries again later if one of them hangs or none answers.
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
	n.c.loseClients(n, t)
	n.joinCluster(t)
}

// reachable reports whether clients are sent to the node: it is or will be a member, and
// load balancers take it for ready.
func (n *Node) reachable(t time.Time) bool {
	return (!n.left || n.joining) && n.up(t) && !t.Before(n.serves)
}
