package derive

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// RolloutStep is the next thing to be done to the nodes of a cluster that is being
// changed: at most one of its fields says something.
type RolloutStep struct {
	Drain         string       // EMQX name of the node whose clients are to leave
	Undrain       string       // EMQX name of a node that is to take clients again
	ForgetDrain   bool         // that a node was to lose its clients: it is none of the cluster's any more
	Role          ecp.NodeRole // of Resize, Replace and ScaleDown
	Resize        []int        // the node to be given other CPU and memory while it runs
	Replace       []int        // the pod to be replaced
	Abandon       []string     // what of it is given up, see [ecp.Desired]
	ScaleDown     bool         // ask for one node less
	RemoveForeign string       // EMQX name of a member that is no node of the cluster and has stopped
	// ordinal of a node that has gone for good and is to be no member any more; 0 means none: the first never goes
	RemoveOrdinal int
	Waits         string    // for people: what has to come first
	Opens         time.Time // where that is a maintenance window only: when it opens
}

// On returns what the platform is asked for to do the step.
func (s RolloutStep) On(d ecp.Desired) ecp.Desired {
	switch {
	case s.Role == ecp.RoleReplicant:
		d.Replicants.Roll, d.Replicants.Resize = s.Replace, s.Resize
		d.Replicants.Replicas -= OneIf(s.ScaleDown)
	case s.ScaleDown:
		d.Replicas--
		d.Spec.Nodes = d.Replicas
	default:
		d.Roll, d.Resize = s.Replace, s.Resize
	}
	d.Abandon = s.Abandon
	return d
}

// NextRolloutStep returns what to do next to the nodes, after an observation: surplus ones leave
// first, the highest before the others, then outdated ones are given another size
// where they run, or are made anew. One node at a time, and a healthy one only while all others are. drained: the
// node in turn has no clients any more, or cannot be freed of them.
//
// Core nodes have their turn before replicants, but for the last of several: EMQX lets a
// replicant connect only to a core node of its own version, so that a replicant which is
// upgraded first would serve nobody, and those of the old version serve only until the last
// core node of it has gone. (EMQX's own operator begins with core nodes, too.)
func NextRolloutStep(v View, drained bool) RolloutStep {
	draining := v.Rec.Status.Draining
	g, n := v.inTurn()
	if next := v.stranded(); len(next.Replace) > 0 {
		return next
	}
	giveUp := v.giveUp()
	switch {
	case v.oldKeys():
		return RolloutStep{Waits: whyAllStop}
	case v.Rec.Status.Removing > 0:
		return RolloutStep{RemoveOrdinal: v.Rec.Status.Removing}
	case len(giveUp.Replace) > 0:
		return giveUp
	case g.surplus() && g.asked < g.has: // it was asked to go
		if n != nil {
			return RolloutStep{Waits: n.Pod + " is going"}
		}
		return RolloutStep{RemoveOrdinal: g.has - 1}
	case draining != nil && !v.hasNode(draining.Node):
		return RolloutStep{ForgetDrain: true}
	case draining != nil && (n == nil || n.Name != draining.Node):
		if i := slices.IndexFunc(v.Snapshot.Found.Nodes,
			func(o ecp.NodeObservation) bool { return o.Name == draining.Node && o.Terminating }); i >= 0 {
			// it would take clients until it has gone
			return RolloutStep{Waits: v.Snapshot.Found.Nodes[i].Pod + " is going"}
		}
		return RolloutStep{Undrain: draining.Node}
	case n == nil && g.surplus():
		return RolloutStep{Role: g.role, ScaleDown: true}
	case n == nil && giveUp.Waits != "":
		return giveUp
	case n == nil:
		return RolloutStep{RemoveForeign: v.stoppedForeign()}
	case !g.surplus() && n.Resize == ecp.ResizeWaiting:
		return RolloutStep{Waits: n.Pod + " is being resized in place: " + n.ResizeReason}
	case !g.surplus() && n.Resize == ecp.ResizeDue: // clients stay, and so does the order: one node at a time
		if waits := v.whyNotNow(n.Name); waits != "" {
			return RolloutStep{Waits: waits}
		}
		return RolloutStep{Role: g.role, Resize: []int{n.Ordinal}}
	case draining != nil && draining.TimedOut:
		return RolloutStep{Waits: "the clients of " + n.Name + " did not leave in time"}
	}
	if v.serves(*n) {
		if draining != nil && len(v.Ready) == 0 { // its clients have nowhere to go
			return RolloutStep{Undrain: n.Name}
		}
		if waits := cmp.Or(v.whyNotNow(n.Name), v.onlyInFront(*n)); waits != "" {
			return RolloutStep{Waits: waits}
		}
		if why, opens := v.outsideWindow(); why != "" && !g.surplus() && draining == nil {
			return RolloutStep{Waits: why, Opens: opens}
		}
		if !drained && slices.ContainsFunc(v.Ready, func(o ecp.NodeObservation) bool { return o.Name != n.Name }) {
			return RolloutStep{Drain: n.Name}
		}
	}
	if g.surplus() {
		return RolloutStep{Role: g.role, ScaleDown: true}
	}
	return RolloutStep{Role: g.role, Replace: []int{n.Ordinal}}
}

