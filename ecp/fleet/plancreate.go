package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
)

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
	if err := actor.PermitProject(op, ecp.RightWrite, r.Project); err != nil {
		return ecp.Plan{}, err
	}
	var plan ecp.Plan
	var made ecp.ClusterRecord
	err := m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, err := m.newRecord(tx, actor, r)
		if err != nil {
			return err
		}
		if err := change.MayBook(tx, 0, rec.Spec.Connections()+1, m.observed.Now()); err != nil {
			return err
		}
		if err := change.Reserve(tx, actor, change.BookingOf(rec)); err != nil {
			return err
		}
		plan = ecp.Plan{Command: ecp.CommandKind(ecp.OpCreate), To: rec.Status.State, Steps: []string{}}
		if rec.Mode == ecp.Hosted {
			plan.Steps = derive.StepNames(derive.OperationSteps[ecp.OpCreate])
		}
		made = rec
		return errors.Join(ecp.Put(tx, rec, 0), errPlanned)
	})
	if errors.Is(err, errPlanned) && !errors.As(err, new(*ecp.Error)) {
		if err = m.addForesight(ctx, &plan, proposal{is: made}); err == nil {
			return plan, nil
		}
	}
	return ecp.Plan{}, ecp.WrapError(op, err, "name", fmt.Sprintf("a cluster named %q is there already in the project %s", r.Name, r.Project))
}
