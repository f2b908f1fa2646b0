package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/sealing"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// TakeOverRequest asks for a record of a cluster that is there and has none. The
// cluster keeps its id.
type TakeOverRequest struct {
	ID      ecp.ID
	Target  string // where it was found; "" = there is one target on which it is
	Name    string // "" = as its objects say
	Project string // "org/project"; "" = as its objects say
	// Config has the values of the settings that the cluster was made with: they
	// are not kept with its objects.
	Config map[string]string
}

// TakeOverUnrecorded makes a record of a cluster that is there and that no record
// knows, from what its objects say they were made from: its connections are booked,
// and no node is replaced. It needs [ecp.RightAdmin]. The operation ends when the
// cluster is as its objects say.
func (m *Manager) TakeOverUnrecorded(ctx context.Context, r TakeOverRequest) (ecp.Info, ecp.Operation, error) {
	q := change.Request{
		Op:     "take over unrecorded cluster " + string(r.ID),
		Action: "take-over",
		Kind:   ecp.KindCluster,
		Key:    string(r.ID),
		Asked:  r,
		Taken: ecp.FieldError{
			Field:   "name",
			Message: "a cluster of that name is there already in the project; give another name",
		},
	}
	m.unrecordedTurn.Lock()
	defer m.unrecordedTurn.Unlock()
	u, refused := m.mayTakeOverUnrecorded(ctx, r)
	out, err := change.Submit(ctx, m.Changes, q, func(w *change.Tx) (created, error) {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return created{}, err
		}
		if refused != nil {
			return created{}, refused
		}
		rec, _, err := m.recordOf(w.Tx, w.Actor, u, r)
		if err != nil {
			return created{}, err
		}
		w.Asked.Scope = rec.Project
		operation, err := m.recordUnrecorded(w, &rec)
		return created{rec, operation}, err
	})
	if err != nil {
		return ecp.Info{}, ecp.Operation{}, err
	}
	m.unrecorded.Remove(out.Cluster.Spec.Hosted.Target, r.ID)
	m.queue.Add(r.ID)
	return m.observed.UnseenInfo(out.Cluster), out.Operation, nil
}

// PlanTakeOverUnrecorded says what TakeOverUnrecorded would do, and changes
// nothing: the same checks in a transaction that is given up.
func (m *Manager) PlanTakeOverUnrecorded(ctx context.Context, r TakeOverRequest) (ecp.Plan, error) {
	op := "plan take-over of unrecorded cluster " + string(r.ID)
	actor, err := ecp.Authorize(ctx, op, ecp.RightAdmin, "")
	if err != nil {
		return ecp.Plan{}, err
	}
	u, err := m.mayTakeOverUnrecorded(ctx, r)
	if err != nil {
		return ecp.Plan{}, fault.Wrap(op, err)
	}
	var plan ecp.Plan
	err = m.observed.Store.Write(ctx, func(tx ecp.Tx) error {
		rec, notes, err := m.recordOf(tx, actor, u, r)
		if err != nil {
			return err
		}
		if _, err := m.recordUnrecorded(&change.Tx{
			Tx:    tx,
			Actor: actor,
			Now:   m.observed.Now().UTC(),
			Asked: &change.Request{},
		}, &rec); err != nil {
			return err
		}
		plan = ecp.Plan{
			Command: ecp.CommandTakeOver, To: rec.Status.State, Notes: notes,
			Steps: derive.StepNames(derive.OperationSteps[ecp.OpTakeOver]),
			Nodes: derive.PlannedNodes(ecp.OpTakeOver, rec, rec, nil), Quota: ecp.PlannedQuota{Will: rec.Booked()},
		}
		return errPlanned
	})
	if errors.Is(err, errPlanned) {
		return plan, nil
	}
	return ecp.Plan{}, fault.WrapTaken(op, err, "name",
		"a cluster of that name is there already in the project; give another name")
}

// RemoveUnrecorded removes a cluster that no record knows, with its data. name
// has to be what its objects call it, or its id where they do not: nobody removes
// a cluster by a slip. It needs [ecp.RightAdmin]. The removal goes on after the call.
func (m *Manager) RemoveUnrecorded(ctx context.Context, id ecp.ID, target, name string) error {
	q := change.Request{
		Op:     "remove unrecorded cluster " + string(id),
		Action: "remove",
		Kind:   ecp.KindCluster,
		Key:    string(id),
		Asked:  [2]string{target, name},
	}
	m.unrecordedTurn.Lock()
	defer m.unrecordedTurn.Unlock()
	u, refused := m.mayDecideUnrecorded(ctx, id, target)
	if refused == nil && name != u.Name && name != string(id) {
		called := u.Name
		if called == "" {
			called = string(id)
		}
		refused = &ecp.Error{
			Code:    ecp.CodeInvalid,
			Message: "the cluster is removed with its data, and so has to be named",
			Fields: []ecp.FieldError{{
				Field:   "name",
				Message: fmt.Sprintf("is %q; the cluster is called %q", name, called),
			}},
		}
	}
	err := change.Do(ctx, m.Changes, q, func(w *change.Tx) error {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return err
		}
		if refused != nil {
			return refused
		}
		if known, err := u.findRecord(w.Tx); err != nil || known {
			return errors.Join(err, ecp.NewError(ecp.CodeConflict, "", "there is a record of it by now"))
		}
		w.Note(string(id), "", map[string]string{"name": u.Name, "project": u.Project, "target": u.Target}, nil)
		return nil
	})
	if err != nil {
		return err
	}
	m.observed.Log.WarnContext(ctx, "an unrecorded cluster is removed by request", "cluster", id, "target", u.Target,
		"name", u.Name)
	p := m.listers()[u.Target]
	if p == nil {
		return ecp.NewError(ecp.CodeUnavailable, q.Op, fmt.Sprintf("the Kubernetes target %q is not up", u.Target))
	}
	if err := p.Delete(ctx, id); err != nil {
		return fault.Wrap(q.Op, err)
	}
	return nil
}

