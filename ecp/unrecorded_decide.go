package ecp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// TakeOverRequest asks for a record of a cluster that is there and has none. The
// cluster keeps its id.
type TakeOverRequest struct {
	ID      ID
	Target  string // where it was found; "" = there is one target on which it is
	Name    string // "" = as its objects say
	Project string // "org/project"; "" = as its objects say
	// Config has the values of the settings that the cluster was made with: they
	// are not kept with its objects.
	Config map[string]string
}

// TakeOverUnrecorded makes a record of a cluster that is there and that no record
// knows, from what its objects say they were made from: its connections are booked,
// and no node is replaced. It needs [RightAdmin]. The operation ends when the
// cluster is as its objects say.
func (m *Manager) TakeOverUnrecorded(ctx context.Context, r TakeOverRequest) (Info, Operation, error) {
	q := request{op: "take over unrecorded cluster " + string(r.ID), action: "take-over", kind: KindCluster, key: string(r.ID), asked: r,
		taken: FieldError{"name", "a cluster of that name is there already in the project; give another name"}}
	m.unrecordedTurn.Lock()
	defer m.unrecordedTurn.Unlock()
	u, refused := m.mayTakeOverUnrecorded(ctx, r)
	out, err := submit(ctx, m.Writer, q, func(w *work) (created, error) {
		if err := w.permit(RightAdmin, ""); err != nil {
			return created{}, err
		}
		if refused != nil {
			return created{}, refused
		}
		rec, _, err := m.recordOf(w.Tx, w.actor, u, r)
		if err != nil {
			return created{}, err
		}
		w.asked.scope = rec.Project
		operation, err := m.recordUnrecorded(w, &rec)
		return created{rec, operation}, err
	})
	if err != nil {
		return Info{}, Operation{}, err
	}
	m.unrecorded.drop(out.Cluster.Spec.Hosted.Target, r.ID)
	m.queue.add(r.ID)
	return m.unseen(out.Cluster), out.Operation, nil
}

// PlanTakeOverUnrecorded says what TakeOverUnrecorded would do, and changes
// nothing: the same checks in a transaction that is given up.
func (m *Manager) PlanTakeOverUnrecorded(ctx context.Context, r TakeOverRequest) (Plan, error) {
	op := "plan take-over of unrecorded cluster " + string(r.ID)
	actor, err := authorize(ctx, op, RightAdmin, "")
	if err != nil {
		return Plan{}, err
	}
	u, err := m.mayTakeOverUnrecorded(ctx, r)
	if err != nil {
		return Plan{}, explain(op, err, "", "")
	}
	var plan Plan
	err = m.store.Write(ctx, func(tx Tx) error {
		rec, notes, err := m.recordOf(tx, actor, u, r)
		if err != nil {
			return err
		}
		if _, err := m.recordUnrecorded(&work{Tx: tx, actor: actor, now: m.now().UTC(), asked: &request{}}, &rec); err != nil {
			return err
		}
		plan = Plan{Command: CommandTakeOver, To: rec.Status.State, Steps: stepNames(operationSteps[OpTakeOver]), Notes: notes}
		return errPlanned
	})
	if errors.Is(err, errPlanned) {
		return plan, nil
	}
	return Plan{}, explain(op, err, "name", "a cluster of that name is there already in the project; give another name")
}

// RemoveUnrecorded removes a cluster that no record knows, with its data. name
// has to be what its objects call it, or its id where they do not: nobody removes
// a cluster by a slip. It needs [RightAdmin]. The removal goes on after the call.
func (m *Manager) RemoveUnrecorded(ctx context.Context, id ID, target, name string) error {
	q := request{op: "remove unrecorded cluster " + string(id), action: "remove", kind: KindCluster, key: string(id), asked: [2]string{target, name}}
	m.unrecordedTurn.Lock()
	defer m.unrecordedTurn.Unlock()
	u, refused := m.mayDecideUnrecorded(ctx, id, target)
	if refused == nil && name != u.Name && name != string(id) {
		called := u.Name
		if called == "" {
			called = string(id)
		}
		refused = &Error{Code: CodeInvalid, Message: "the cluster is removed with its data, and so has to be named", Fields: []FieldError{{"name", fmt.Sprintf("is %q; the cluster is called %q", name, called)}}}
	}
	err := do(ctx, m.Writer, q, func(w *work) error {
		if err := w.permit(RightAdmin, ""); err != nil {
			return err
		}
		if refused != nil {
			return refused
		}
		if known, err := u.lookUp(w.Tx); err != nil || known {
			return errors.Join(err, fail(CodeConflict, "", "there is a record of it by now"))
		}
		w.note(string(id), "", map[string]string{"name": u.Name, "project": u.Project, "target": u.Target}, nil)
		return nil
	})
	if err != nil {
		return err
	}
	m.log.WarnContext(ctx, "an unrecorded cluster is removed by request", "cluster", id, "target", u.Target, "name", u.Name)
	p := m.listers()[u.Target]
	if p == nil {
		return fail(CodeUnavailable, q.op, fmt.Sprintf("the Kubernetes target %q is not up", u.Target))
	}
	if err := p.Delete(ctx, id); err != nil {
		return explain(q.op, err, "", "")
	}
	return nil
}

