package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Plan says what Do would do; see [ecp.Cluster].
func (h handle) Plan(ctx context.Context, cmd ecp.Command) (plan ecp.Plan, err error) {
	op := "plan " + string(cmd.Kind()) + " of cluster " + string(h.id)
	actor, ok := ecp.ActorFrom(ctx)
	if !ok {
		_, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
		return ecp.Plan{}, err
	}
	var planned proposal
	err = h.m.observed.Store.Read(ctx, func(tx ecp.Tx) error {
		var scope string
		rec, _, err := h.m.mayDo(tx, actor, &scope, h.id, cmd)
		if err != nil {
			return err
		}
		d, err := h.m.decide(tx, rec, cmd)
		if err != nil {
			return err
		}
		if err := change.MayRebook(tx, actor, rec, d.rec, h.m.observed.Now()); err != nil {
			return err
		}
		if d.moves {
			if err := h.m.moveProject(tx, d.rec.Project); err != nil {
				return err
			}
		}
		plan = ecp.Plan{
			Command: cmd.Kind(),
			From:    d.from,
			To:      d.to,
			Nothing: d.nothing,
			Steps:   derive.StepNames(derive.StepsOf(d.kind, rec, d.rec)),
			Notes: slices.Concat(d.notes, limitNotes(h.m.observed.Info(rec), d), volumeNotes(rec, d),
				versionNotes(rec.Resolved.Image, d.rec.Resolved.Image), notes(h.m.observed.Timings,
					h.m.observed.Info(rec), d, h.m.observed.Outdated(rec.ID)), h.m.surplusNotes(rec, d)),
		}
		planned = changeBy(rec, d)
		return nil
	})
	if err == nil {
		err = h.m.addForesight(ctx, &plan, planned)
	}
	if err != nil {
		return ecp.Plan{}, fault.Wrap(op, err)
	}
	return plan, nil
}

// errPlanned takes back what a plan has tried.
var errPlanned = errors.New("it was only a plan")

// PlanCreate says what Create would do, and changes nothing: the same checks in
// a transaction that is given up.
func (m *Manager) PlanCreate(ctx context.Context, r CreateRequest) (ecp.Plan, error) {
	const op = "plan create of cluster"
	if r.Project == "" {
		r.Project = "default/default"
	}
	actor, ok := ecp.ActorFrom(ctx)
	if !ok {
		_, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
		return ecp.Plan{}, err
	}
	if err := permitProject(actor, op, ecp.RightWrite, r.Project); err != nil {
		return ecp.Plan{}, err
	}
	var plan ecp.Plan
	var made ecp.ClusterRecord
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, err := m.newRecord(tx, actor, r)
		if err != nil {
			return err
		}
		if err := change.Reserve(tx, actor, rec, m.observed.Now()); err != nil {
			return err
		}
		plan = ecp.Plan{Command: ecp.CommandKind(ecp.OpCreate), To: rec.Status.State, Steps: []string{}}
		if rec.Mode == ecp.Hosted {
			plan.Steps = derive.StepNames(derive.OperationSteps[ecp.OpCreate])
			plan.Notes = versionNotes(ecp.Image{}, rec.Resolved.Image)
		}
		made = rec
		return errors.Join(ecp.Put(tx, rec, 0), errPlanned)
	})
	if errors.Is(err, errPlanned) && !errors.As(err, new(*ecp.Error)) {
		if err = m.addForesight(ctx, &plan, proposal{is: made}); err == nil {
			return plan, nil
		}
	}
	return ecp.Plan{}, fault.WrapTaken(op, err, "name",
		fmt.Sprintf("a cluster named %q is there already in the project %s", r.Name, r.Project))
}
