package ecp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// handle is the Manager's Cluster.
type handle struct {
	m  *Manager
	id ID
}

// Cluster gives the handle of a cluster, without asking whether there is one.
func (m *Manager) Cluster(id ID) Cluster { return handle{m, id} }

func (h handle) ID() ID { return h.id }

// decision is what a command does to a record: pure, so that Plan and Do agree.
type decision struct {
	from, to State
	nothing  bool
	kind     OperationKind // "" = no operation is needed
	patience time.Duration
	rec      ClusterRecord // as it is stored
	moves    bool          // to another project
}

// decide says what a command does, or why it cannot be taken.
func (m *Manager) decide(rec ClusterRecord, cmd Command) (decision, error) {
	rec = rec.Clone()
	d := decision{from: rec.Status.State}
	next, verdict := Next(rec.Mode, rec.Status.State, cmd.Kind())
	if rec.Deleting {
		next, verdict = NextDeleting(rec.Status.State, cmd.Kind())
	}
	switch verdict {
	case Illegal:
		return d, illegal(rec, cmd.Kind())
	case Holds:
		d.to, d.nothing, d.rec = d.from, true, rec
		return d, nil
	case Moves, Stays:
	}
	rec.Revision++
	rec.UpdatedAt = m.now().UTC()
	if err := m.carry(&d, &rec, cmd); err != nil || d.nothing {
		d.to, d.rec = d.from, rec
		return d, err
	}
	if next == Updating && wantedNodes(rec) == 0 { // no node runs: there is nothing to roll out
		next = Stopping
	}
	if next != rec.Status.State {
		rec.Status.State, rec.Status.Since = next, rec.UpdatedAt
		rec.Status.Reason, rec.Status.Message = ReasonByRequest, ""
		rec.Status.Deadline = deadlineFrom(rec, d.patience)
	}
	d.to, d.rec = next, rec
	return d, nil
}

// deadlineFrom gives a task that begins now its time. While nothing can be
// seen it does not run: then it counts from where the time stood still.
func deadlineFrom(rec ClusterRecord, patience time.Duration) time.Time {
	if stale := rec.Status.StaleFrom; !stale.IsZero() {
		return stale.Add(patience)
	}
	return rec.UpdatedAt.Add(patience)
}

// carry puts a command's intent into the record.
func (m *Manager) carry(d *decision, rec *ClusterRecord, cmd Command) error {
	switch c := cmd.(type) {
	case Start:
		rec.Spec.Hosted.Power = PowerOn
		rec.Generation++
		d.kind, d.patience = OpStart, m.timings.Start
	case Stop:
		rec.Spec.Hosted.Power = PowerOff
		rec.Generation++
		d.kind, d.patience = OpStop, m.timings.Stop
	case Repair:
		rec.Status.Dispatched, rec.Status.Seen, rec.Status.Auth, rec.Status.Volumes = false, false, "", nil
		rec.Generation++
		d.kind, d.patience = OpRepair, m.timings.Create
		if rec.Status.State == Nonexistent {
			d.patience = m.timings.Dispatch
		}
	case Delete:
		if rec.Deleting && (rec.Force || !c.Force) {
			d.nothing = true
			return nil
		}
		rec.Force = rec.Force || c.Force
		d.kind, d.patience = OpDelete, m.timings.Delete
		if !rec.Deleting {
			rec.Deleting = true
			rec.Status.Deadline = deadlineFrom(*rec, d.patience)
		} else {
			d.kind = "" // the running deletion goes on, faster
		}
	case Transfer:
		if c.Project == rec.Project {
			d.nothing = true
			return nil
		}
		rec.Project, d.moves = c.Project, true
	case Restart, Update:
		return fail(CodeUnsupported, "", "this build cannot "+string(cmd.Kind())+" a cluster yet")
	default:
		return fail(CodeInvalid, "", fmt.Sprintf("%T is not a command of this package", cmd))
	}
	return nil
}

// commandFeatures are the features that commands belong to.
var commandFeatures = map[CommandKind]Feature{
	KindStart: FeaturePower, KindStop: FeaturePower, KindRestart: FeaturePower, KindRepair: FeatureRepair,
}

// illegal says that a cluster of its kind never takes the command, or which
// commands are legal instead now.
func illegal(rec ClusterRecord, kind CommandKind) error {
	for _, f := range Features(rec.Mode, rec.Resolved.Image.Version, Capabilities{}) {
		if f.Feature == commandFeatures[kind] && !f.Available {
			return fail(CodeUnsupported, "", f.Why)
		}
	}
	legal := Legal(rec.Mode, rec.Status.State, rec.Deleting)
	words := make([]string, len(legal))
	for i, k := range legal {
		words[i] = string(k)
	}
	state := string(rec.Status.State)
	if rec.Deleting {
		state += " and being deleted"
	}
	return fail(CodeConflict, "", fmt.Sprintf("a cluster that is %s cannot take %s; legal now: %s", state, kind, strings.Join(words, ", ")))
}

