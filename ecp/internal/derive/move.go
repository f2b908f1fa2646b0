package derive

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// NodeMove is the next thing to be done to the nodes of a cluster that is being
// changed: at most one of its fields says something.
type NodeMove struct {
	Vacate string // EMQX name of the node whose clients are to leave
	Back   string // EMQX name of a node that is to take clients again
	Forget bool   // that a node was to lose its clients: it is none of the cluster's any more
	Roll   []int  // the pod to be replaced
	Lower  bool   // ask for one node less
	Expel  string // EMQX name of a member that is no node of the cluster and has stopped
	Remove int    // ordinal of a node that has gone for good and is to be no member any more; 0 = none: the first never goes
	Waits  string // for people: what has to come first
}

// NextMove says what to do next to the nodes, after a look: surplus ones leave
// first, the highest before the others, then outdated ones are made anew. One
// node at a time, and a healthy one only while all others are. vacated: the
// node in turn has no clients any more, or cannot be freed of them.
func NextMove(v View, vacated bool) NodeMove {
	last := OrdinalsOf(v.Rec) - 1
	leaving := v.Rec.Status.Leaving
	n := v.nextToGo(last)
	if gone := v.stranded(); len(gone) > 0 {
		return NodeMove{Roll: gone}
	}
	switch {
	case v.Rec.Status.Removing > 0:
		return NodeMove{Remove: v.Rec.Status.Removing}
	case v.Want <= last && v.Look.Found.Replicas <= last: // it was asked to go
		if n != nil {
			return NodeMove{Waits: n.Pod + " is going"}
		}
		return NodeMove{Remove: last}
	case leaving != nil && !v.hasNode(leaving.Node):
		return NodeMove{Forget: true}
	case leaving != nil && (n == nil || n.Name != leaving.Node):
		if i := slices.IndexFunc(v.Look.Found.Nodes, func(o ecp.NodeObservation) bool { return o.Name == leaving.Node && o.Going }); i >= 0 {
			return NodeMove{Waits: v.Look.Found.Nodes[i].Pod + " is going"} // it would take clients until it has gone
		}
		return NodeMove{Back: leaving.Node}
	case n == nil && v.Want <= last:
		return NodeMove{Lower: true}
	case n == nil:
		return NodeMove{Expel: v.stoppedForeign()}
	case leaving != nil && leaving.GivenUp:
		return NodeMove{Waits: "the clients of " + n.Name + " did not leave in time"}
	}
	if v.serves(*n) {
		if leaving != nil && len(v.Ready) == 0 { // its clients have nowhere to go
			return NodeMove{Back: n.Name}
		}
		if waits := v.unsteady(n.Name); waits != "" {
			return NodeMove{Waits: waits}
		}
		if !vacated && slices.ContainsFunc(v.Ready, func(o ecp.NodeObservation) bool { return o.Name != n.Name }) {
			return NodeMove{Vacate: n.Name}
		}
	}
	if v.Want <= last {
		return NodeMove{Lower: true}
	}
	return NodeMove{Roll: []int{n.Ordinal}}
}

// serves says that a node may have clients: it is ready, or it is not because
// its clients are being moved, and as far as can be told EMQX still counts it.
func (v View) serves(n ecp.NodeObservation) bool {
	l := v.Rec.Status.Leaving
	leaving := l != nil && l.Node == n.Name && !n.Going && !n.Broken
	return n.Ready || leaving && (len(v.Look.Views) == 0 || HasMember(v.members(), n.Name))
}

