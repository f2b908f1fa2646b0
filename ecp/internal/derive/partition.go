package derive

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Nodes that start at the same time may each find nobody else. EMQX looks for others
// at its start only: such nodes stay clusters of their own for good, until one of
// them is restarted.

// apartFor is how long nodes that are ready may not know each other: joining takes
// up to 5 s, as seen.
const apartFor = 15 * time.Second

// NeverMet reports whether ready nodes have never met: each of two that were asked knows
// itself, and has never heard of the other, while all that are wanted are ready. In
// a split of the network nodes know each other, as stopped ones; EMQX heals that by
// itself.
func (v View) NeverMet() bool {
	cores := OfRole(v.Ready, ecp.RoleCore) // replicants go on looking for core nodes
	if len(cores) < v.Want || len(cores) != len(OfRole(v.Snapshot.Found.Nodes, ecp.RoleCore)) ||
		v.Snapshot.MissingMembers < 2 {
		return false
	}
	for _, n := range cores {
		if v.now.Sub(n.Since) < apartFor {
			return false
		}
	}
	return len(v.strangers()) > 1
}

// strangers are the clusters that the ready nodes form where those have never met; nil
// where some have.
func (v View) strangers() [][]ecp.NodeObservation { return v.sides(v.Snapshot.Known) }

// Sides are the clusters that the ready nodes form now, as they count one another; nil
// where it cannot be told of one of them. The one that is to stay comes first: the
// largest, and of two the one that is longer ready.
func (v View) Sides() [][]ecp.NodeObservation {
	counted := map[string][]string{}
	for asked, members := range v.Snapshot.Views {
		for _, m := range members {
			counted[asked] = append(counted[asked], m.Name)
		}
	}
	return v.sides(counted)
}

// sides groups the ready core nodes by the lists that those which were asked have.
func (v View) sides(lists map[string][]string) [][]ecp.NodeObservation {
	var out [][]ecp.NodeObservation
	placed, cores := map[string]bool{}, OfRole(v.Ready, ecp.RoleCore)
	for _, asked := range slices.Sorted(maps.Keys(lists)) {
		isCore := slices.ContainsFunc(cores, func(n ecp.NodeObservation) bool { return n.Name == asked })
		if placed[asked] || !isCore || !slices.Contains(lists[asked], asked) {
			continue
		}
		var side []ecp.NodeObservation
		for _, n := range cores {
			if slices.Contains(lists[asked], n.Name) {
				if placed[n.Name] {
					return nil // two sides have it
				}
				placed[n.Name] = true
				side = append(side, n)
			}
		}
		out = append(out, side)
	}
	if len(placed) != len(cores) {
		return nil
	}
	slices.SortStableFunc(out, func(a, b []ecp.NodeObservation) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return firstReady(a).Compare(firstReady(b))
	})
	return out
}

func firstReady(side []ecp.NodeObservation) time.Time {
	return slices.MinFunc(side, func(a, b ecp.NodeObservation) int { return a.Since.Compare(b.Since) }).Since
}

// Joining is what unites the sides of a cluster: the nodes that are restarted, in order,
// or why none is.
type Joining struct {
	Restart []ecp.NodeObservation
	Not     string
}

// ToJoin returns which nodes a repair restarts so that they join the others: all but those
// of the side that is to stay, the smallest side first, and of each the youngest node. None
// is where a node cannot be seen: it may be of either side, and with it the smaller one may
// be the larger.
func (v View) ToJoin() Joining {
	if !v.Partitioned() {
		return Joining{}
	}
	cores := OfRole(v.Snapshot.Found.Nodes, ecp.RoleCore)
	if len(cores) < v.Want {
		return Joining{Not: fmt.Sprintf("%d of %d nodes are there, so that it cannot be told which side is the "+
			"smaller one: none is restarted", len(cores), v.Want)}
	}
	for _, n := range cores {
		counted := slices.ContainsFunc(slices.Collect(maps.Values(v.Snapshot.Views)),
			func(list []Member) bool { return HasMember(list, n.Name) })
		switch {
		case n.Broken, n.Machine == ecp.MachineGone: // what does not run is of no side
		case n.Ready && !n.Terminating && counted:
		case n.Ready && !n.Terminating:
			return Joining{Not: fmt.Sprintf("%s does not answer, so that it cannot be told which side is the "+
				"smaller one: none is restarted", n.Pod)}
		default:
			return Joining{Not: fmt.Sprintf("%s cannot be seen (%s), so that it cannot be told which side is the "+
				"smaller one: none is restarted", n.Pod, cmp.Or(n.Message, n.Reason, "not ready"))}
		}
	}
	sides := v.Sides()
	if len(sides) < 2 {
		return Joining{Not: "nodes contradict each other on who is on whose side: none is restarted"}
	}
	return Joining{Restart: restartOrder(sides)}
}

