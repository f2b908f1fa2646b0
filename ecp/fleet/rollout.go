package fleet

import (
	"cmp"
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// rollout does the step that NextRolloutStep returns, on the platform or in EMQX. It reports
// whether something was done that an observation of the platform will show.
func (m *Manager) rollout(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, snap *derive.Snapshot,
	outcome *derive.Outcome,
) bool {
	if outcome.Applied {
		rec.Status.Applied = outcome.Generation
	}
	v := derive.NewView(snap.At, rec, *snap)
	if m.brokers.LeaveMachine(ctx, p, v, snap, outcome) || !v.MayRollOut() {
		return false
	}
	next := derive.NextRolloutStep(v, false)
	snap.Waits = cmp.Or(next.Waits, snap.Waits)
	if n := v.ToReplace(next); n != nil && rec.Status.Draining == nil {
		if snap.Waits = m.brokers.DryRun(ctx, p, v, *n, mem); snap.Waits != "" {
			return false
		}
	}
	if next.Drain != "" {
		done := m.brokers.Drain(ctx, p, v, next.Drain, snap, outcome)
		if !done || ctx.Err() != nil {
			return false
		}
		next = derive.NextRolloutStep(v, true)
		if n := v.ToReplace(next); n != nil { // much may have changed while its clients left
			if snap.Waits = m.brokers.DryRun(ctx, p, v, *n, mem); snap.Waits != "" {
				next = derive.RolloutStep{Undrain: n.Name}
			}
		}
	}
	switch {
	case next.ForgetDrain:
		outcome.Drained = true
	case next.Undrain != "":
		if waits := m.brokers.Undrain(ctx, p, v, next.Undrain, outcome); waits != "" || snap.Waits == "" {
			snap.Waits = waits
		}
	case next.RemoveForeign != "":
		snap.Waits = m.brokers.RemoveForeign(ctx, p, v, next.RemoveForeign)
	case next.RemoveOrdinal > 0 && rec.Status.Removing == 0:
		// stored first: a command in between must not bring it back
		outcome.Removing, outcome.Ordinals = next.RemoveOrdinal, next.RemoveOrdinal
	case next.RemoveOrdinal > 0:
		snap.Waits = m.brokers.RemoveMember(ctx, p, v, next.RemoveOrdinal, outcome)
	case len(next.Replace) > 0, len(next.Resize) > 0, next.ScaleDown:
		return m.apply(ctx, p, rec, next.On(derive.DesiredOf(rec, snap.Found)), mem, snap, outcome)
	}
	return false
}

// unite restarts a node of the smaller side: where nodes have never met, and where a
// repair is to join them. It reports whether something was done.
func (m *Manager) unite(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, snap *derive.Snapshot,
	outcome *derive.Outcome,
) bool {
	v := derive.NewView(snap.At, rec, *snap)
	unsure := snap.Unseen != "" || snap.Failure != nil || v.Loss != nil
	underWay := rec.Deleting || rec.Status.Applied != rec.Generation || len(snap.Found.Drift) > 0
	if unsure || underWay {
		return false
	}
	next, waits := v.NextToJoin(mem.RepairedBy(rec.Status.Operation))
	snap.Waits = waits
	if next == nil {
		return false
	}
	d := derive.DesiredOf(rec, snap.Found)
	d.Replace = map[int]string{next.Ordinal: next.PodUID}
	m.observed.Log.WarnContext(ctx, "nodes count different members; one is restarted", "cluster", rec.ID, "node",
		next.Name)
	if !m.apply(ctx, p, rec, d, mem, snap, outcome) {
		return false
	}
	mem.RepairedBy(rec.Status.Operation)[next.Pod] = true
	return true
}

// replaceBroken makes the pods anew that will not start without help: each node once for
// every repair that is asked for, since a pod that fails again has another cause. It
// reports whether something was done.
func (m *Manager) replaceBroken(
	ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, snap *derive.Snapshot,
	outcome *derive.Outcome,
) bool {
	broken := derive.NewView(snap.At, rec, *snap).ToRepair()
	if len(broken) == 0 {
		return false
	}
	done := mem.RepairedBy(rec.Status.Operation)
	broken = slices.DeleteFunc(broken, func(n ecp.NodeObservation) bool { return done[n.Pod] })
	d := derive.Replacing(derive.DesiredOf(rec, snap.Found), broken)
	if len(broken) == 0 || !m.apply(ctx, p, rec, d, mem, snap, outcome) {
		return false
	}
	for _, n := range broken {
		done[n.Pod] = true
	}
	return true
}