// nextToGo is the node whose turn it is; nil if none has to go. Of outdated ones
// those that serve nobody come first: what is broken gets no worse.
func (v View) nextToGo(last int) *ecp.NodeObservation {
	var out *ecp.NodeObservation
	nodes := v.Look.Found.Nodes
	for i := range nodes {
		n := &nodes[i]
		switch {
		case v.Want <= last:
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

func rank(n ecp.NodeObservation) int {
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
func (v View) unsteady(name string) string {
	f := v.Look.Found
	if len(f.Nodes) != f.Replicas {
		return fmt.Sprintf("%d of %d nodes are there", len(f.Nodes), f.Replicas)
	}
	for _, n := range f.Nodes {
		if n.Name != name && (!n.Ready || n.Going) {
			return n.Pod + " is not ready"
		}
	}
	if len(v.Look.Views) == 0 { // nobody to ask, or nobody answers: what Kubernetes says has to do
		return ""
	}
	if v.Partitioned() {
		return "nodes count different members"
	}
	members := v.members()
	for _, n := range v.Ready {
		i := slices.IndexFunc(members, func(m Member) bool { return m.Name == n.Name })
		if i < 0 {
			return n.Name + " is not a member"
		}
		if want := v.Rec.Resolved.Image.Version; !n.Outdated && members[i].Version != want {
			return n.Name + " runs " + members[i].Version + ", wanted is " + want
		}
	}
	return ""
}

// OrdinalsOf is how many nodes belong to the cluster now.
func OrdinalsOf(rec ecp.ClusterRecord) int {
	if n := rec.Status.Ordinals; n > 0 {
		return n
	}
	return rec.Spec.Hosted.Nodes
}

// replicasFor is how many nodes the platform is to be asked for, but for the
// one that NextMove may let go.
func replicasFor(rec ecp.ClusterRecord, found ecp.Observation) int {
	want, has := WantedNodes(rec), OrdinalsOf(rec)
	if gone := rec.Status.Removing; gone > 0 { // it must not come back as the member that it was
		want = min(want, gone)
	}
	switch {
	case want > has && len(Leftovers(rec, found)) > 0: // they must not come back with new nodes
		return has
	case want > 0 && want < has: // they leave one by one
		return max(want, min(found.Replicas, has))
	}
	return want
}

// Leftovers are the ordinals of claims whose nodes have left for good. Only a
// change looks for them: what somebody's own scaling has left behind is no
// business of a cluster that just runs.
func Leftovers(rec ecp.ClusterRecord, found ecp.Observation) []int {
	if !changing(rec.Status) || rec.Status.KeepVolumes {
		return nil
	}
	var out []int
	for _, v := range found.Volumes {
		if v.Ordinal >= max(OrdinalsOf(rec), found.Replicas) && !v.Going {
			out = append(out, v.Ordinal)
		}
	}
	return out
}

// NameOf gives the EMQX name of the node of an ordinal whose pod is not there,
// by that of one that is; "" where that does not tell.
func (v View) NameOf(ordinal int) string {
	for _, n := range v.Look.Found.Nodes {
		if base, ok := strings.CutSuffix(n.Pod, strconv.Itoa(n.Ordinal)); ok && strings.Contains(n.Name, n.Pod) {
			return strings.Replace(n.Name, n.Pod, base+strconv.Itoa(ordinal), 1)
		}
	}
	return ""
}

// hasNode says whether a name may be that of a node of the cluster.
func (v View) hasNode(name string) bool {
	for i := range OrdinalsOf(v.Rec) {
		if is := v.NameOf(i); is == name || is == "" {
			return true
		}
	}
	return false
}

// changing says that something is brought up or changed, or was to be and has
// failed: it is tried on.
func changing(st ecp.Status) bool {
	_, onItsWay := failureOf[st.State]
	return onItsWay || taskFailures[st.Reason]
}

// MayMove says that nodes may be replaced or let go now: something is being
// changed, all of it is on the platform, and nothing is in doubt.
func (v View) MayMove() bool {
	st := v.Rec.Status
	return changing(st) && v.Look.Unseen == "" && v.Look.NotHeld == "" && !v.Stuck() && v.Loss == nil && v.older == nil && v.Want > 0 &&
		v.Look.Found.Exists && !v.Look.Found.Terminating && v.Look.Found.Foreign == "" && st.Applied == v.Rec.Generation && (len(v.Look.Found.Drift) == 0 || v.Refused() != nil)
}
