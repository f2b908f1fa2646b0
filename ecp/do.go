package ecp

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	ends     Phase         // of the operation it takes over from
	notes    []string      // what is to be said of it in a plan, beside what follows from the record
}

// decide says what a command does, or why it cannot be taken.
func (m *Manager) decide(tx Tx, rec ClusterRecord, cmd Command) (decision, error) {
	old := rec
	rec = rec.Clone()
	d := decision{from: rec.Status.State, ends: PhaseSuperseded}
	if err := refuseHostedOnly(rec.Mode, cmd); err != nil {
		return d, err
	}
	if err := checkRevision(revisionOf(cmd), rec.Revision); err != nil {
		return d, err
	}
	if err := m.mayWhileOlder(rec, cmd); err != nil {
		return d, err
	}
	next, verdict := rec.StateMachine().Next(rec.Status.State, cmd.Kind())
	if u, ok := cmd.(Update); ok && u.Spec == nil && u.Patch == nil && !rec.Deleting { // a name or a description can always be changed
		next, verdict = rec.Status.State, Stays
	}
	switch verdict {
	case Illegal:
		return d, illegal(rec, cmd.Kind())
	case Holds:
		d.to, d.nothing, d.rec = d.from, true, rec
		return d, nil
	case Moves, Stays:
	}
	if err := m.repairExpels(rec, cmd.Kind()); err != nil {
		return d, err
	}
	if err := m.repairHelps(rec, cmd.Kind()); err != nil {
		return d, err
	}
	if err := m.repairJoins(rec, cmd.Kind()); err != nil {
		return d, err
	}
	rec.Revision++
	rec.UpdatedAt = m.now().UTC()
	if err := m.carry(tx, &d, &rec, cmd); err != nil || d.nothing {
		d.to, d.rec = d.from, rec
		return d, err
	}
	if rec.Mode == Hosted && old.Spec.Hosted != nil {
		noteFormer(&rec.Status, old.Spec.Hosted.Config, rec.Spec.Hosted.Config)
	}
	if d.kind == "" && cmd.Kind() == CommandUpdate { // nothing that nodes would notice
		next = rec.Status.State
	}
	if next == Updating && wantedNodes(rec) == 0 { // no node runs: there is nothing to roll out
		next = Stopping
	}
	if d.kind != "" && d.kind != OpTakeOver && rec.Mode == Hosted {
		rec.Status.KeepOutdated = !replaces(d.kind, old, rec)
	}
	if next != rec.Status.State {
		rec.Status.State, rec.Status.Since = next, rec.UpdatedAt
		rec.Status.Reason, rec.Status.Message = ReasonByRequest, ""
		rec.Status.Deadline = deadlineFrom(rec, d.patience)
	} else if more := deadlineFrom(rec, d.patience); d.kind == OpUpdate && !rec.Status.Deadline.IsZero() && wantedNodes(rec) > 0 && more.After(rec.Status.Deadline) {
		rec.Status.Deadline = more
	}
	d.to, d.rec = next, rec
	return d, nil
}

// revisionOf is the revision a command is for; 0 = whatever.
func revisionOf(cmd Command) int64 {
	switch c := cmd.(type) {
	case Start:
		return c.IfRevision
	case Stop:
		return c.IfRevision
	case Restart:
		return c.IfRevision
	case Update:
		return c.IfRevision
	case Repair:
		return c.IfRevision
	case TakeOver:
		return c.IfRevision
	case PutBack:
		return c.IfRevision
	case Transfer:
		return c.IfRevision
	case Delete:
		return c.IfRevision
	}
	return 0
}

// deadlineFrom gives a task that begins now its time. While nothing can be
// seen, or another program holds the platform, it does not run: then it counts from where the time stood still.
func deadlineFrom(rec ClusterRecord, patience time.Duration) time.Time {
	for _, still := range []time.Time{rec.Status.StaleFrom, rec.Status.WaitingFrom} {
		if !still.IsZero() {
			return still.Add(patience)
		}
	}
	return rec.UpdatedAt.Add(patience)
}

