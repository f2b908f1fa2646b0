package fleet

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// unite restarts a node of the younger side where nodes have never met. It says
// whether something was done.
func (m *Manager) unite(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory, look *derive.Look, did *derive.Deed) bool {
	v := derive.NewView(look.At, rec, *look)
	if look.Unseen != "" || look.Failure != nil || v.Loss != nil || rec.Deleting || rec.Status.Applied != rec.Generation || len(look.Found.Drift) > 0 || !v.Apart() {
		return false
	}
	sides := v.Sides()
	young := sides[len(sides)-1]
	n := slices.MaxFunc(young, func(a, b ecp.NodeObservation) int { return a.Since.Compare(b.Since) })
	look.Waits = derive.ApartWords(sides) + "; " + n.Pod + " is restarted, so that it joins"
	d := derive.DesiredOf(rec, look.Found)
	d.Replace = map[int]string{n.Ordinal: n.PodUID}
	m.observed.Log.WarnContext(ctx, "nodes have never met; one is restarted", "cluster", rec.ID, "node", n.Name)
	return m.apply(ctx, p, rec, d, mem, look, did)
}
