package adopt

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// claim is one agent's word on which EMQX cluster its broker belongs to.
type claim struct {
	agent    ecp.AgentID
	recorded string    // node name that was stored when its broker was accepted; empty means never was
	members  []string  // of its last complete report while it is connected; nil means none
	serving  time.Time // since when its broker counts as the cluster's; zero means not yet
}

// group is a set of agents whose brokers have members in common, directly or by
// way of others.
type group struct {
	agents  []claim
	members map[string]bool
}

// foreignAgents returns the agents whose brokers belong to another EMQX cluster
// than the adopted one, each with the reason in words. The cluster is the group that
// has most of the recorded nodes, and of equals the one that stood first. Agents
// without a complete report are never foreign: nothing speaks against them.
//
// Where none of the recorded nodes is in sight, a group counts as the cluster only
// if an agent of it was accepted before: all nodes can have got new addresses, but
// a newcomer must not take the place of agents that are merely away.
func foreignAgents(claims []claim) map[ecp.AgentID]string {
	recorded := map[string]bool{}
	for _, c := range claims {
		if c.recorded != "" {
			recorded[c.recorded] = true
		}
	}
	groups := groupsOf(claims)
	if len(groups) == 0 {
		return nil
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.score(recorded), a.score(recorded)), a.compare(b))
	})
	own, others := groups[0], groups[1:]
	if len(recorded) > 0 && own.score(recorded) == 0 && !own.accepted() {
		own, others = group{members: recorded}, groups
	}
	out := map[ecp.AgentID]string{}
	for _, other := range others {
		for _, c := range other.agents {
			out[c.agent] = fmt.Sprintf("its broker's members (%s) have nothing in common with the cluster's (%s)",
				list(c.members), list(slices.Sorted(maps.Keys(own.members))))
		}
	}
	return out
}

// groupsOf joins the agents whose members overlap. The order of agents is kept.
func groupsOf(claims []claim) []group {
	var groups []group
	for _, c := range claims {
		if len(c.members) == 0 {
			continue
		}
		joined := group{agents: []claim{c}, members: map[string]bool{}}
		for _, m := range c.members {
			joined.members[m] = true
		}
		var apart []group
		for _, other := range groups {
			if !other.overlaps(joined.members) {
				apart = append(apart, other)
				continue
			}
			joined.agents = append(slices.Clone(other.agents), joined.agents...)
			maps.Copy(joined.members, other.members)
		}
		groups = append(apart, joined)
	}
	return groups
}

func (c group) overlaps(members map[string]bool) bool {
	for m := range members {
		if c.members[m] {
			return true
		}
	}
	return false
}

// score counts the recorded nodes that are members.
func (c group) score(recorded map[string]bool) (n int) {
	for m := range recorded {
		if c.members[m] {
			n++
		}
	}
	return n
}

// accepted reports whether one of the agents was accepted by this or an earlier
// process.
func (c group) accepted() bool {
	return slices.ContainsFunc(c.agents, func(a claim) bool { return a.recorded != "" || !a.serving.IsZero() })
}

// compare orders groups by the first agent that serves. Those where none does come
// last, by whether one was accepted before, and then by the id of their first agent,
// so that the order is always the same.
func (c group) compare(other group) int {
	a, b := c.since(), other.since()
	switch {
	case a.IsZero() && b.IsZero() && c.accepted() != other.accepted():
		if c.accepted() {
			return -1
		}
		return 1
	case a.IsZero() != b.IsZero() && a.IsZero():
		return 1
	case a.IsZero() != b.IsZero():
		return -1
	}
	return cmp.Or(a.Compare(b), cmp.Compare(c.first(), other.first()))
}

func (c group) first() ecp.AgentID {
	return slices.MinFunc(c.agents, func(a, b claim) int { return cmp.Compare(a.agent, b.agent) }).agent
}

func (c group) since() (first time.Time) {
	for _, a := range c.agents {
		if !a.serving.IsZero() && (first.IsZero() || a.serving.Before(first)) {
			first = a.serving
		}
	}
	return first
}

// list names a few of many.
func list(names []string) string {
	const shown = 5
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
