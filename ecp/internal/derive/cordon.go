package derive

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// A machine that takes no new pods (kubectl cordon) is about to be emptied (kubectl drain), which evicts its pods one
// after the other. The clients of a node on it are moved before, and until they have left nobody can evict a node of
// the cluster. Then the node stays without clients until it is evicted, or its machine takes pods again.

const (
	// evictionPatience is how long a node that can be evicted goes without clients while something else waits for it:
	// another node on such a machine, or an operation.
	evictionPatience = 2 * time.Minute
	// movePatience is how long a node may take to come back elsewhere before the cluster is degraded.
	movePatience = 5 * time.Minute
)

// CordonStep is the next thing to be done about nodes whose machines take no new pods: at most one of its fields says
// something.
type CordonStep struct {
	Drain   string // EMQX name of the node whose clients are to leave
	Undrain string // EMQX name of the node that is to take clients again
	Forget  bool   // that a node was to lose its clients: it is none of the cluster's any more
	Waits   string // for people: what is waited for, so that no node is replaced meanwhile
}

// NextCordonStep returns what to do next about nodes whose machines take no new pods. One has its turn at a time, and
// only while all others serve; those of one machine come one after the other. A node that a roll-out has begun with
// is brought to its end first.
func NextCordonStep(v View) CordonStep {
	d := v.Rec.Status.Draining
	switch {
	case !v.mayDrain():
		return CordonStep{}
	case d != nil:
		return v.turnOf(d.Node)
	}
	n := v.nextCordoned()
	if n == nil || cmp.Or(v.whyNotNow(n.Name), v.onlyInFront(*n)) != "" { // a roll-out may be what helps
		return CordonStep{}
	}
	return CordonStep{Drain: n.Name}
}

// turnOf returns what to do about the node that has its turn.
func (v View) turnOf(node string) CordonStep {
	c, n := cordonOf(v.Rec.Status, node), v.nodeNamed(node)
	_, rolled := v.inTurn()
	switch {
	case c == nil && changing(v.Rec.Status):
		return CordonStep{} // it has that of a roll-out
	case n == nil && !v.hasNode(node):
		return CordonStep{Forget: true}
	case n == nil:
		return CordonStep{Waits: node + " was evicted, and is not there again yet"}
	case n.Terminating:
		return CordonStep{Waits: n.Pod + " is going"}
	case c == nil || c.PodUID != n.PodUID || !onCordoned(v.Rec.Status, v.Snapshot.Found, *n):
		return CordonStep{Undrain: node}
	case c.Freed.IsZero():
		return CordonStep{Drain: node}
	case changing(v.Rec.Status) && rolled != nil && rolled.Name == node:
		return CordonStep{} // the roll-out replaces it
	case v.now.Before(c.Freed.Add(evictionPatience)) || !changing(v.Rec.Status) && v.cordonedNodes() < 2:
		return CordonStep{Waits: n.Pod + " can be evicted from " + c.Machine + " (kubectl drain)"}
	}
	return CordonStep{Undrain: node}
}

// mayDrain reports whether clients may be moved because of machines: nothing is in doubt.
func (v View) mayDrain() bool {
	st, f := v.Rec.Status, v.Snapshot.Found
	return (len(st.Cordoned) > 0 || st.Draining != nil) && v.Snapshot.Unseen == "" && v.Snapshot.NotHeld == "" &&
		!v.Blocked() && v.Loss == nil && v.older == nil && v.Want > 0 && f.Exists && !f.Terminating &&
		f.ForeignOwner == "" && st.Applied == v.Rec.Generation
}

// nextCordoned returns the node on a cordoned machine whose clients are to leave next; nil if there is none. Machines
// come in the order in which kubectl lists them, which is that in which people drain several.
func (v View) nextCordoned() (next *ecp.NodeObservation) {
	for i := range v.Snapshot.Found.Nodes {
		n := &v.Snapshot.Found.Nodes[i]
		c := cordonOf(v.Rec.Status, n.Name)
		if c == nil || c.PodUID != n.PodUID || !c.Freed.IsZero() || !v.serves(*n) || n.Terminating {
			continue
		}
		if next == nil || n.Host < next.Host {
			next = n
		}
	}
	return next
}

// cordonedNodes counts the nodes that are on cordoned machines.
func (v View) cordonedNodes() (count int) {
	for _, n := range v.Snapshot.Found.Nodes {
		count += OneIf(onCordoned(v.Rec.Status, v.Snapshot.Found, n) && !n.Terminating)
	}
	return count
}