// carry puts a command's intent into the record.
func (m *Manager) carry(tx Tx, d *decision, rec *ClusterRecord, cmd Command) error {
	switch c := cmd.(type) {
	case Start:
		rec.Spec.Hosted.Power = PowerOn
		rec.Resolved.Connections = rec.Spec.Hosted.Connections
		rec.Generation++
		d.kind, d.patience = OpStart, m.timings.Start+leftToMove(*rec)
	case Stop:
		rec.Spec.Hosted.Power = PowerOff
		rec.Generation++
		d.kind, d.patience = OpStop, m.timings.Stop
	case Repair:
		rec.Status.Dispatched, rec.Status.Seen, rec.Status.Auth, rec.Status.Volumes = false, false, "", nil
		rec.Generation++
		d.kind, d.patience = OpRepair, m.timings.Create+leftToMove(*rec)
		if rec.Status.State == Nonexistent {
			d.patience = m.timings.Dispatch
		}
	case TakeOver:
		return m.carryTakeOver(tx, d, rec)
	case PutBack:
		return m.carryPutBack(d, rec)
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
	case Update:
		return m.carryUpdate(tx, d, rec, c)
	case goBack:
		m.carryBack(d, rec, c)
	case Restart:
		if wantedNodes(*rec) == 0 {
			return fail(CodeConflict, "", fmt.Sprintf("a cluster that is %s and powered off has no nodes to restart; stop takes away those that are left, start brings it up", rec.Status.State))
		}
		rec.Restarts++
		rec.Resolved.Connections = rec.Spec.Hosted.Connections
		rec.Generation++
		d.kind, d.patience = OpRestart, m.timings.Create+time.Duration(ordinalsOf(*rec))*drainDeadline(rec.Spec.Hosted.Evacuation)
	default:
		return fail(CodeInvalid, "", fmt.Sprintf("%T is not a command of this package", cmd))
	}
	return nil
}

// commandFeatures are the features of commands that only hosted clusters take.
var commandFeatures = map[CommandKind]Feature{
	CommandStart: FeaturePower, CommandStop: FeaturePower, CommandRestart: FeaturePower, CommandRepair: FeatureRepair, CommandTakeOver: FeatureRepair, CommandPutBack: FeatureRepair,
}

// illegal says which commands are legal instead now.
func illegal(rec ClusterRecord, kind CommandKind) error {
	state := string(rec.Status.State)
	if rec.Deleting {
		state += " and being deleted"
	}
	return fail(CodeConflict, "", fmt.Sprintf("a cluster that is %s cannot take %s; legal now: %s", state, kind, strings.Join(kindNames(rec.Legal()), ", ")))
}

// Do takes a command; see [Cluster].
func (h handle) Do(ctx context.Context, cmd Command) (Operation, error) {
	q := request{op: string(cmd.Kind()) + " cluster " + string(h.id), action: string(cmd.Kind()), kind: KindCluster, key: string(h.id), asked: cmd, taken: takenBy(cmd)}
	if err := h.m.beforehand(ctx, q, func(tx Tx, a Actor) (proposal, error) { return h.m.changeOf(tx, a, h.id, cmd) }); err != nil {
		return Operation{}, err
	}
	operation, err := submit(ctx, h.m.Writer, q, func(w *work) (Operation, error) { return h.m.take(w, h.id, cmd) })
	if err != nil {
		return Operation{}, err
	}
	if cmd.Kind() == CommandDelete { // connections whose keys are gone are closed at once
		h.m.dropRemoved(ctx, h.id)
	}
	h.m.queue.add(h.id)
	return operation, nil
}

// changeOf returns what of a command the platform has to be asked about.
func (m *Manager) changeOf(tx Tx, a Actor, id ID, cmd Command) (proposal, error) {
	switch cmd.(type) {
	case Update, PutBack:
	default:
		return proposal{}, nil
	}
	var scope string
	rec, _, err := m.mayDo(tx, a, &scope, id, cmd)
	if err != nil {
		return proposal{}, err
	}
	d, err := m.decide(tx, rec, cmd)
	return changeBy(rec, d), err
}

// takenBy says where a name that is taken stands in a command.
func takenBy(cmd Command) FieldError {
	if cmd.Kind() == CommandUpdate {
		return FieldError{"name", "a cluster of that name is there already in the project"}
	}
	return FieldError{"project", "a cluster of the same name is there already in that project"}
}

// take carries a command out as far as the store is concerned.
func (m *Manager) take(w *work, id ID, cmd Command) (Operation, error) {
	rec, running, err := m.mayDo(w.Tx, w.actor, &w.asked.scope, id, cmd)
	if err != nil {
		return Operation{}, err
	}
	d, err := m.decide(w.Tx, rec, cmd)
	if err != nil || d.nothing {
		return Operation{}, err
	}
	return m.begin(w, rec, d, running)
}

