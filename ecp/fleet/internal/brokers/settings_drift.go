package brokers

import (
	"cmp"
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/drift"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// SettingsDrift asks every node of a hosted cluster for its settings now, and compares them with those that are asked
// for. It keeps nothing.
func (m *Brokers) SettingsDrift(ctx context.Context, id ecp.ID) (ecp.SettingsDrift, error) {
	op := "read settings drift of cluster " + string(id)
	rec, err := m.observed.LoadReadable(ctx, op, ecp.RightRead, id)
	if err != nil {
		return ecp.SettingsDrift{}, err
	}
	found, err := m.drift(ctx, rec)
	if err != nil {
		return ecp.SettingsDrift{}, fault.Wrap(op, err)
	}
	return found, nil
}

// EndDrift returns what ends a drift, by what EMQX has now. A request that was carried out before needs no answer of
// EMQX.
func (m *Brokers) EndDrift(ctx context.Context, w *change.Writer, q change.Request, id ecp.ID,
	cmd ecp.EndDrift) (out drift.Ending, err error) {
	actor, known := ecp.ActorFrom(ctx)
	if !known {
		return out, nil
	}
	repeated := false
	err = m.observed.Store.Read(ctx, func(tx ecp.Tx) (err error) {
		repeated, err = w.Repeated(ctx, tx, actor, q)
		return err
	})
	if repeated || err != nil {
		return out, err
	}
	rec, err := m.observed.LoadReadable(ctx, "", ecp.RightWrite, id)
	if err != nil {
		return out, err
	}
	found, err := m.drift(ctx, rec)
	switch {
	case err != nil:
		return out, err
	case found.Changing:
		return out, ecp.NewError(ecp.CodeConflict, "", "an operation runs, and nodes may differ until it has ended; "+
			"ask again then")
	}
	out, err = drift.End(found, cmd)
	out.Revision = cmp.Or(cmd.IfRevision, rec.Revision)
	return out, err
}

func (m *Brokers) drift(ctx context.Context, rec ecp.ClusterRecord) (out ecp.SettingsDrift, err error) {
	if rec.Mode != ecp.Hosted {
		return out, ecp.NewError(ecp.CodeUnsupported, "", "only for hosted clusters: nothing is asked for of the "+
			"settings of this one")
	}
	if !derive.LimitsAtRunTime(rec.Resolved.Image.Version) {
		return out, ecp.NewError(ecp.CodeUnsupported, "", "EMQX 4.4 cannot be asked for its settings: whether they "+
			"were changed in its dashboard is not known; a node that starts takes those of spec.config")
	}
	snap, _ := m.observed.Last(rec.ID)
	v := derive.NewView(snap.At, rec, snap)
	p, err := m.observed.Provisioner(rec)
	access, reach := p.(ecp.Accessor)
	adapter := m.observed.AdapterFor(rec.Resolved.Image.Version)
	switch {
	case err != nil:
		return out, err
	case !reach || adapter == nil:
		return out, ecp.NewError(ecp.CodeUnsupported, "", "this build has no way to ask EMQX "+
			rec.Resolved.Image.Version)
	case v.Want == 0 || len(v.Ready) == 0:
		return out, ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("the cluster is %s, and no node can be asked; ask "+
			"again once one is ready", rec.Status.State))
	}
	c, err := m.comparedSettings(p, rec)
	if err != nil {
		return out, err
	}
	actor, _ := ecp.ActorFrom(ctx)
	ctx, cancel := context.WithTimeout(ctx, observed.QueryTimeout)
	defer cancel()
	if err := m.observed.Queries.Acquire(ctx, rec.ID, actor); err != nil {
		return out, ecp.NewError(ecp.CodeUnavailable, "", "too many questions to this cluster are under way; ask "+
			"again in a moment")
	}
	defer m.observed.Queries.Release(rec.ID, actor)
	told, unanswered, err := m.askSettings(ctx, access, adapter, v,
		rootsOf(c.Wanted(), c.Former, setting.RunTimeRoots()))
	if len(told) == 0 {
		return out, &ecp.Error{Code: ecp.CodeOf(err), Message: "no node tells its settings: " + observed.ReasonOf(err),
			Cause: err}
	}
	out.Settings, out.Unanswered = drift.Find(c, told), append([]string{}, unanswered...)
	out.Changing = rec.Status.Operation != ""
	return out, nil
}