// restartOrder lists the nodes of all sides but the first, which is to stay.
func restartOrder(sides [][]ecp.NodeObservation) (out []ecp.NodeObservation) {
	for _, side := range slices.Backward(sides[1:]) {
		out = append(out, slices.SortedFunc(slices.Values(side),
			func(a, b ecp.NodeObservation) int { return b.Since.Compare(a.Since) })...)
	}
	return out
}

// Unjoined are the reasons of states in which nodes may count different members.
var Unjoined = map[ecp.Reason]bool{ecp.ReasonPartitioned: true, ecp.ReasonMemberMissing: true,
	ecp.ReasonSyncFailed: true}

// NextToJoin returns the node that is restarted next so that it joins the others: where
// nodes have never met, and for a repair. It is nil where none is to be, or not now. done
// are those that the repair has restarted, by pod: each is, once, and the next when
// the one before has joined. waits is why none is restarted now.
func (v View) NextToJoin(done map[string]bool) (next *ecp.NodeObservation, waits string) {
	if v.oldKeys() {
		return nil, whyAllStop
	}
	if v.NeverMet() {
		n := restartOrder(v.strangers())[0]
		return &n, describeSides(v.strangers()) + "; " + n.Pod + " is restarted, so that it joins"
	}
	st := v.Rec.Status
	if st.RepairOf == "" || st.Operation == "" || !v.MayRollOut() || !v.Partitioned() {
		return nil, ""
	}
	for _, n := range v.Snapshot.Found.Nodes {
		if done[n.Pod] && (!n.Ready || n.Terminating) {
			return nil, n.Pod + " was restarted, so that it joins the others"
		}
	}
	j := v.ToJoin()
	if len(j.Restart) == 0 {
		return nil, j.Not
	}
	for _, n := range v.Snapshot.Found.Nodes {
		if n.Broken {
			return nil, n.Pod + " has to start first"
		}
	}
	for _, n := range j.Restart {
		if done[n.Pod] {
			return nil, n.Pod + " was restarted and has not joined the others yet; look at the network between the " +
				"nodes: the next is restarted when it has joined"
		}
	}
	return &j.Restart[0], j.Restart[0].Pod + " is restarted, so that it joins the others"
}

// describeSides returns in words who has found whom.
func describeSides(sides [][]ecp.NodeObservation) string {
	var parts []string
	for _, side := range sides {
		parts = append(parts, strings.Join(PodsOf(side), " and "))
	}
	return "nodes started without finding each other: " + strings.Join(parts, "; and apart from it ")
}

// PodsOf returns the names of the pods of nodes.
func PodsOf(nodes []ecp.NodeObservation) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Pod)
	}
	return out
}

// whatHeals tells what to expect of nodes that count different members.
const whatHeals = "EMQX takes some minutes to find that its nodes have lost one another, and heals by itself when " +
	"they reach one another again: it restarts the smaller part, whose clients are cut; look at the network between " +
	"the nodes. Repair restarts the smaller part where EMQX does not"

// whatUnites tells what to expect of nodes that have never met.
const whatUnites = "EMQX looks for others only when it starts, so that this does not heal by itself: the younger " +
	"side is restarted, one node after the other, and joins; if it comes again, look whether the pods reach the " +
	"DNS of Kubernetes over UDP and TCP"

// DescribePartition returns in words who counts whom, and what to expect.
func DescribePartition(v View) string {
	if sides := v.strangers(); len(sides) > 1 {
		return describeSides(sides) + "; " + whatUnites
	}
	return "nodes count different members: " + describeViews(v) + "; " + whatHeals
}

func describeViews(v View) string {
	var parts []string
	for _, node := range slices.Sorted(maps.Keys(v.Snapshot.Views)) {
		var names []string
		for _, m := range v.Snapshot.Views[node] {
			names = append(names, m.Name)
		}
		parts = append(parts, node+" sees "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}
