package ecp

import (
	"fmt"
	"slices"
	"strings"
)

// nodeMove is the next thing to be done to the nodes of a cluster that is being
// changed: at most one of its fields says something.
type nodeMove struct {
	vacate string // EMQX name of the node whose clients are to leave
	back   string // EMQX name of a node that is to take clients again
	forget bool   // that a node was to lose its clients: it is none of the cluster's any more
	roll   []int  // the pod to be replaced
	lower  bool   // ask for one node less
	expel  string // EMQX name of a member that is no node of the cluster and has stopped
	remove int    // ordinal of a node that has gone for good and is to be no member any more; 0 = none: the first never goes
	waits  string // for people: what has to come first
}

// nextMove says what to do next to the nodes, after a look: surplus ones leave
// first, the highest before the others, then outdated ones are made anew. One
// node at a time, and a healthy one only while all others are. vacated: the
// node in turn has no clients any more, or cannot be freed of them.
func nextMove(v view, vacated bool) nodeMove {
	last := ordinalsOf(v.rec) - 1
	leaving := v.rec.Status.Leaving
	n := v.nextToGo(last)
	if gone := v.stranded(); len(gone) > 0 {
		return nodeMove{roll: gone}
	}
	switch {
	case v.rec.Status.Removing > 0:
		return nodeMove{remove: v.rec.Status.Removing}
	case v.want <= last && v.look.Found.Replicas <= last: // it was asked to go
		if n != nil {
			return nodeMove{waits: n.Pod + " is going"}
		}
		return nodeMove{remove: last}
	case leaving != nil && !v.hasNode(leaving.Node):
		return nodeMove{forget: true}
	case leaving != nil && (n == nil || n.Name != leaving.Node):
		if i := slices.IndexFunc(v.look.Found.Nodes, func(o NodeObservation) bool { return o.Name == leaving.Node && o.Going }); i >= 0 {
			return nodeMove{waits: v.look.Found.Nodes[i].Pod + " is going"} // it would take clients until it has gone
		}
		return nodeMove{back: leaving.Node}
	case n == nil && v.want <= last:
		return nodeMove{lower: true}
	case n == nil:
		return nodeMove{expel: v.stoppedForeign()}
	case leaving != nil && leaving.GivenUp:
		return nodeMove{waits: "the clients of " + n.Name + " did not leave in time"}
	}
	if v.serves(*n) {
		if leaving != nil && len(v.ready) == 0 { // its clients have nowhere to go
			return nodeMove{back: n.Name}
		}
		if waits := v.unsteady(n.Name); waits != "" {
			return nodeMove{waits: waits}
		}
		if !vacated && slices.ContainsFunc(v.ready, func(o NodeObservation) bool { return o.Name != n.Name }) {
			return nodeMove{vacate: n.Name}
		}
	}
	if v.want <= last {
		return nodeMove{lower: true}
	}
	return nodeMove{roll: []int{n.Ordinal}}
}

// serves says that a node may have clients: it is ready, or it is not because
// its clients are being moved, and as far as can be told EMQX still counts it.
func (v view) serves(n NodeObservation) bool {
	l := v.rec.Status.Leaving
	leaving := l != nil && l.Node == n.Name && !n.Going && !n.Broken
	return n.Ready || leaving && (len(v.look.Views) == 0 || hasMember(v.members(), n.Name))
}

// nextToGo is the node whose turn it is; nil if none has to go. Of outdated ones
// those that serve nobody come first: what is broken gets no worse.
func (v view) nextToGo(last int) *NodeObservation {
	var out *NodeObservation
	nodes := v.look.Found.Nodes
	for i := range nodes {
		n := &nodes[i]
		switch {
		case v.want <= last:
			if n.Ordinal == last {
				return n
			}
		case !n.Outdated || n.Going || !v.replaces():
		case out == nil || rank(*n) > rank(*out) || rank(*n) == rank(*out) && n.Ordinal > out.Ordinal:
			out = n
		}
	}
	return out
}

