package emqxsim

import (
	"slices"
	"time"
)

// split is a network that is cut between members. Members first wait for one another, then
// each side continues on its own. When the network is whole again, the smaller side
// restarts and loses what it changed.
type split struct {
	declared time.Time     // when each side counts the other as stopped
	heals    time.Time     // when the smaller side restarts; zero while the network is cut
	over     chan struct{} // closed when nobody waits for the other side any more
	ended    bool          // over is closed
}

func (s *split) end() {
	if !s.ended {
		close(s.over)
		s.ended = true
	}
}

func (s *split) moments(consider func(time.Time)) {
	if s != nil {
		consider(s.declared)
		consider(s.heals)
	}
}

// Partition splits the cluster: nodes reach only those of their own group. Nodes in no
// group form one together. Without groups the network is whole again. [Pace] says how long
// it takes until the sides continue on their own, and until they are one again. A split
// that ends before it was noticed disconnects nobody.
func (c *Cluster) Partition(groups ...[]string) {
	c.change(func(t time.Time) {
		if len(groups) == 0 {
			c.heal(t)
			return
		}
		for _, n := range c.nodes {
			n.side = 1 + slices.IndexFunc(groups, func(g []string) bool { return slices.Contains(g, n.name) })
		}
		if c.split != nil {
			c.split.end()
		}
		c.split = &split{declared: t.Add(c.cfg.Pace.Split), over: make(chan struct{})}
		c.splitStep(t)
	})
}

func (c *Cluster) heal(t time.Time) {
	switch {
	case c.split == nil:
	case t.Before(c.split.declared):
		c.unite()
	default:
		c.split.heals = t.Add(c.cfg.Pace.Heal)
		c.splitStep(t)
	}
}

// splitStep does what is due.
func (c *Cluster) splitStep(t time.Time) {
	if c.split == nil || t.Before(c.split.declared) {
		return
	}
	c.split.end()
	if c.split.heals.IsZero() || t.Before(c.split.heals) {
		return
	}
	most := c.largestSide(t)
	var smaller []*Node
	for _, n := range c.members() {
		if n.side != most && !n.dead {
			smaller = append(smaller, n)
		}
	}
	c.unite()
	for _, n := range smaller {
		n.kill(t)
		n.start(t)
	}
}

// rejoin lets a node that starts find the larger side, if the network is whole again. When
// all are on one side nothing is left to heal.
func (c *Cluster) rejoin(n *Node, t time.Time) {
	if c.split == nil || c.split.heals.IsZero() || n.left {
		return
	}
	n.side = c.largestSide(t)
	if !slices.ContainsFunc(c.members(), func(m *Node) bool { return m.side != n.side }) {
		c.unite()
	}
}

// largestSide returns the side with most running members, or of two equal ones the side
// with the first name.
func (c *Cluster) largestSide(t time.Time) int {
	on := map[int]int{}
	for _, n := range c.running(t) {
		on[n.side]++
	}
	most := 0
	for i, n := range c.members() {
		if i == 0 || on[n.side] > on[most] {
			most = n.side
		}
	}
	return most
}

func (c *Cluster) unite() {
	c.split.end()
	c.split = nil
	for _, n := range c.nodes {
		n.side = 0
	}
}

// waits reports whether nodes of two sides wait for each other.
func (c *Cluster) waits(t time.Time) bool { return c.split != nil && t.Before(c.split.declared) }

// hangs returns a channel that is closed when a member answers again or is given up, or nil
// if it answers.
func (n *Node) hangs(m *Node, t time.Time) <-chan struct{} {
	switch {
	case m.suspended != nil:
		return m.suspended.resumed
	case m.side != n.side && n.c.waits(t):
		return n.c.split.over
	}
	return nil
}

// blocks reports whether clients that connect wait in vain: all of them while members wait
// for each other, and those whose session is on a member that hangs.
func (c *Cluster) blocks(session *Node, t time.Time) bool {
	return c.waits(t) || session != nil && session.suspended != nil && !session.lost(t)
}
