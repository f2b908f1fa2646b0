package derive

import (
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// A node is outdated when the platform would make its pod in another way now.
// That comes from a change of our own, which replaces the node, and from
// somebody else's: "kubectl rollout restart", or an admission rule that changes
// what we write. The latter wait for a change that replaces nodes anyway, or
// for a restart: clients are not moved for what nobody asked for here.

// ReplacesOutdated reports whether a command is a reason to replace nodes that are
// outdated. A change that has not come to its end goes on with a later one.
func ReplacesOutdated(kind ecp.OperationKind, before, after ecp.ClusterRecord) bool {
	if kind != ecp.OpUpdate && kind != ecp.OpRepair {
		return true
	}
	return ReplacesNodes(before, after) || unfinished(before.Status)
}

// unfinished reports whether a task that replaces nodes has not ended.
func unfinished(st ecp.Status) bool { return changing(st) && !st.KeepOutdated }

// replaces reports whether outdated nodes are to be replaced now.
func (v View) replaces() bool { return unfinished(v.Rec.Status) }

// OutdatedOf returns the nodes that are outdated.
func OutdatedOf(found ecp.Observation) []ecp.NodeObservation {
	return slices.DeleteFunc(slices.Clone(found.Nodes), func(n ecp.NodeObservation) bool { return !n.Outdated })
}

// converged reports whether the platform has taken up what it was asked for,
// and its nodes are made so. Where none is to be replaced those of an older
// template will do: that they are known as such says that the platform has
// taken up the newest.
func (v View) converged() bool {
	f := v.Snapshot.Found
	return f.Converged || !v.replaces() && len(OutdatedOf(f)) > 0
}

func templateChanged(n, of int) string {
	return fmt.Sprintf("%d of %d nodes run on an older pod template than the platform has now, which was changed past OpenECP or by a newer build of it; "+
		"a restart, or a change of image, size or placement, replaces them, and nothing else does", n, of)
}