func rank(n NodeObservation) int {
	switch {
	case n.Broken:
		return 2
	case !n.Ready:
		return 1
	}
	return 0
}

// unsteady says why no healthy node may go now; "" = one may. name is the one
// that would.
func (v view) unsteady(name string) string {
	f := v.look.Found
	if len(f.Nodes) != f.Replicas {
		return fmt.Sprintf("%d of %d nodes are there", len(f.Nodes), f.Replicas)
	}
	for _, n := range f.Nodes {
		if n.Name != name && (!n.Ready || n.Going) {
			return n.Pod + " is not ready"
		}
	}
	if len(v.look.Views) == 0 { // nobody to ask, or nobody answers: what Kubernetes says has to do
		return ""
	}
	if v.partitioned() {
		return "nodes count different members"
	}
	members := v.members()
	for _, n := range v.ready {
		i := slices.IndexFunc(members, func(m Member) bool { return m.Name == n.Name })
		if i < 0 {
			return n.Name + " is not a member"
		}
		if want := v.rec.Resolved.Image.Version; !n.Outdated && members[i].Version != want {
			return n.Name + " runs " + members[i].Version + ", wanted is " + want
		}
	}
	return ""
}

// ordinalsOf is how many nodes belong to the cluster now.
func ordinalsOf(rec ClusterRecord) int {
	if n := rec.Status.Ordinals; n > 0 {
		return n
	}
	return rec.Spec.Hosted.Nodes
}

// replicasFor is how many nodes the platform is to be asked for, but for the
// one that nextMove may let go.
func replicasFor(rec ClusterRecord, found Observation) int {
	want, has := wantedNodes(rec), ordinalsOf(rec)
	if gone := rec.Status.Removing; gone > 0 { // it must not come back as the member that it was
		want = min(want, gone)
	}
	switch {
	case want > has && len(leftovers(rec, found)) > 0: // they must not come back with new nodes
		return has
	case want > 0 && want < has: // they leave one by one
		return max(want, min(found.Replicas, has))
	}
	return want
}

// leftovers are the ordinals of claims whose nodes have left for good. Only a
// change looks for them: what somebody's own scaling has left behind is no
// business of a cluster that just runs.
func leftovers(rec ClusterRecord, found Observation) []int {
	if !changing(rec.Status) || rec.Status.KeepVolumes {
		return nil
	}
	var out []int
	for _, v := range found.Volumes {
		if v.Ordinal >= max(ordinalsOf(rec), found.Replicas) && !v.Going {
			out = append(out, v.Ordinal)
		}
	}
	return out
}

// nameOf gives the EMQX name of the node of an ordinal whose pod is not there,
// by that of one that is; "" where that does not tell.
func (v view) nameOf(ordinal int) string {
	for _, n := range v.look.Found.Nodes {
		if base, ok := strings.CutSuffix(n.Pod, itoa(n.Ordinal)); ok && strings.Contains(n.Name, n.Pod) {
			return strings.Replace(n.Name, n.Pod, base+itoa(ordinal), 1)
		}
	}
	return ""
}

// hasNode says whether a name may be that of a node of the cluster.
func (v view) hasNode(name string) bool {
	for i := range ordinalsOf(v.rec) {
		if is := v.nameOf(i); is == name || is == "" {
			return true
		}
	}
	return false
}

// changing says that something is brought up or changed, or was to be and has
// failed: it is tried on.
func changing(st Status) bool {
	_, onItsWay := failureOf[st.State]
	return onItsWay || taskFailures[st.Reason]
}

// mayMove says that nodes may be replaced or let go now: something is being
// changed, all of it is on the platform, and nothing is in doubt.
func (v view) mayMove() bool {
	st := v.rec.Status
	return changing(st) && v.look.Unseen == "" && v.look.NotHeld == "" && !v.stuck() && v.loss == nil && v.older == nil && v.want > 0 &&
		v.look.Found.Exists && !v.look.Found.Terminating && v.look.Found.Foreign == "" && st.Applied == v.rec.Generation && (len(v.look.Found.Drift) == 0 || v.refused() != nil)
}
