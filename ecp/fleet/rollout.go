package fleet

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// rollout does what NextRolloutStep returns: to the platform, or to EMQX. It says whether
// something was done that the platform shows.
func (m *Manager) rollout(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, look *derive.Snapshot, did *derive.Outcome) bool {
	if did.Applied {
		rec.Status.Applied = did.Generation
	}
	v := derive.NewView(look.At, rec, *look)
	if !v.MayRollOut() {
		return false
	}
	next := derive.NextRolloutStep(v, false)
	look.Waits = next.Waits
	if n := v.ToReplace(next); n != nil && rec.Status.Draining == nil {
		if look.Waits = m.brokers.DryRun(ctx, p, v, *n, mem); look.Waits != "" {
			return false
		}
	}
	if next.Drain != "" {
		done := m.brokers.Drain(ctx, p, v, next.Drain, look, did)
		if !done || ctx.Err() != nil {
			return false
		}
		next = derive.NextRolloutStep(v, true)
		if n := v.ToReplace(next); n != nil { // much may have changed while its clients left
			if look.Waits = m.brokers.DryRun(ctx, p, v, *n, mem); look.Waits != "" {
				next = derive.RolloutStep{Undrain: n.Name}
			}
		}
	}
	switch {
	case next.ForgetDrain:
		did.Drained = true
	case next.Undrain != "":
		if waits := m.brokers.Undrain(ctx, p, v, next.Undrain, did); waits != "" || look.Waits == "" {
			look.Waits = waits
		}
	case next.RemoveForeign != "":
		look.Waits = m.brokers.RemoveForeign(ctx, p, v, next.RemoveForeign)
	case next.RemoveOrdinal > 0 && rec.Status.Removing == 0: // stored first: a command in between must not bring it back
		did.Removing, did.Ordinals = next.RemoveOrdinal, next.RemoveOrdinal
	case next.RemoveOrdinal > 0:
		look.Waits = m.brokers.RemoveMember(ctx, p, v, next.RemoveOrdinal, did)
	case len(next.Replace) > 0, next.ScaleDown:
		d := derive.DesiredOf(rec, look.Found)
		d.Roll = next.Replace
		if next.ScaleDown {
			d.Replicas--
			d.Spec.Nodes = d.Replicas
		}
		return m.apply(ctx, p, rec, d, mem, look, did)
	}
	return false
}

// unite restarts a node of the younger side where nodes have never met. It says
// whether something was done.
func (m *Manager) unite(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, look *derive.Snapshot, did *derive.Outcome) bool {
	v := derive.NewView(look.At, rec, *look)
	if look.Unseen != "" || look.Failure != nil || v.Loss != nil || rec.Deleting || rec.Status.Applied != rec.Generation || len(look.Found.Drift) > 0 || !v.NeverMet() {
		return false
	}
	sides := v.Sides()
	young := sides[len(sides)-1]
	n := slices.MaxFunc(young, func(a, b ecp.NodeObservation) int { return a.Since.Compare(b.Since) })
	look.Waits = derive.DescribeSides(sides) + "; " + n.Pod + " is restarted, so that it joins"
	d := derive.DesiredOf(rec, look.Found)
	d.Replace = map[int]string{n.Ordinal: n.PodUID}
	m.observed.Log.WarnContext(ctx, "nodes have never met; one is restarted", "cluster", rec.ID, "node", n.Name)
	return m.apply(ctx, p, rec, d, mem, look, did)
}
