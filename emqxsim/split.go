package emqxsim

import (
	"slices"
	"time"
)

// split is a network that is cut between members. Nobody tells them: they wait for
// one another first, then each side goes on by itself. When the network is whole
// again the smaller side restarts, so that what it has become is forgotten.
type split struct {
	declared time.Time     // when each side counts the other as stopped
	heals    time.Time     // when the smaller side restarts; zero = it is cut still
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

// Partition splits the cluster: nodes reach those of their own group only. Nodes
// in no group are a group together. Without groups the network is whole again.
// How long it takes until nodes go on by themselves, and until they are one again,
// is said by [Pace]; a split that ends before it was noticed cuts nobody.
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

// largestSide is the one with most members that run; of two alike the one with
// the first by name.
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

// waits says whether nodes of two sides wait for each other.
func (c *Cluster) waits(t time.Time) bool { return c.split != nil && t.Before(c.split.declared) }

// hangs gives what is closed when a member answers a node again, or is given up;
// nil = it answers.
func (n *Node) hangs(m *Node, t time.Time) <-chan struct{} {
	switch {
	case m.suspended != nil:
		return m.suspended.resumed
	case m.side != n.side && n.c.waits(t):
		return n.c.split.over
	}
	return nil
}

// blocks says whether who connects waits in vain: anybody while members wait for
// each other, and who has a session on a member that hangs.
func (c *Cluster) blocks(session *Node, t time.Time) bool {
	return c.waits(t) || session != nil && session.suspended != nil && !session.lost(t)
}