func (v View) nodeNamed(name string) *ecp.NodeObservation { return nodeNamed(v.Snapshot.Found, name) }

func nodeNamed(found ecp.Observation, name string) *ecp.NodeObservation {
	i := slices.IndexFunc(found.Nodes, func(n ecp.NodeObservation) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &found.Nodes[i]
}

// cordonOf returns what is remembered of a node because of its machine; nil if nothing is.
func cordonOf(st ecp.Status, node string) *ecp.CordonedNode {
	i := slices.IndexFunc(st.Cordoned, func(c ecp.CordonedNode) bool { return c.Node == node })
	if i < 0 {
		return nil
	}
	return &st.Cordoned[i]
}

// onCordoned reports whether the machine of a node takes no new pods. While that cannot be seen it is as it was.
func onCordoned(st ecp.Status, found ecp.Observation, n ecp.NodeObservation) bool {
	c := cordonOf(st, n.Name)
	return n.Unschedulable || !found.MachinesSeen && c != nil && c.PodUID == n.PodUID && c.Away.IsZero()
}

// movesForMachines reports whether the clients of a cluster's nodes can go elsewhere when a machine is emptied.
func movesForMachines(rec ecp.ClusterRecord) bool {
	return WantedNodes(rec)+WantedReplicants(rec) > 1 && !MovesNoClients(rec.Resolved.Image.Version)
}

// EvictionsHeld reports whether nobody is to evict nodes of a cluster now: one that serves is on a cordoned machine,
// and its clients have not left yet. While a node has its turn in a roll-out, or may be evicted, that one is the one
// which may be away: then the budget of one lets no other go that serves.
func EvictionsHeld(rec ecp.ClusterRecord, found ecp.Observation) bool {
	st := rec.Status
	if !movesForMachines(rec) {
		return false
	}
	if d := st.Draining; d != nil {
		c, n := cordonOf(st, d.Node), nodeNamed(found, d.Node)
		if c == nil || !c.Freed.IsZero() && n != nil && n.PodUID == c.PodUID && !n.Terminating {
			return false
		}
	}
	return slices.ContainsFunc(found.Nodes, func(n ecp.NodeObservation) bool {
		c := cordonOf(st, n.Name)
		serves := n.Ready || st.Draining != nil && st.Draining.Node == n.Name
		done := c != nil && c.PodUID == n.PodUID && !c.Freed.IsZero()
		return serves && !n.Terminating && !n.Broken && !done && onCordoned(st, found, n)
	})
}

// recordCordons takes up which machines take no new pods, and which of their nodes may be evicted. turnEnded: a node
// had its turn, and those that waited for it have their whole time from now on.
func recordCordons(now time.Time, rec *ecp.ClusterRecord, snap Snapshot, outcome Outcome, turnEnded bool) {
	st, f := &rec.Status, snap.Found
	if WantedNodes(*rec) == 0 || !f.Exists || f.Terminating {
		st.Cordoned = nil
		return
	}
	v := NewView(now, *rec, snap)
	var out []ecp.CordonedNode
	for _, c := range st.Cordoned {
		if c, stays := v.cordonNow(c); stays {
			out = append(out, c)
		}
	}
	for _, n := range f.Nodes {
		if n.Unschedulable && !slices.ContainsFunc(out, func(c ecp.CordonedNode) bool { return c.Node == n.Name }) {
			c := ecp.CordonedNode{Node: n.Name, PodUID: n.PodUID, Machine: n.Host, Since: now}
			if n.Terminating { // it was evicted before anybody knew
				c.Away = now
			}
			out = append(out, c)
		}
	}
	draining := ""
	if st.Draining != nil {
		draining = st.Draining.Node
	}
	for i := range out {
		c := &out[i]
		if !c.Freed.IsZero() || !c.Away.IsZero() {
			continue
		}
		if turnEnded {
			c.Since = now
		}
		from := c.Since
		if draining == c.Node && st.Draining.Since.Before(from) { // a roll-out has begun with it
			from = st.Draining.Since
		}
		late := (draining == "" || draining == c.Node) && now.After(from.Add(DrainDeadline(rec.Spec.Hosted.Evacuation)))
		if outcome.Freed == c.Node || late || !movesForMachines(*rec) {
			c.Freed, c.TimedOut = now, late
		}
	}
	st.Cordoned = out
}

// cordonNow returns what is to be remembered of a node because of its machine, and whether anything is: until it serves
// again elsewhere, or its machine takes pods.
func (v View) cordonNow(c ecp.CordonedNode) (_ ecp.CordonedNode, stays bool) {
	st, n := v.Rec.Status, v.nodeNamed(c.Node)
	draining := st.Draining != nil && st.Draining.Node == c.Node
	other := n != nil && n.PodUID != c.PodUID
	cordoned := n != nil && onCordoned(st, v.Snapshot.Found, *n)
	switch {
	case n == nil && !v.hasNode(c.Node), other && n.Unschedulable, // that is another one
		n != nil && n.Ready && !draining && (other || !cordoned):
		return c, false
	// EMQX tells sooner than Kubernetes that a node has gone: that may be the eviction.
	case n == nil, n.Terminating, other, !cordoned, !c.Freed.IsZero() && !v.serves(*n):
		if c.Away.IsZero() {
			c.Away = v.now
		}
	case !c.Away.IsZero() && !n.Ready && !draining: // it takes clients again, and is cordoned again
	case !c.Away.IsZero() && c.Freed.IsZero():
		c.Away, c.Since = time.Time{}, v.now
	default:
		c.Away = time.Time{}
	}
	return c, true
}

// Emptying reports whether something is to be done soon about nodes on cordoned machines.
func Emptying(rec ecp.ClusterRecord) bool {
	st := rec.Status
	return st.Draining != nil && len(st.Cordoned) != 1 || slices.ContainsFunc(st.Cordoned,
		func(c ecp.CordonedNode) bool { return c.Freed.IsZero() || !c.Away.IsZero() })
}

// onTheMove reports whether every node that is away is so because its machine is being emptied: its clients are moved,
// or it was evicted. patience is how long that may take.
func (v View) onTheMove(patience time.Duration) bool {
	f, missing := v.Snapshot.Found, 0
	moves := func(c ecp.CordonedNode) bool { return !c.Away.IsZero() && v.now.Sub(c.Away) <= patience }
	for _, c := range v.Rec.Status.Cordoned {
		missing += OneIf(v.nodeNamed(c.Node) == nil && moves(c))
	}
	if len(v.Rec.Status.Cordoned) == 0 || v.All()-len(f.Nodes) > missing {
		return false
	}
	return !slices.ContainsFunc(f.Nodes, func(n ecp.NodeObservation) bool {
		c := cordonOf(v.Rec.Status, n.Name)
		return (!n.Ready || n.Terminating) && (c == nil || !moves(*c) && (!c.Away.IsZero() || !v.serves(n)))
	})
}

// asAskedFor is the state of a cluster of which nothing is left to be done.
func asAskedFor(v View) (ecp.State, ecp.Reason, string) {
	if v.cordonedNodes() > 0 && len(v.Rec.Status.Cordoned) > 0 {
		return ecp.Running, ecp.ReasonMachineCordoned, v.describeCordons()
	}
	return ecp.Running, ecp.ReasonAsExpected, ""
}

func machineCordoned(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Running, ecp.ReasonMachineCordoned, v.describeCordons()
}

// describeCordons returns in words what is done about nodes whose machines are being emptied. It has no figures that
// change from one observation to the next: each other text is stored.
func (v View) describeCordons() string {
	var parts []string
	for _, c := range v.Rec.Status.Cordoned {
		parts = append(parts,
			fmt.Sprintf("the machine %s takes no new pods: %s %s", c.Machine, c.Node, v.describeCordon(c)))
	}
	return strings.Join(parts, "; ")
}

func (v View) describeCordon(c ecp.CordonedNode) string {
	n, d := v.nodeNamed(c.Node), v.Rec.Status.Draining
	draining := d != nil && d.Node == c.Node
	switch {
	case n != nil && n.PodUID == c.PodUID && !n.Terminating && !onCordoned(v.Rec.Status, v.Snapshot.Found, *n):
		return "stays, since the machine takes pods again, and is about to take clients"
	case !c.Away.IsZero() && (n == nil || n.PodUID != c.PodUID || n.Terminating):
		return "was evicted, and is made anew on another one"
	case !movesForMachines(v.Rec):
		return "can be evicted, and its clients are cut then: they cannot be moved to another node"
	case c.TimedOut:
		return "can be evicted: its clients had their time, and those that are left are cut"
	case !c.Freed.IsZero() && draining:
		return "has no clients any more, and can be evicted"
	case !c.Freed.IsZero():
		return "can be evicted; it had no clients for a while, and takes them again since others wait"
	case draining:
		return "cannot be evicted before its clients have left"
	}
	return "cannot be evicted before its clients have left, which waits for its turn"
}
