package emqxsim

import (
	"slices"
	"time"
)

// invitation is one that was made in the background.
type invitation struct {
	node              string
	started, finished time.Time
	failed            string // why; "" = it succeeded
}

// backup is an exported file; it lies on the node that made it.
type backup struct {
	name, node string
	made       time.Time
	content    []byte
}

// any gives a node by name, a member before one that has left.
func (c *Cluster) any(name string) *Node {
	if n := c.find(name); n != nil {
		return n
	}
	i := slices.IndexFunc(c.nodes, func(n *Node) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

// invite makes a standalone node a member; the reason why not is in the
// broker's words, "" = it is one now.
func (c *Cluster) invite(by *Node, name string, t time.Time) string {
	switch n := c.any(name); {
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
		n.enter(t)
		return ""
	}
}

// forceLeave ends a membership; the reason why not, "" = it is none any more.
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
