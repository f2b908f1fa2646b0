package derive

import (
	"maps"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Action is what is due on the platform.
type Action int

const (
	ActionNone Action = iota
	ActionApply
	ActionDelete
)

// NextAction returns what to do next on the platform. known: this process has applied
// the cluster before, so that the Provisioner can tell a drift.
func NextAction(rec ecp.ClusterRecord, found ecp.Observation, known bool, now time.Time, t ecp.Timings) Action {
	if WritesHeld(rec, found) {
		return ActionNone
	}
	if rec.Deleting {
		return nextDeletion(rec, found, now, t)
	}
	if rec.Status.State == ecp.Nonexistent {
		return ActionNone
	}
	want := WantedNodes(rec)
	if lossOf(rec, found) != nil {
		// Nothing is made anew, but nodes that should not run are taken away.
		if want == 0 && found.Exists && !found.Terminating && !nothingAsked(found) {
			return ActionApply
		}
		return ActionNone
	}
	if oldKeys(rec, found) {
		if !known || found.Auth == "" || !nothingAsked(found) || rec.Status.Applied != rec.Generation {
			return ActionApply
		}
		return ActionNone
	}
	if !known || rec.Status.Refused != nil || !rec.Status.Dispatched || rec.Status.Applied != rec.Generation ||
		found.EvictionsHeld != EvictionsHeld(rec, found) ||
		found.Replicas != replicasFor(rec, found) || replicantsDiffer(rec, found) ||
		len(found.Drift) > 0 || len(Leftovers(rec, found)) > 0 && want > 0 {
		return ActionApply
	}
	return ActionNone
}

// NothingMade reports whether nothing of a cluster was ever made, and it is to be.
func NothingMade(rec ecp.ClusterRecord) bool {
	return !rec.Status.Dispatched && !rec.Deleting && rec.Status.State != ecp.Nonexistent
}

// nextDeletion: nodes are stopped in order first, for as long as a stop may
// take; then everything is removed.
func nextDeletion(rec ecp.ClusterRecord, found ecp.Observation, now time.Time, t ecp.Timings) Action {
	switch {
	case !found.Exists || found.Terminating:
		return ActionNone
	case rec.Force || !rec.Status.Dispatched || lossOf(rec, found) != nil:
		return ActionDelete
	case !nothingAsked(found):
		return ActionApply
	case len(found.Nodes) > 0 && now.Before(rec.Status.Deadline.Add(t.Stop-t.Delete)): // from when it was asked for on
		return ActionNone
	}
	return ActionDelete
}

// DesiredOf is what a record wants of its platform now, where this was found.
// Its number of nodes is that of those which are meant to have claims.
func DesiredOf(rec ecp.ClusterRecord, found ecp.Observation) ecp.Desired {
	d := Desired(rec)
	d.Manifest = manifestFor(d.Manifest, found)
	d.Replicas, d.Drop = replicasFor(rec, found), Leftovers(rec, found)
	d.Replicants, d.HoldEvictions = desiredReplicants(rec, found), EvictionsHeld(rec, found)
	d.Spec.Nodes = d.Replicas
	if d.Replicas == 0 {
		d.Drop, d.Spec.Nodes = nil, min(rec.Spec.Hosted.Nodes, OrdinalsOf(rec))
	}
	return d
}

// Desired is what a record wants of its platform in the end.
func Desired(rec ecp.ClusterRecord) ecp.Desired {
	d := ecp.Desired{
		ID: rec.ID, Project: rec.Project, Name: rec.Name, Generation: rec.Generation, ChangeID: changeIDOf(rec),
		Manifest: manifestOf(rec), Spec: rec.Spec.Hosted.Clone(),
		Image: rec.Resolved.Image, Size: rec.Resolved.Size, Replicas: WantedNodes(rec), Restarts: rec.Restarts,
		RenderVersion: rec.Status.RenderVersion, Create: !rec.Status.Dispatched && !rec.Deleting,
		ListenerLimit: rec.Resolved.ListenerLimit,
		Replicants:    ecp.DesiredReplicants{Replicas: WantedReplicants(rec), Size: rec.Resolved.ReplicantSize},
	}
	splitSettings(rec, &d)
	if n := rec.Resolved.Connections; n > 0 {
		d.Spec.Connections = n
	}
	if len(rec.Resolved.LBAnnotations) > 0 {
		own := d.Spec.Network.Annotations
		d.Spec.Network.Annotations = maps.Clone(rec.Resolved.LBAnnotations)
		maps.Copy(d.Spec.Network.Annotations, own)
	}
	return d
}

// NewestRender is the newest way the cluster's platform renders objects; 0 if
// it has but one.
func NewestRender(p ecp.Provisioner) int {
	if r, ok := p.(ecp.Renderer); ok {
		return r.RenderVersion()
	}
	return 0
}