// Do takes a command; see [Cluster].
func (h handle) Do(ctx context.Context, cmd Command) (Operation, error) {
	op := string(cmd.Kind()) + " cluster " + string(h.id)
	var operation Operation
	err := h.m.store.Write(ctx, func(tx Tx) error {
		operation = Operation{}
		actor, rec, running, err := h.m.mayDo(ctx, tx, op, h.id, cmd)
		if err != nil {
			return err
		}
		d, err := h.m.decide(rec, cmd)
		if err != nil || d.nothing {
			return err
		}
		if d.moves {
			if err := h.m.moveProject(tx, d.rec.Project); err != nil {
				return err
			}
			if err := moveOperations(tx, h.id, d.rec.Project); err != nil {
				return err
			}
		}
		if d.kind != "" && d.rec.Mode == Hosted {
			operation, err = h.m.beginOperation(tx, &d, actor, rec.Generation, running)
			if err != nil {
				return err
			}
		}
		return Put(tx, d.rec, AnyVersion)
	})
	if err != nil {
		return Operation{}, explain(op, err, "project", "a cluster of the same name is there already in that project")
	}
	h.m.queue.add(h.id)
	return operation, nil
}

// mayDo loads a cluster for an actor who may command it; a transfer needs the
// right on both sides.
func (m *Manager) mayDo(ctx context.Context, tx Tx, op string, id ID, cmd Command) (Actor, ClusterRecord, *Operation, error) {
	if _, ok := ActorFrom(ctx); !ok {
		_, err := authorize(ctx, op, RightWrite, "")
		return Actor{}, ClusterRecord{}, nil, err
	}
	rec, running, err := loadTx(tx, id)
	if errors.Is(err, ErrNotFound) {
		return Actor{}, rec, nil, noCluster(op, id)
	}
	if err != nil {
		return Actor{}, rec, nil, err
	}
	actor, err := authorize(ctx, op, RightWrite, rec.Project)
	if errors.Is(err, ErrNotFound) {
		return actor, rec, nil, noCluster(op, id)
	}
	if t, ok := cmd.(Transfer); ok && err == nil {
		_, err = authorize(ctx, op, RightWrite, t.Project)
	}
	return actor, rec, running, err
}

func noCluster(op string, id ID) error {
	return fail(CodeNotFound, op, fmt.Sprintf("there is no cluster %q", id))
}

// moveProject checks that a cluster can be moved to a project.
func (m *Manager) moveProject(tx Tx, project string) error {
	var wrong problems
	if err := m.checkProject(tx, &wrong, project); err != nil {
		return err
	}
	return wrong.err("")
}

// moveOperations lets a cluster's operations follow it, so that who may read
// the one may read the others.
func moveOperations(tx Tx, id ID, project string) error {
	var all []Operation
	for o, err := range List[Operation](tx, Query{Parent: string(id)}) {
		if err != nil {
			return err
		}
		all = append(all, o)
	}
	for _, o := range all {
		o.Project = project
		if err := Put(tx, o, AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// beginOperation stores the operation of a command and lets it take over from
// one that is running.
func (m *Manager) beginOperation(tx Tx, d *decision, actor Actor, from int64, running *Operation) (Operation, error) {
	if p, err := m.provisioner(d.rec); err == nil && d.kind != OpDelete {
		d.rec.Status.RenderVersion = newestRender(p)
	}
	o := m.newOperation(d.rec, d.kind, actor, d.patience)
	o.From = from
	if running != nil && !running.Phase.Final() {
		running.Phase, running.EndedAt, running.SupersededBy = PhaseSuperseded, m.now().UTC(), o.ID
		if err := Put(tx, *running, AnyVersion); err != nil {
			return Operation{}, err
		}
	}
	d.rec.Status.Operation = o.ID
	return o, Put(tx, o, 0)
}

func (m *Manager) newOperation(rec ClusterRecord, kind OperationKind, actor Actor, patience time.Duration) Operation {
	now := m.now().UTC()
	return Operation{
		ID: newOperationID(), Cluster: rec.ID, Project: rec.Project, Kind: kind, Actor: actor.Name, Generation: rec.Generation,
		Phase: PhaseQueued, Steps: newSteps(kind), Deadline: now.Add(patience), CreatedAt: now,
	}
}

// Plan says what Do would do; see [Cluster].
func (h handle) Plan(ctx context.Context, cmd Command) (plan Plan, err error) {
	op := "plan " + string(cmd.Kind()) + " of cluster " + string(h.id)
	err = h.m.store.Read(ctx, func(tx Tx) error {
		_, rec, _, err := h.m.mayDo(ctx, tx, op, h.id, cmd)
		if err != nil {
			return err
		}
		d, err := h.m.decide(rec, cmd)
		if err != nil {
			return err
		}
		if d.moves {
			if err := h.m.moveProject(tx, d.rec.Project); err != nil {
				return err
			}
		}
		plan = Plan{Command: cmd.Kind(), From: d.from, To: d.to, Nothing: d.nothing, Steps: stepNames(d.kind)}
		return nil
	})
	if err != nil {
		return Plan{}, explain(op, err, "", "")
	}
	return plan, nil
}