// mayDecideUnrecorded finds the cluster for an actor who may decide of it; others
// learn nothing.
func (m *Manager) mayDecideUnrecorded(ctx context.Context, id ecp.ID, target string) (UnrecordedCluster, error) {
	if _, err := ecp.Authorize(ctx, "", ecp.RightAdmin, ""); err != nil {
		return UnrecordedCluster{}, err
	}
	return m.oneUnrecorded(ctx, id, target)
}

// mayTakeOverUnrecorded checks what was asked for before it looks for the cluster.
func (m *Manager) mayTakeOverUnrecorded(ctx context.Context, r TakeOverRequest) (UnrecordedCluster, error) {
	var wrong fault.Fields
	if r.Name != "" {
		validate.Text(&wrong, r.Name, "")
	}
	if why := ecp.ValidateProject(r.Project); r.Project != "" && why != "" {
		wrong.Add("project", "%s", why)
	}
	if err := wrong.Err(""); err != nil {
		return UnrecordedCluster{}, err
	}
	return m.mayDecideUnrecorded(ctx, r.ID, r.Target)
}

// recordOf makes the record of an unrecorded cluster, and says of it what a plan
// has to say.
func (m *Manager) recordOf(
	tx ecp.Tx, actor ecp.Actor, u UnrecordedCluster, r TakeOverRequest,
) (rec ecp.ClusterRecord, notes []string, err error) {
	if u.RecordedOn != "" {
		return rec, nil, ecp.NewError(ecp.CodeConflict, "",
			fmt.Sprintf("a cluster of this id is recorded already, on %s; this one can only be removed", u.RecordedOn))
	}
	if u.Found.Terminating {
		return rec, nil, ecp.NewError(ecp.CodeConflict, "", "it is being removed")
	}
	made, err := derive.ReadManifest(u.Found)
	if err != nil {
		return rec, nil, err
	}
	now := m.observed.Now().UTC()
	rec = ecp.ClusterRecord{
		ID:          u.ID,
		Name:        r.Name,
		Project:     r.Project,
		Mode:        ecp.Hosted,
		Creator:     actor.Name,
		CreatorUser: actor.User(),
		CreatedAt:   now,
		UpdatedAt:   now,
		Resolved:    made.Resolved,
		Restarts:    made.Restarts,
		Generation:  made.Generation,
		Revision:    1,
	}
	if rec.Name == "" {
		rec.Name = u.Name
	}
	if rec.Project == "" {
		rec.Project = u.Project
	}
	var wrong fault.Fields
	validate.Text(&wrong, rec.Name, "")
	if err := m.checkProject(tx, &wrong, rec.Project); err != nil {
		return rec, nil, err
	}
	if err := wrong.Err(""); err != nil {
		return rec, nil, err
	}
	config := maps.Clone(r.Config)
	sealing.Keep(&wrong, config, nil)
	spec, err := made.SpecWith(config)
	if err != nil {
		return rec, nil, err
	}
	if err := errors.Join(m.settings.Seal(&wrong, u.ID, &spec, nil), wrong.Err("")); err != nil {
		return rec, nil, err
	}
	spec.Target = u.Target
	rec.Spec.Hosted = &spec
	if err := m.mayTakeOver(tx, rec, made, spec); err != nil {
		return rec, nil, err
	}
	rec.Status = ecp.Status{
		State:         ecp.Updating,
		Reason:        ecp.ReasonByRequest,
		Since:         now,
		RenderVersion: made.RenderVersion,
		RunTimeConfig: made.RunTimeConfig,
	}
	m.standOn(&rec, u.Found)
	derive.AddChangeID(&rec)
	if derive.WantedNodes(rec) == 0 {
		rec.Status.State = ecp.Stopping
	}
	notes = []string{fmt.Sprintf("the cluster is recorded as %q in %s, with EMQX %s and %d nodes", rec.Name,
		rec.Project, made.Resolved.Image.Version, spec.Nodes),
		fmt.Sprintf("%d connections are booked", spec.Connections), leaveAlone(&rec, u.Found)}
	if t := u.Tombstone; t != nil {
		notes = append(notes,
			fmt.Sprintf("it was deleted at %s by %s, and is there again: that it was deleted is forgotten",
				t.DeletedAt.UTC().Format("2006-01-02T15:04:05Z"), t.DeletedBy))
	}
	if names := made.Settings; len(names) > 0 {
		notes = append(notes,
			"nodes that start again take these settings as they are given now: "+strings.Join(names, ", "))
	}
	return rec, notes, nil
}

// recordUnrecorded books and stores a record with its operation.
func (m *Manager) recordUnrecorded(w *change.Tx, rec *ecp.ClusterRecord) (ecp.Operation, error) {
	patience := m.observed.Timings.Create + derive.DrainTime(*rec)
	operation := m.newOperation(*rec, ecp.OpTakeOver, w.Actor, patience)
	rec.Status.Operation, rec.Status.Deadline = operation.ID, operation.Deadline
	if err := ecp.Put(w.Tx, operation, 0); err != nil {
		return ecp.Operation{}, err
	}
	if err := change.Reserve(w.Tx, w.Actor, *rec, w.Now); err != nil {
		return ecp.Operation{}, err
	}
	if err := w.Remove(ecp.KindTombstone, string(rec.ID)); err != nil {
		return ecp.Operation{}, err
	}
	w.Note(string(rec.ID), rec.Project, nil, intentOf(*rec))
	return operation, ecp.Put(w.Tx, *rec, 0)
}