// mayDecideUnrecorded finds the cluster for an actor who may decide of it; others
// learn nothing.
func (m *Manager) mayDecideUnrecorded(ctx context.Context, id ID, target string) (UnrecordedCluster, error) {
	if _, err := authorize(ctx, "", RightAdmin, ""); err != nil {
		return UnrecordedCluster{}, err
	}
	return m.oneUnrecorded(ctx, id, target)
}

// mayTakeOverUnrecorded checks what was asked for before it looks for the cluster.
func (m *Manager) mayTakeOverUnrecorded(ctx context.Context, r TakeOverRequest) (UnrecordedCluster, error) {
	var wrong problems
	if r.Name != "" {
		validateText(&wrong, r.Name, "")
	}
	if why := ValidateProject(r.Project); r.Project != "" && why != "" {
		wrong.add("project", "%s", why)
	}
	if err := wrong.err(""); err != nil {
		return UnrecordedCluster{}, err
	}
	return m.mayDecideUnrecorded(ctx, r.ID, r.Target)
}

// recordOf makes the record of an unrecorded cluster, and says of it what a plan
// has to say.
func (m *Manager) recordOf(tx Tx, actor Actor, u UnrecordedCluster, r TakeOverRequest) (rec ClusterRecord, notes []string, err error) {
	if u.RecordedOn != "" {
		return rec, nil, fail(CodeConflict, "", fmt.Sprintf("a cluster of this id is recorded already, on %s; this one can only be removed", u.RecordedOn))
	}
	if u.Found.Terminating {
		return rec, nil, fail(CodeConflict, "", "it is being removed")
	}
	made, err := readManifest(u.Found)
	if err != nil {
		return rec, nil, err
	}
	now := m.now().UTC()
	rec = ClusterRecord{
		ID: u.ID, Name: r.Name, Project: r.Project, Mode: Hosted, Creator: actor.Name, CreatorUser: actor.user(), CreatedAt: now, UpdatedAt: now,
		Resolved: made.Resolved, Restarts: made.Restarts, Generation: made.Generation, Revision: 1,
	}
	if rec.Name == "" {
		rec.Name = u.Name
	}
	if rec.Project == "" {
		rec.Project = u.Project
	}
	var wrong problems
	validateText(&wrong, rec.Name, "")
	if err := m.checkProject(tx, &wrong, rec.Project); err != nil {
		return rec, nil, err
	}
	if err := wrong.err(""); err != nil {
		return rec, nil, err
	}
	config := maps.Clone(r.Config)
	keepSettings(&wrong, config, nil)
	spec, err := made.specWith(config)
	if err != nil {
		return rec, nil, err
	}
	if err := errors.Join(m.sealSettings(&wrong, u.ID, &spec, nil), wrong.err("")); err != nil {
		return rec, nil, err
	}
	spec.Target = u.Target
	rec.Spec.Hosted = &spec
	if err := m.mayTakeOver(tx, rec, made); err != nil {
		return rec, nil, err
	}
	rec.Status = Status{State: Updating, Reason: ReasonByRequest, Since: now, RenderVersion: made.RenderVersion}
	m.standOn(&rec, u.Found)
	noteChange(&rec)
	if wantedNodes(rec) == 0 {
		rec.Status.State = Stopping
	}
	notes = []string{fmt.Sprintf("the cluster is recorded as %q in %s, with EMQX %s and %d nodes", rec.Name, rec.Project, made.Resolved.Image.Version, spec.Nodes),
		fmt.Sprintf("%d connections are booked", spec.Connections), leaveAlone(&rec, u.Found)}
	if t := u.Tombstone; t != nil {
		notes = append(notes, fmt.Sprintf("it was deleted at %s by %s, and is there again: that it was deleted is forgotten", t.DeletedAt.UTC().Format("2006-01-02T15:04:05Z"), t.DeletedBy))
	}
	if names := made.Settings; len(names) > 0 {
		notes = append(notes, "nodes that start again take these settings as they are given now: "+strings.Join(names, ", "))
	}
	return rec, notes, nil
}

// recordUnrecorded books and stores a record with its operation.
func (m *Manager) recordUnrecorded(w *work, rec *ClusterRecord) (Operation, error) {
	patience := m.timings.Create + leftToMove(*rec)
	operation := m.newOperation(*rec, OpTakeOver, w.actor, patience)
	rec.Status.Operation, rec.Status.Deadline = operation.ID, operation.Deadline
	if err := Put(w.Tx, operation, 0); err != nil {
		return Operation{}, err
	}
	if err := mayBook(w.Tx, 0, rec.Spec.Connections()+1, w.now); err != nil {
		return Operation{}, err
	}
	if err := reserve(w.Tx, w.actor, bookingOf(*rec)); err != nil {
		return Operation{}, err
	}
	if err := deleteIfThere(w.Tx, KindTombstone, string(rec.ID)); err != nil {
		return Operation{}, err
	}
	w.note(string(rec.ID), rec.Project, nil, intentOf(*rec))
	return operation, Put(w.Tx, *rec, 0)
}
