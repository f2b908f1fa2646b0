package derive

import (
	"slices"

	"github.com/openecp/openecp/ecp"
)

// WantedReplicants is how many replicants should run.
func WantedReplicants(rec ecp.ClusterRecord) int {
	if WantedNodes(rec) == 0 {
		return 0
	}
	return rec.Spec.Hosted.Replicants.Nodes
}

// ClientNodes is how many nodes clients are to be divided between: the replicants where
// there are to be any.
func ClientNodes(h ecp.HostedSpec) int {
	if h.Replicants.Nodes > 0 {
		return h.Replicants.Nodes
	}
	return h.Nodes
}

// NoReplicants returns why clusters of an EMQX version have no replicants; empty means they
// may.
func NoReplicants(version string) string {
	if v, ok := ecp.ParseVersion(version); ok && v.Major < 5 {
		return "is for EMQX 5 and later; EMQX " + version + " has no replicants"
	}
	return ""
}

// ReplicantsRefusal returns why a cluster cannot have the replicants that its spec asks for: its
// version has none, or its platform, which may be nil if it is not known, makes none.
func ReplicantsRefusal(rec ecp.ClusterRecord, p ecp.Provisioner) error {
	if rec.Spec.Hosted.Replicants.Nodes == 0 {
		return nil
	}
	why := NoReplicants(rec.Resolved.Image.Version)
	if m, ok := p.(ecp.ReplicantMaker); why == "" && p != nil && (!ok || !m.MakesReplicants()) {
		why = "is not for this cluster: what makes clusters on its target makes no replicants"
	}
	if why == "" {
		return nil
	}
	return &ecp.Error{Code: ecp.CodeUnsupported, Message: "the cluster cannot have replicants",
		Fields: []ecp.FieldError{{Field: "spec.replicants", Message: why}}}
}

// MostNodes is how many nodes there may be until a change has ended.
func MostNodes(before, after ecp.ClusterRecord) int {
	is := after.Spec.Hosted
	return max(OrdinalsOf(before), is.Nodes) + max(before.Spec.Hosted.Replicants.Nodes, is.Replicants.Nodes)
}

// desiredReplicants is what the platform is asked for of replicants. A replicant keeps
// nothing and is no member once it has gone, so that nothing is remembered of it: those that
// are asked for and not wanted leave one by one while a change is under way.
func desiredReplicants(rec ecp.ClusterRecord, found ecp.Observation) ecp.DesiredReplicants {
	want := WantedReplicants(rec)
	if oldKeys(rec, found) {
		return ecp.DesiredReplicants{Size: rec.Resolved.ReplicantSize}
	}
	if WantedNodes(rec) > 0 && changing(rec.Status) {
		want = max(want, min(found.Replicants, ecp.MaxReplicants))
	}
	return ecp.DesiredReplicants{Replicas: want, Size: rec.Resolved.ReplicantSize, Front: replicantsInFront(rec, found)}
}

// replicantsInFront reports whether clients are to be sent to replicants only: while one is
// ready that stays so. Else they are sent to every node that is ready, so that there is one
// at any time; and before the last replicant is drained, since it takes no clients then.
func replicantsInFront(rec ecp.ClusterRecord, found ecp.Observation) bool {
	want, draining := WantedReplicants(rec), rec.Status.Draining
	return slices.ContainsFunc(found.Nodes, func(n ecp.NodeObservation) bool {
		drained := draining != nil && draining.Node == n.Name
		goes := want == 1 && (n.Unschedulable || n.Outdated && unfinished(rec.Status))
		return n.Role == ecp.RoleReplicant && n.Ready && !n.Terminating && n.Ordinal < want && !drained && !goes
	})
}

// replicantsDiffer reports whether the platform is asked for something else of replicants.
func replicantsDiffer(rec ecp.ClusterRecord, found ecp.Observation) bool {
	d := desiredReplicants(rec, found)
	return found.Replicants != d.Replicas || found.ReplicantsInFront != d.Front
}

// nothingAsked reports whether the platform is asked for no node.
func nothingAsked(f ecp.Observation) bool { return f.Replicas <= 0 && f.Replicants <= 0 }

// OfRole returns the nodes of one role.
func OfRole(nodes []ecp.NodeObservation, role ecp.NodeRole) []ecp.NodeObservation {
	return slices.DeleteFunc(slices.Clone(nodes), func(n ecp.NodeObservation) bool { return n.Role != role })
}

// All is how many nodes of both roles should run.
func (v View) All() int { return v.Want + v.WantReplicants }

// wantOf is how many nodes of a role should run.
func (v View) wantOf(role ecp.NodeRole) int {
	if role == ecp.RoleReplicant {
		return v.WantReplicants
	}
	return v.Want
}

// away is how many of the nodes that should run are not ready.
func (v View) away() int {
	replicants := len(OfRole(v.Ready, ecp.RoleReplicant))
	return max(0, v.Want-(len(v.Ready)-replicants)) + max(0, v.WantReplicants-replicants)
}

