package ecp

import (
	"context"
	"errors"
	"fmt"
)

// errPlanned takes back what a plan has tried.
var errPlanned = errors.New("it was only a plan")

// PlanCreate says what Create would do, and changes nothing: the same checks in
// a transaction that is given up.
func (m *Manager) PlanCreate(ctx context.Context, r CreateRequest) (Plan, error) {
	const op = "plan create of cluster"
	if r.Project == "" {
		r.Project = "default/default"
	}
	actor, ok := ActorFrom(ctx)
	if !ok {
		_, err := authorize(ctx, op, RightRead, "")
		return Plan{}, err
	}
	if err := actor.permitProject(op, RightWrite, r.Project); err != nil {
		return Plan{}, err
	}
	var plan Plan
	var made ClusterRecord
	err := m.store.Write(ctx, func(tx Tx) error {
		rec, err := m.newRecord(tx, actor, r)
		if err != nil {
			return err
		}
		if err := mayBook(tx, 0, rec.Spec.Connections()+1, m.now()); err != nil {
			return err
		}
		if err := reserve(tx, actor, bookingOf(rec)); err != nil {
			return err
		}
		plan = Plan{Command: CommandKind(OpCreate), To: rec.Status.State, Steps: []string{}}
		if rec.Mode == Hosted {
			plan.Steps = stepNames(operationSteps[OpCreate])
		}
		made = rec
		return errors.Join(Put(tx, rec, 0), errPlanned)
	})
	if errors.Is(err, errPlanned) && !errors.As(err, new(*Error)) {
		if err = m.addForesight(ctx, &plan, proposal{is: made}); err == nil {
			return plan, nil
		}
	}
	return Plan{}, explain(op, err, "name", fmt.Sprintf("a cluster named %q is there already in the project %s", r.Name, r.Project))
}