// begin stores what was decided of a command: what it books, the audit, its
// operation and the record.
func (m *Manager) begin(w *work, rec ClusterRecord, d decision, running *Operation) (_ Operation, err error) {
	if err := mayBook(w.Tx, rec.Booked(), d.rec.Booked(), w.now); err != nil {
		return Operation{}, err
	}
	if err := rebook(w.Tx, w.actor, bookingOf(rec), bookingOf(d.rec)); err != nil {
		return Operation{}, err
	}
	if d.rec.Generation != rec.Generation && d.rec.Mode == Hosted {
		noteChange(&d.rec)
	}
	before, after := intentOf(rec), intentOf(d.rec)
	left := ""
	if d.rec.Mode == Adopted && d.rec.Force {
		left = d.rec.limitLeft()
		after.Left = left
	}
	w.note(string(rec.ID), rec.Project, before, after)
	if d.moves {
		w.note(string(rec.ID), d.rec.Project, before, after)
		if err := m.depart(w, rec, running, d.rec.Project); err != nil {
			return Operation{}, err
		}
	}
	if d.rec.Mode == Adopted && d.rec.Deleting && !d.rec.owesRelease() {
		if err := removeAgents(w.Tx, d.rec.ID); err != nil {
			return Operation{}, err
		}
	}
	var operation Operation
	if d.kind != "" {
		operation, err = m.beginOperation(w.Tx, &d, w.actor, rec, running)
		if err != nil {
			return Operation{}, err
		}
	}
	if left != "" { // whoever asks for force is told what it costs
		if d.kind == "" && running != nil {
			operation = running.Clone()
		}
		if operation.Note = left; operation.ID != "" {
			if err := Put(w.Tx, operation, AnyVersion); err != nil {
				return Operation{}, err
			}
		}
	}
	return operation, Put(w.Tx, d.rec, AnyVersion)
}

// intent is what of a cluster is asked for: the part that the audit tells.
type intent struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Project     string `json:"project"`
	Mode        Mode   `json:"mode"`
	Spec        Spec   `json:"spec"`
	Deleting    bool   `json:"deleting"`
	// Left is what stays at the broker of an adopted cluster that is removed by force.
	Left string `json:"left,omitempty"`
}

func intentOf(r ClusterRecord) intent {
	return intent{r.Name, r.Description, r.Project, r.Mode, r.Spec, r.Deleting, ""}
}

// mayDo loads a cluster for an actor who may command it; a transfer needs the
// right on both sides. scope is told whose cluster it is, also where the
// actor is not.
func (m *Manager) mayDo(tx Tx, a Actor, scope *string, id ID, cmd Command) (ClusterRecord, *Operation, error) {
	rec, running, err := loadTx(tx, id)
	if errors.Is(err, ErrNotFound) {
		return rec, nil, noCluster("", id, nil)
	}
	if err != nil {
		return rec, nil, err
	}
	*scope = rec.Project
	err = a.permit("", RightWrite, rec.Project)
	if errors.Is(err, ErrNotFound) {
		return rec, nil, noCluster("", id, errRefused)
	}
	if t, ok := cmd.(Transfer); ok && err == nil {
		err = a.permitProject("", RightWrite, t.Project)
	}
	return rec, running, err
}

// noCluster says that there is no such cluster, or none that the actor may
// know of; cause tells the two apart for the audit.
func noCluster(op string, id ID, cause error) error {
	return &Error{Code: CodeNotFound, Op: op, Message: fmt.Sprintf("there is no cluster %q", id), Cause: cause}
}

// depart lets a cluster leave its project: what it has booked in the pool, which
// is everybody's, goes with it. Its operations are those of its project, wherever
// it is; the changes of the one that runs are from now on for that project to see.
func (m *Manager) depart(w *work, rec ClusterRecord, running *Operation, to string) error {
	if err := errors.Join(m.moveProject(w.Tx, to), revokeRegistrations(w, rec)); err != nil {
		return err
	}
	if running != nil && !running.Phase.Final() {
		running.Project = to
		if err := Put(w.Tx, *running, AnyVersion); err != nil {
			return err
		}
	}
	agents, err := childrenIn[AgentRecord](w.Tx, rec.ID)
	if err != nil {
		return err
	}
	for _, a := range agents {
		a.Project = to
		if err := Put(w.Tx, a, AnyVersion); err != nil {
			return err
		}
	}
	return Put(w.Tx, Departure{Cluster: rec.ID, Name: rec.Name, Project: rec.Project, At: w.now}, AnyVersion)
}