// onlyInFront returns what has to come before a node is drained that is the only one to which
// clients are sent; empty means it is not.
func (v View) onlyInFront(n ecp.NodeObservation) string {
	if !v.Snapshot.Found.ReplicantsInFront || !v.isReached(n) ||
		slices.ContainsFunc(v.Reached(), func(o ecp.NodeObservation) bool { return o.Name != n.Name }) {
		return ""
	}
	return "clients are to be sent to core nodes before " + n.Pod + " goes"
}

// serves reports whether a node may have clients: it is ready, or it is not because
// its clients are being moved, and as far as can be told EMQX still counts it.
func (v View) serves(n ecp.NodeObservation) bool {
	l := v.Rec.Status.Draining
	draining := l != nil && l.Node == n.Name && !n.Terminating && !n.Broken
	return n.Ready || draining && (len(v.Snapshot.Views) == 0 || HasMember(v.members(), n.Name))
}

// inTurn is the node whose turn it is, and those of its role; nil if none has to go, or it
// is not there. Of outdated ones those that serve nobody come first: what is broken gets no
// worse.
func (v View) inTurn() (group, *ecp.NodeObservation) {
	nodes := v.Snapshot.Found.Nodes
	for _, role := range []ecp.NodeRole{ecp.RoleCore, ecp.RoleReplicant} {
		g := v.group(role)
		if !g.surplus() {
			continue
		}
		i := slices.IndexFunc(nodes,
			func(n ecp.NodeObservation) bool { return n.Role == role && n.Ordinal == g.has-1 })
		if i < 0 {
			return g, nil
		}
		return g, &nodes[i]
	}
	outdated := 0
	for _, n := range OfRole(nodes, ecp.RoleCore) {
		outdated += OneIf(n.Outdated)
	}
	var out *ecp.NodeObservation
	for i := range nodes {
		n := &nodes[i]
		if n.Outdated && !n.Terminating && v.replaces() &&
			(out == nil || comesBefore(*n, *out, outdated == 1 && v.Want > 1)) {
			out = n
		}
	}
	if out == nil {
		return v.group(ecp.RoleCore), nil
	}
	return v.group(out.Role), out
}

