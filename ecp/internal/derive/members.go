package derive

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// ForeignMembers returns the members that EMQX knows of and that are no nodes of the
// cluster, by name: neither pods that are there nor those that are to be there.
// Where the names of nodes cannot be told it returns none.
func (v View) ForeignMembers(described []ecp.Description) []ecp.ForeignMember {
	if len(v.Snapshot.Found.Nodes) == 0 || v.NameOf(0) == "" {
		return nil
	}
	own := map[string]bool{}
	for _, n := range v.Snapshot.Found.Nodes {
		own[n.Name] = true
	}
	for i := range max(v.Want, OrdinalsOf(v.Rec), v.Snapshot.Found.Replicas, v.Rec.Status.Removing+1) {
		own[v.NameOf(i)] = true
	}
	var out []ecp.ForeignMember
	for _, d := range described {
		for _, n := range d.Nodes {
			if own[n.Name] {
				continue
			}
			i := slices.IndexFunc(out, func(f ecp.ForeignMember) bool { return f.Name == n.Name })
			if i < 0 {
				i, out = len(out), append(out, ecp.ForeignMember{Name: n.Name})
			}
			out[i].Running = out[i].Running || n.Status != ecp.NodeStopped
		}
	}
	slices.SortFunc(out, func(a, b ecp.ForeignMember) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// DescribeForeign describes members that are no nodes, and what helps.
func DescribeForeign(members []ecp.ForeignMember) string {
	var stopped, running []string
	for _, f := range members {
		if f.Running {
			running = append(running, f.Name)
		} else {
			stopped = append(stopped, f.Name)
		}
	}
	var parts []string
	if len(stopped) > 0 {
		parts = append(parts, "EMQX counts members that are no nodes of the cluster and have stopped: "+
			""+strings.Join(stopped, ", ")+"; repair removes them")
	}
	if len(running) > 0 {
		parts = append(parts, "EMQX counts members that are no nodes of the cluster and run: "+strings.Join(running,
			", ")+"; they are left alone, since they would lose their clients: stop them where they run, then repair "+
			"removes them")
	}
	return strings.Join(parts, "; ")
}

// stoppedForeign names a member that a running repair is to remove; empty means that
// there is none.
func (v View) stoppedForeign() string {
	if v.Rec.Status.RepairOf == "" || v.Snapshot.Unseen != "" {
		return ""
	}
	for _, f := range v.Snapshot.ForeignMembers {
		if !f.Running {
			return f.Name
		}
	}
	return ""
}

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
	if len(v.Ready) < v.Want || len(v.Ready) != len(v.Snapshot.Found.Nodes) || v.Snapshot.MissingMembers < 2 {
		return false
	}
	for _, n := range v.Ready {
		if v.now.Sub(n.Since) < apartFor {
			return false
		}
	}
	return len(v.Sides()) > 1
}

// Sides are the clusters that the ready nodes form where those have never met; nil
// where some have, or where one of them cannot be told. The one that is to stay
// comes first: the largest, and of two the one that is longer ready.
func (v View) Sides() [][]ecp.NodeObservation {
	var out [][]ecp.NodeObservation
	placed := map[string]bool{}
	for _, asked := range slices.Sorted(maps.Keys(v.Snapshot.Known)) {
		if placed[asked] || !slices.Contains(v.Snapshot.Known[asked], asked) {
			continue
		}
		var side []ecp.NodeObservation
		for _, n := range v.Ready {
			if slices.Contains(v.Snapshot.Known[asked], n.Name) {
				if placed[n.Name] {
					return nil // two sides know it
				}
				placed[n.Name] = true
				side = append(side, n)
			}
		}
		out = append(out, side)
	}
	if len(placed) != len(v.Ready) {
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

// DescribeSides returns in words who has found whom.
func DescribeSides(sides [][]ecp.NodeObservation) string {
	var parts []string
	for _, side := range sides {
		var names []string
		for _, n := range side {
			names = append(names, n.Pod)
		}
		parts = append(parts, strings.Join(names, " and "))
	}
	return "nodes started without finding each other: " + strings.Join(parts, "; and apart from it ")
}

// Unjoined are the reasons of states in which a repair would only wait for nodes
// to count one another.
var Unjoined = map[ecp.Reason]bool{ecp.ReasonPartitioned: true, ecp.ReasonMemberMissing: true,
	ecp.ReasonSyncFailed: true}

// NodeNames are the EMQX names of the nodes that are there.
func (v View) NodeNames() []string {
	var names []string
	for _, n := range v.Snapshot.Found.Nodes {
		names = append(names, n.Name)
	}
	return names
}
