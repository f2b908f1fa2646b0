package emqxsim

import (
	"slices"
	"time"
)

// invitation is one that runs in the background.
type invitation struct {
	node              string
	started, finished time.Time
	failed            string // the reason; empty if it succeeded
}

// findAny returns a node by its name. Members come before nodes that have left.
func (c *Cluster) findAny(name string) *Node {
	if n := c.find(name); n != nil {
		return n
	}
	i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

// invite makes a standalone node a member. It returns the reason why not in the broker's
// words, or "".
func (c *Cluster) invite(by *Node, name string, t time.Time) string {
	switch n := c.findAny(name); {
	case name == by.name:
		return "Cannot invite self"
	case n == nil || !n.up(t):
		return "nodedown"
	case !n.left && n != by:
		return "already_in_cluster" // not recorded
	case by.left:
		return "nodedown" // two clusters out of one are not simulated
	case c.singleNode():
		return "The node " + by.name + " has a single node license" // not recorded in full
	default:
		n.joinCluster(t)
		return ""
	}
}

// forceLeave ends a membership. It returns the reason why not, or "".
func (c *Cluster) forceLeave(by *Node, name string, t time.Time) string {
	n := c.find(name)
	switch {
	case name == by.name:
		return "Can't leave self"
	case n == nil || by.left:
		return "node_not_in_cluster"
	}
	n.leave(t)
	return ""
}
