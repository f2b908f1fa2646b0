package ecp

import (
	"fmt"
	"slices"
)

// A node is outdated when the platform would make its pod in another way now.
// That comes from a change of our own, which replaces the node, and from
// somebody else's: "kubectl rollout restart", or an admission rule that changes
// what we write. The latter wait for a change that replaces nodes anyway, or
// for a restart: clients are not moved for what nobody asked for here.

// replaces reports whether a command is a reason to replace nodes that are
// outdated. A change that has not come to its end goes on with a later one.
func replaces(kind OperationKind, before, after ClusterRecord) bool {
	if kind != OpUpdate && kind != OpRepair {
		return true
	}
	return rolled(before, after) || unfinished(before.Status)
}

// unfinished reports whether a task that replaces nodes has not ended.
func unfinished(st Status) bool { return changing(st) && !st.KeepOutdated }

// replaces reports whether outdated nodes are to be replaced now.
func (v view) replaces() bool { return unfinished(v.rec.Status) }

// outdatedOf returns the nodes that are outdated.
func outdatedOf(found Observation) []NodeObservation {
	return slices.DeleteFunc(slices.Clone(found.Nodes), func(n NodeObservation) bool { return !n.Outdated })
}

// converged reports whether the platform has taken up what it was asked for,
// and its nodes are made so. Where none is to be replaced those of an older
// template will do: that they are known as such says that the platform has
// taken up the newest.
func (v view) converged() bool {
	f := v.look.Found
	return f.Converged || !v.replaces() && len(outdatedOf(f)) > 0
}

// outdated counts a cluster's outdated nodes as last seen.
func (m *Manager) outdated(id ID) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.looks[id]; mem != nil {
		return len(outdatedOf(mem.look.Found))
	}
	return 0
}

func templateChanged(n, of int) string {
	return fmt.Sprintf("%d of %d nodes run on an older pod template than the platform has now, which was changed past OpenECP or by a newer build of it; "+
		"a restart, or a change of image, size or placement, replaces them, and nothing else does", n, of)
}
