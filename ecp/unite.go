package ecp

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Nodes that start at the same time may each find nobody else. EMQX looks for others
// at its start only: such nodes stay clusters of their own for good, until one of
// them is restarted.

// apartFor is how long nodes that are ready may not know each other: joining takes
// up to 5 s, as seen.
const apartFor = 15 * time.Second

// apart says that ready nodes have never met: each of two that were asked knows
// itself, and has never heard of the other, while all that are wanted are ready. In
// a split of the network nodes know each other, as stopped ones; EMQX heals that by
// itself.
func (v view) apart() bool {
	if len(v.ready) < v.want || len(v.ready) != len(v.look.Found.Nodes) || v.look.Missing < 2 {
		return false
	}
	for _, n := range v.ready {
		if v.now.Sub(n.Since) < apartFor {
			return false
		}
	}
	return len(v.sides()) > 1
}

// sides are the clusters that the ready nodes form where those have never met; nil
// where some have, or where one of them cannot be told. The one that is to stay
// comes first: the largest, and of two the one that is longer ready.
func (v view) sides() [][]NodeObservation {
	var out [][]NodeObservation
	placed := map[string]bool{}
	for _, asked := range sortedKeys(v.look.Knows) {
		if placed[asked] || !slices.Contains(v.look.Knows[asked], asked) {
			continue
		}
		var side []NodeObservation
		for _, n := range v.ready {
			if slices.Contains(v.look.Knows[asked], n.Name) {
				if placed[n.Name] {
					return nil // two sides know it
				}
				placed[n.Name] = true
				side = append(side, n)
			}
		}
		out = append(out, side)
	}
	if len(placed) != len(v.ready) {
		return nil
	}
	slices.SortStableFunc(out, func(a, b []NodeObservation) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return firstReady(a).Compare(firstReady(b))
	})
	return out
}

func firstReady(side []NodeObservation) time.Time {
	return slices.MinFunc(side, func(a, b NodeObservation) int { return a.Since.Compare(b.Since) }).Since
}

// unite restarts a node of the younger side where nodes have never met. It says
// whether something was done.
func (m *Manager) unite(ctx context.Context, p Provisioner, rec ClusterRecord, mem *memory, look *Look, did *deed) bool {
	v := newView(look.At, rec, *look)
	if look.Unseen != "" || look.Failure != nil || v.loss != nil || rec.Deleting || rec.Status.Applied != rec.Generation || len(look.Found.Drift) > 0 || !v.apart() {
		return false
	}
	sides := v.sides()
	young := sides[len(sides)-1]
	n := slices.MaxFunc(young, func(a, b NodeObservation) int { return a.Since.Compare(b.Since) })
	look.Waits = apartWords(sides) + "; " + n.Pod + " is restarted, so that it joins"
	d := desiredOf(rec, look.Found)
	d.Replace = map[int]string{n.Ordinal: n.PodUID}
	m.log.WarnContext(ctx, "nodes have never met; one is restarted", "cluster", rec.ID, "node", n.Name)
	return m.apply(ctx, p, rec, d, mem, look, did)
}

// apartWords says in words who has found whom.
func apartWords(sides [][]NodeObservation) string {
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