// Reached are the ready nodes that clients are sent to.
func (v View) Reached() []ecp.NodeObservation {
	if !v.Snapshot.Found.ReplicantsInFront {
		return v.Ready
	}
	return OfRole(v.Ready, ecp.RoleReplicant)
}

// isReached reports whether clients are sent to a node when it is ready.
func (v View) isReached(n ecp.NodeObservation) bool {
	return !v.Snapshot.Found.ReplicantsInFront || n.Role == ecp.RoleReplicant
}

// Recipients are the nodes that the sessions of one that leaves are to move to; nil means all
// others. Where clients are sent to replicants their sessions go there, too, and before the
// last replicant leaves to core nodes.
func (v View) Recipients(node string) (names []string) {
	f := v.Snapshot.Found
	for _, n := range v.Ready {
		leaves := n.Role == ecp.RoleReplicant && n.Ordinal >= v.WantReplicants
		if n.Name == node || leaves || f.ReplicantsInFront && n.Role != ecp.RoleReplicant {
			continue
		}
		names = append(names, n.Name)
	}
	if f.Replicants == 0 {
		return nil
	}
	return names
}

// group is the nodes of one role, as a roll-out sees them.
type group struct {
	role  ecp.NodeRole
	want  int // should run
	has   int // belong to the cluster: ordinals below
	asked int // the platform is asked for
}

func (g group) surplus() bool { return g.want < g.has }

func (v View) group(role ecp.NodeRole) group {
	f := v.Snapshot.Found
	if role == ecp.RoleCore {
		return group{role, v.Want, OrdinalsOf(v.Rec), f.Replicas}
	}
	has := max(v.WantReplicants, f.Replicants)
	for _, n := range OfRole(f.Nodes, role) {
		has = max(has, n.Ordinal+1)
	}
	return group{role, v.WantReplicants, has, f.Replicants}
}

// WaitsForCore reports whether a replicant may be not ready because no core node of its version
// runs: it was made anew, and core nodes are still to be, or a change has come in between, so
// that it has an image which no core node has or is to have. Nothing must wait for it.
func (v View) WaitsForCore(n ecp.NodeObservation) bool {
	cores := OfRole(v.Snapshot.Found.Nodes, ecp.RoleCore)
	outdated := slices.ContainsFunc(cores, func(o ecp.NodeObservation) bool { return o.Outdated })
	alike := slices.ContainsFunc(cores, func(o ecp.NodeObservation) bool { return o.Image == n.Image })
	return n.Role == ecp.RoleReplicant && outdated && !alike
}

// replicantsReplaced reports whether the replicants that stay have another size after a change.
func replicantsReplaced(before, after ecp.ClusterRecord) bool {
	was, is := before.Spec.Hosted, after.Spec.Hosted
	return was != nil && is != nil && min(was.Replicants.Nodes, is.Replicants.Nodes) > 0 &&
		!before.Resolved.ReplicantSize.SameResources(after.Resolved.ReplicantSize)
}

// replacesReplicants reports whether a change replaces the replicants that stay, or resizes
// them where that will do.
func replacesReplicants(before, after ecp.ClusterRecord) bool {
	return replicantsReplaced(before, after) || after.Restarts != before.Restarts ||
		slices.ContainsFunc(rolledFields(before, after), func(field string) bool { return field != "size" })
}

// MovingNodes is how many nodes may have to be freed of clients for a change, one after the
// other.
func MovingNodes(before, after ecp.ClusterRecord) int {
	was, h := OrdinalsOf(before), after.Spec.Hosted
	replicants := before.Spec.Hosted.Replicants.Nodes
	moving := max(0, was-h.Nodes) + max(0, replicants-h.Replicants.Nodes)
	if ReplacesNodes(before, after) {
		moving = max(moving, max(was, h.Nodes)+max(replicants, h.Replicants.Nodes))
	}
	return moving
}

// Together returns the planned nodes of both roles as one, for counting.
func Together(plan ecp.Plan) ecp.PlannedNodes {
	a, b := plan.Nodes, ecp.PlannedNodes{}
	if plan.Replicants != nil {
		b = *plan.Replicants
	}
	return ecp.PlannedNodes{Replaced: slices.Concat(a.Replaced, b.Replaced),
		Resized: slices.Concat(a.Resized, b.Resized),
		Added:   slices.Concat(a.Added, b.Added), Removed: slices.Concat(a.Removed, b.Removed),
		Stopped: slices.Concat(a.Stopped, b.Stopped)}
}

// ReplicantNotes say in a plan what replicants mean for clients.
func ReplicantNotes(before, after ecp.ClusterRecord) (out []string) {
	was, is := before.Spec.Hosted.Replicants.Nodes, after.Spec.Hosted.Replicants.Nodes
	switch {
	case was == 0 && is > 0:
		out = append(out, "new clients are sent to replicants as soon as one is ready; those that are connected to "+
			"core nodes stay there")
	case was > 0 && is == 0:
		out = append(out, "new clients are sent to core nodes before the last replicant leaves")
	}
	if is > 0 && after.Spec.Hosted.Nodes == 1 && ReplacesNodes(before, after) {
		out = append(out, "there is one core node: replicants serve nobody while it is replaced")
	}
	return out
}