// moveProject checks that a cluster can be moved to a project.
func (m *Manager) moveProject(tx Tx, project string) error {
	var wrong problems
	if err := m.checkProject(tx, &wrong, project); err != nil {
		return err
	}
	return wrong.err("")
}

// beginOperation stores the operation of a command and lets it take over from
// one that is running.
func (m *Manager) beginOperation(tx Tx, d *decision, actor Actor, before ClusterRecord, running *Operation) (Operation, error) {
	if d.rec.Mode == Hosted && d.kind != OpDelete && d.kind != OpTakeOver && !d.rec.Status.KeepOutdated {
		if p, err := m.provisioner(d.rec); err == nil {
			d.rec.Status.RenderVersion = newestRender(p)
		}
	}
	o := m.newOperation(d.rec, d.kind, actor, d.patience)
	o.From, o.Steps = before.Generation, newSteps(stepsOf(d.kind, before, d.rec))
	if running != nil && !running.Phase.Final() {
		running.Phase, running.EndedAt, running.SupersededBy = d.ends, m.now().UTC(), o.ID
		if err := Put(tx, *running, AnyVersion); err != nil {
			return Operation{}, err
		}
	}
	d.rec.Status.Operation, d.rec.Status.Before, d.rec.Status.RepairOf = o.ID, nil, ""
	if d.kind == OpRepair {
		d.rec.Status.RepairOf = d.from
	}
	if d.kind != OpTakeOver {
		d.rec.Status.KeepVolumes = false
	}
	if l := d.rec.Status.Leaving; l != nil { // it has its time anew
		l.Since, l.GivenUp = d.rec.UpdatedAt, false
	}
	if _, ok := waysBack[d.kind]; ok {
		was := before.Clone()
		d.rec.Status.Before = &Wanted{was.Spec, was.Resolved}
	}
	if err := Put(tx, o, 0); err != nil {
		return Operation{}, err
	}
	return o, m.pruneOperations(tx, o.Cluster)
}

func (m *Manager) newOperation(rec ClusterRecord, kind OperationKind, actor Actor, patience time.Duration) Operation {
	now := m.now().UTC()
	return Operation{
		ID: newOperationID(), Cluster: rec.ID, Project: rec.Project, Kind: kind, Actor: actor.Name, User: actor.user(), Generation: rec.Generation,
		Phase: PhaseQueued, Steps: newSteps(operationSteps[kind]), Deadline: now.Add(patience), CreatedAt: now,
	}
}

// Plan says what Do would do; see [Cluster].
func (h handle) Plan(ctx context.Context, cmd Command) (plan Plan, err error) {
	op := "plan " + string(cmd.Kind()) + " of cluster " + string(h.id)
	actor, ok := ActorFrom(ctx)
	if !ok {
		_, err := authorize(ctx, op, RightRead, "")
		return Plan{}, err
	}
	var planned proposal
	err = h.m.store.Read(ctx, func(tx Tx) error {
		var scope string
		rec, _, err := h.m.mayDo(tx, actor, &scope, h.id, cmd)
		if err != nil {
			return err
		}
		d, err := h.m.decide(tx, rec, cmd)
		if err != nil {
			return err
		}
		if err := mayBook(tx, rec.Booked(), d.rec.Booked(), h.m.now()); err != nil {
			return err
		}
		if err := mayRebook(tx, actor, bookingOf(rec), bookingOf(d.rec)); err != nil {
			return err
		}
		if d.moves {
			if err := h.m.moveProject(tx, d.rec.Project); err != nil {
				return err
			}
		}
		plan = Plan{Command: cmd.Kind(), From: d.from, To: d.to, Nothing: d.nothing, Steps: stepNames(stepsOf(d.kind, rec, d.rec)), Notes: slices.Concat(d.notes, limitNotes(rec, d), volumeNotes(rec, d), notes(h.m.timings, h.m.info(rec), d, h.m.outdated(rec.ID)), h.m.surplusNotes(rec, d))}
		planned = changeBy(rec, d)
		return nil
	})
	if err == nil {
		err = h.m.addForesight(ctx, &plan, planned)
	}
	if err != nil {
		return Plan{}, explain(op, err, "", "")
	}
	return plan, nil
}
