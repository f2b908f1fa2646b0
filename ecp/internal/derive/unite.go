package derive

import (
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

// NeverMet says that ready nodes have never met: each of two that were asked knows
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

// DescribeSides says in words who has found whom.
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