// comesBefore reports whether of two nodes to be made anew one has its turn before the other.
// lastCore: no other core node is to be made anew.
func comesBefore(a, b ecp.NodeObservation, lastCore bool) bool {
	switch {
	case rank(a) != rank(b):
		return rank(a) > rank(b)
	case a.Role != b.Role:
		return (a.Role == ecp.RoleCore) != lastCore
	}
	return a.Ordinal > b.Ordinal
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

// whyNotNow returns why no healthy node may go now; empty means one may. name is the one
// that would.
func (v View) whyNotNow(name string) string {
	f := v.Snapshot.Found
	if asked := f.Replicas + f.Replicants; len(f.Nodes) != asked {
		return fmt.Sprintf("%d of %d nodes are there", len(f.Nodes), asked)
	}
	for _, n := range f.Nodes {
		if n.Name != name && !v.WaitsForCore(n) && (!n.Ready || n.Terminating) {
			return n.Pod + " is not ready"
		}
	}
	return v.apart()
}

// apart returns which of the nodes that are ready is none that EMQX counts, or has not the version that is wanted.
func (v View) apart() string {
	if len(v.Snapshot.Views) == 0 { // nobody to ask, or nobody answers: what Kubernetes says has to do
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

// OrdinalsOf is how many core nodes belong to the cluster now.
func OrdinalsOf(rec ecp.ClusterRecord) int {
	if n := rec.Status.Ordinals; n > 0 {
		return n
	}
	return rec.Spec.Hosted.Nodes
}

// replicasFor is how many nodes the platform is to be asked for, but for the
// one that NextMove may let go.
func replicasFor(rec ecp.ClusterRecord, found ecp.Observation) int {
	if oldKeys(rec, found) {
		return 0
	}
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
		if v.Ordinal >= max(OrdinalsOf(rec), found.Replicas) && !v.Terminating {
			out = append(out, v.Ordinal)
		}
	}
	return out
}

// NameOf returns the EMQX name of the core node of an ordinal whose pod is not there,
// by that of one that is; "" where that does not tell.
func (v View) NameOf(ordinal int) string { return v.nameOf(ecp.RoleCore, ordinal) }

func (v View) nameOf(role ecp.NodeRole, ordinal int) string {
	for _, n := range OfRole(v.Snapshot.Found.Nodes, role) {
		if base, ok := strings.CutSuffix(n.Pod, strconv.Itoa(n.Ordinal)); ok && strings.Contains(n.Name, n.Pod) {
			return strings.Replace(n.Name, n.Pod, base+strconv.Itoa(ordinal), 1)
		}
	}
	return ""
}

// hasNode reports whether a name may be that of a node of the cluster.
func (v View) hasNode(name string) bool {
	for _, role := range []ecp.NodeRole{ecp.RoleCore, ecp.RoleReplicant} {
		for i := range v.group(role).has {
			if is := v.nameOf(role, i); is == name || is == "" {
				return true
			}
		}
	}
	return false
}

// changing reports whether something is brought up or changed, or was to be and has
// failed: it is tried on.
func changing(st ecp.Status) bool {
	_, onItsWay := failureOf[st.State]
	return onItsWay || taskFailures[st.Reason]
}

// MayRollOut reports whether nodes may be replaced or let go now: something is being
// changed, all of it is on the platform, and nothing is in doubt.
func (v View) MayRollOut() bool {
	st := v.Rec.Status
	return changing(st) && v.Snapshot.Unseen == "" && v.Snapshot.NotHeld == "" && !v.Blocked() && v.Loss == nil &&
		v.older == nil && v.Want > 0 &&
		v.Snapshot.Found.Exists && !v.Snapshot.Found.Terminating && v.Snapshot.Found.ForeignOwner == "" &&
		st.Applied == v.Rec.Generation && (len(v.Snapshot.Found.Drift) == 0 || v.Refused() != nil)
}

// ToReplace returns the healthy node that a move would begin to replace; nil
// where it replaces none, or the node is to have no successor.
func (v View) ToReplace(next RolloutStep) *ecp.NodeObservation {
	i := slices.IndexFunc(v.Snapshot.Found.Nodes, func(n ecp.NodeObservation) bool {
		return v.serves(n) && (n.Name == next.Drain || n.Role == next.Role && slices.Contains(next.Replace, n.Ordinal))
	})
	if g, _ := v.inTurn(); i < 0 || g.surplus() {
		return nil
	}
	return &v.Snapshot.Found.Nodes[i]
}

// stranded returns the step that replaces nodes whose machines are known to run
// nothing any more, or are abandoned, and whose pods are still shown: nobody else
// confirms their end.
func (v View) stranded() (next RolloutStep) {
	for _, n := range v.Snapshot.Found.Nodes {
		abandoned := n.Machine == ecp.MachineUnanswered && slices.Contains(v.Rec.Status.Abandoned, n.PodUID)
		if (n.Machine == ecp.MachineGone || abandoned) && !n.Ready && (len(next.Replace) == 0 || next.Role == n.Role) {
			next.Role, next.Replace = n.Role, append(next.Replace, n.Ordinal)
			next.Abandon = v.Rec.Status.Abandoned
		}
	}
	return next
}

// giveUp returns the step that deletes the volume of a node, which is lost, as was asked for, or what
// that waits for: one node at a time, while all others serve and have their data.
func (v View) giveUp() (next RolloutStep) {
	f, serve, waits := v.Snapshot.Found, 0, v.apart()
	cores := OfRole(f.Nodes, ecp.RoleCore)
	for _, n := range cores {
		claim := lostVolume(f, n)
		switch {
		case n.Ordinal < v.Want && slices.Contains(v.Rec.Status.Abandoned, claim):
			next = RolloutStep{Role: n.Role, Replace: []int{n.Ordinal}, Abandon: []string{claim}}
		case v.serves(n):
			serve++
		case !n.VolumeLost:
			waits = n.Pod + " is not ready"
		}
	}
	switch {
	case serve == 0:
		waits = "no node that serves has its data"
	case len(cores) < f.Replicas:
		waits = fmt.Sprintf("%d of %d nodes are there", len(cores), f.Replicas)
	}
	if len(next.Replace) > 0 && waits != "" {
		return RolloutStep{Waits: "a lost volume is kept: " + waits}
	}
	return next
}

// Replacing returns what the platform is asked for to replace these very pods.
func Replacing(d ecp.Desired, nodes []ecp.NodeObservation) ecp.Desired {
	d.Replace, d.Replicants.Replace = map[int]string{}, map[int]string{}
	for _, n := range nodes {
		if n.Role == ecp.RoleReplicant {
			d.Replicants.Replace[n.Ordinal] = n.PodUID
		} else {
			d.Replace[n.Ordinal] = n.PodUID
		}
	}
	return d
}

// ToRepair returns the nodes that the repair under way may replace: they will not start
// without help, and are made as the platform would make them now. Others are replaced as
// outdated anyway.
func (v View) ToRepair() []ecp.NodeObservation {
	st := v.Rec.Status
	if st.RepairOf == "" || st.Operation == "" || v.Want == 0 || v.oldKeys() || !v.MayRollOut() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.Snapshot.Found.Nodes), func(n ecp.NodeObservation) bool {
		return !n.Broken || n.Outdated || n.Terminating || n.Ordinal >= v.wantOf(n.Role)
	})
}
