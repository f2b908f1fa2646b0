package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// handle is the Manager's Cluster.
type handle struct {
	m  *Manager
	id ecp.ID
}

// Cluster gives the handle of a cluster, without asking whether there is one.
func (m *Manager) Cluster(id ecp.ID) ecp.Cluster { return handle{m, id} }

func (h handle) ID() ecp.ID { return h.id }

// decision is what a command does to a record: pure, so that Plan and Do agree.
type decision struct {
	from, to ecp.State
	nothing  bool
	kind     ecp.OperationKind // "" = no operation is needed
	patience time.Duration
	rec      ecp.ClusterRecord // as it is stored
	moves    bool              // to another project
	ends     ecp.Phase         // of the operation it takes over from
	notes    []string          // what is to be said of it in a plan, beside what follows from the record
}

// decide says what a command does, or why it cannot be taken.
func (m *Manager) decide(tx ecp.Tx, rec ecp.ClusterRecord, cmd ecp.Command) (decision, error) {
	old := rec
	rec = rec.Clone()
	d := decision{from: rec.Status.State, ends: ecp.PhaseSuperseded}
	if err := refuseHostedOnly(rec.Mode, cmd); err != nil {
		return d, err
	}
	if err := change.CheckRevision(revisionOf(cmd), rec.Revision); err != nil {
		return d, err
	}
	if err := m.mayWhileOlder(rec, cmd); err != nil {
		return d, err
	}
	next, verdict := rec.StateMachine().Next(rec.Status.State, cmd.Kind())
	if u, ok := cmd.(ecp.Update); ok && u.Spec == nil && u.Patch == nil && !rec.Deleting { // a name or a description can always be changed
		next, verdict = rec.Status.State, ecp.Stays
	}
	switch verdict {
	case ecp.Illegal:
		return d, illegal(rec, cmd.Kind())
	case ecp.Holds:
		d.to, d.nothing, d.rec = d.from, true, rec
		return d, nil
	case ecp.Moves, ecp.Stays:
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
	rec.UpdatedAt = m.observed.Now().UTC()
	if err := m.carry(tx, &d, &rec, cmd); err != nil || d.nothing {
		d.to, d.rec = d.from, rec
		return d, err
	}
	if rec.Mode == ecp.Hosted && old.Spec.Hosted != nil {
		derive.NoteFormer(&rec.Status, old.Spec.Hosted.Config, rec.Spec.Hosted.Config)
	}
	if d.kind == "" && cmd.Kind() == ecp.CommandUpdate { // nothing that nodes would notice
		next = rec.Status.State
	}
	if next == ecp.Updating && derive.WantedNodes(rec) == 0 { // no node runs: there is nothing to roll out
		next = ecp.Stopping
	}
	if d.kind != "" && d.kind != ecp.OpTakeOver && rec.Mode == ecp.Hosted {
		rec.Status.KeepOutdated = !derive.Replaces(d.kind, old, rec)
	}
	if next != rec.Status.State {
		rec.Status.State, rec.Status.Since = next, rec.UpdatedAt
		rec.Status.Reason, rec.Status.Message = ecp.ReasonByRequest, ""
		rec.Status.Deadline = deadlineFrom(rec, d.patience)
	} else if more := deadlineFrom(rec, d.patience); d.kind == ecp.OpUpdate && !rec.Status.Deadline.IsZero() && derive.WantedNodes(rec) > 0 && more.After(rec.Status.Deadline) {
		rec.Status.Deadline = more
	}
	d.to, d.rec = next, rec
	return d, nil
}

// revisionOf is the revision a command is for; 0 = whatever.
func revisionOf(cmd ecp.Command) int64 {
	switch c := cmd.(type) {
	case ecp.Start:
		return c.IfRevision
	case ecp.Stop:
		return c.IfRevision
	case ecp.Restart:
		return c.IfRevision
	case ecp.Update:
		return c.IfRevision
	case ecp.Repair:
		return c.IfRevision
	case ecp.TakeOver:
		return c.IfRevision
	case ecp.PutBack:
		return c.IfRevision
	case ecp.Transfer:
		return c.IfRevision
	case ecp.Delete:
		return c.IfRevision
	}
	return 0
}

// deadlineFrom gives a task that begins now its time. While nothing can be
// seen, or another program holds the platform, it does not run: then it counts from where the time stood still.
func deadlineFrom(rec ecp.ClusterRecord, patience time.Duration) time.Time {
	for _, still := range []time.Time{rec.Status.StaleFrom, rec.Status.WaitingFrom} {
		if !still.IsZero() {
			return still.Add(patience)
		}
	}
	return rec.UpdatedAt.Add(patience)
}

// carry puts a command's intent into the record.
func (m *Manager) carry(tx ecp.Tx, d *decision, rec *ecp.ClusterRecord, cmd ecp.Command) error {
	switch c := cmd.(type) {
	case ecp.Start:
		rec.Spec.Hosted.Power = ecp.PowerOn
		rec.Resolved.Connections = rec.Spec.Hosted.Connections
		rec.Generation++
		d.kind, d.patience = ecp.OpStart, m.observed.Timings.Start+derive.LeftToMove(*rec)
	case ecp.Stop:
		rec.Spec.Hosted.Power = ecp.PowerOff
		rec.Generation++
		d.kind, d.patience = ecp.OpStop, m.observed.Timings.Stop
	case ecp.Repair:
		rec.Status.Dispatched, rec.Status.Seen, rec.Status.Auth, rec.Status.Volumes = false, false, "", nil
		rec.Generation++
		d.kind, d.patience = ecp.OpRepair, m.observed.Timings.Create+derive.LeftToMove(*rec)
		if rec.Status.State == ecp.Nonexistent {
			d.patience = m.observed.Timings.Dispatch
		}
	case ecp.TakeOver:
		return m.carryTakeOver(tx, d, rec)
	case ecp.PutBack:
		return m.carryPutBack(d, rec)
	case ecp.Delete:
		if rec.Deleting && (rec.Force || !c.Force) {
			d.nothing = true
			return nil
		}
		rec.Force = rec.Force || c.Force
		d.kind, d.patience = ecp.OpDelete, m.observed.Timings.Delete
		if !rec.Deleting {
			rec.Deleting = true
			rec.Status.Deadline = deadlineFrom(*rec, d.patience)
		} else {
			d.kind = "" // the running deletion goes on, faster
		}
	case ecp.Transfer:
		if c.Project == rec.Project {
			d.nothing = true
			return nil
		}
		rec.Project, d.moves = c.Project, true
	case ecp.Update:
		return m.carryUpdate(tx, d, rec, c)
	case goBack:
		m.carryBack(d, rec, c)
	case ecp.Restart:
		if derive.WantedNodes(*rec) == 0 {
			return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("a cluster that is %s and powered off has no nodes to restart; stop takes away those that are left, start brings it up", rec.Status.State))
		}
		rec.Restarts++
		rec.Resolved.Connections = rec.Spec.Hosted.Connections
		rec.Generation++
		d.kind, d.patience = ecp.OpRestart, m.observed.Timings.Create+time.Duration(derive.OrdinalsOf(*rec))*derive.DrainDeadline(rec.Spec.Hosted.Evacuation)
	default:
		return ecp.NewError(ecp.CodeInvalid, "", fmt.Sprintf("%T is not a command of this package", cmd))
	}
	return nil
}

// commandFeatures are the features of commands that only hosted clusters take.
var commandFeatures = map[ecp.CommandKind]ecp.Feature{
	ecp.CommandStart: ecp.FeaturePower, ecp.CommandStop: ecp.FeaturePower, ecp.CommandRestart: ecp.FeaturePower, ecp.CommandRepair: ecp.FeatureRepair, ecp.CommandTakeOver: ecp.FeatureRepair, ecp.CommandPutBack: ecp.FeatureRepair,
}

// illegal says which commands are legal instead now.
func illegal(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	state := string(rec.Status.State)
	if rec.Deleting {
		state += " and being deleted"
	}
	return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("a cluster that is %s cannot take %s; legal now: %s", state, kind, strings.Join(derive.KindNames(rec.Legal()), ", ")))
}

// Do takes a command; see [ecp.Cluster].
func (h handle) Do(ctx context.Context, cmd ecp.Command) (ecp.Operation, error) {
	q := change.Request{Op: string(cmd.Kind()) + " cluster " + string(h.id), Action: string(cmd.Kind()), Kind: ecp.KindCluster, Key: string(h.id), Asked: cmd, Taken: takenBy(cmd)}
	if err := h.m.beforehand(ctx, q, func(tx ecp.Tx, a ecp.Actor) (proposal, error) { return h.m.changeOf(tx, a, h.id, cmd) }); err != nil {
		return ecp.Operation{}, err
	}
	operation, err := change.Submit(ctx, h.m.Changes, q, func(w *change.Tx) (ecp.Operation, error) { return h.m.take(w, h.id, cmd) })
	if err != nil {
		return ecp.Operation{}, err
	}
	if cmd.Kind() == ecp.CommandDelete { // connections whose keys are gone are closed at once
		h.m.dropRemoved(ctx, h.id)
	}
	h.m.queue.Add(h.id)
	return operation, nil
}

// changeOf returns what of a command the platform has to be asked about.
func (m *Manager) changeOf(tx ecp.Tx, a ecp.Actor, id ecp.ID, cmd ecp.Command) (proposal, error) {
	switch cmd.(type) {
	case ecp.Update, ecp.PutBack:
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
func takenBy(cmd ecp.Command) ecp.FieldError {
	if cmd.Kind() == ecp.CommandUpdate {
		return ecp.FieldError{Field: "name", Message: "a cluster of that name is there already in the project"}
	}
	return ecp.FieldError{Field: "project", Message: "a cluster of the same name is there already in that project"}
}

// take carries a command out as far as the store is concerned.
func (m *Manager) take(w *change.Tx, id ecp.ID, cmd ecp.Command) (ecp.Operation, error) {
	rec, running, err := m.mayDo(w.Tx, w.Actor, &w.Asked.Scope, id, cmd)
	if err != nil {
		return ecp.Operation{}, err
	}
	d, err := m.decide(w.Tx, rec, cmd)
	if err != nil || d.nothing {
		return ecp.Operation{}, err
	}
	return m.begin(w, rec, d, running)
}

// begin stores what was decided of a command: what it books, the audit, its
// operation and the record.
func (m *Manager) begin(w *change.Tx, rec ecp.ClusterRecord, d decision, running *ecp.Operation) (_ ecp.Operation, err error) {
	if err := change.MayBook(w.Tx, rec.Booked(), d.rec.Booked(), w.Now); err != nil {
		return ecp.Operation{}, err
	}
	if err := change.Rebook(w.Tx, w.Actor, change.BookingOf(rec), change.BookingOf(d.rec)); err != nil {
		return ecp.Operation{}, err
	}
	if d.rec.Generation != rec.Generation && d.rec.Mode == ecp.Hosted {
		derive.NoteChange(&d.rec)
	}
	before, after := intentOf(rec), intentOf(d.rec)
	left := ""
	if d.rec.Mode == ecp.Adopted && d.rec.Force {
		left = d.rec.LimitLeft()
		after.Left = left
	}
	w.Note(string(rec.ID), rec.Project, before, after)
	if d.moves {
		w.Note(string(rec.ID), d.rec.Project, before, after)
		if err := m.depart(w, rec, running, d.rec.Project); err != nil {
			return ecp.Operation{}, err
		}
	}
	if d.rec.Mode == ecp.Adopted && d.rec.Deleting && !d.rec.OwesRelease() {
		if err := agents.RemoveAgents(w.Tx, d.rec.ID); err != nil {
			return ecp.Operation{}, err
		}
	}
	var operation ecp.Operation
	if d.kind != "" {
		operation, err = m.beginOperation(w.Tx, &d, w.Actor, rec, running)
		if err != nil {
			return ecp.Operation{}, err
		}
	}
	if left != "" { // whoever asks for force is told what it costs
		if d.kind == "" && running != nil {
			operation = running.Clone()
		}
		if operation.Note = left; operation.ID != "" {
			if err := ecp.Put(w.Tx, operation, ecp.AnyVersion); err != nil {
				return ecp.Operation{}, err
			}
		}
	}
	return operation, ecp.Put(w.Tx, d.rec, ecp.AnyVersion)
}

// intent is what of a cluster is asked for: the part that the audit tells.
type intent struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Project     string   `json:"project"`
	Mode        ecp.Mode `json:"mode"`
	Spec        ecp.Spec `json:"spec"`
	Deleting    bool     `json:"deleting"`
	// Left is what stays at the broker of an adopted cluster that is removed by force.
	Left string `json:"left,omitempty"`
}

func intentOf(r ecp.ClusterRecord) intent {
	return intent{r.Name, r.Description, r.Project, r.Mode, r.Spec, r.Deleting, ""}
}

// mayDo loads a cluster for an actor who may command it; a transfer needs the
// right on both sides. scope is told whose cluster it is, also where the
// actor is not.
func (m *Manager) mayDo(tx ecp.Tx, a ecp.Actor, scope *string, id ecp.ID, cmd ecp.Command) (ecp.ClusterRecord, *ecp.Operation, error) {
	rec, running, err := observed.LoadTx(tx, id)
	if errors.Is(err, ecp.ErrNotFound) {
		return rec, nil, observed.NoCluster("", id, nil)
	}
	if err != nil {
		return rec, nil, err
	}
	*scope = rec.Project
	err = a.Permit("", ecp.RightWrite, rec.Project)
	if errors.Is(err, ecp.ErrNotFound) {
		return rec, nil, observed.NoCluster("", id, ecp.ErrRefused)
	}
	if t, ok := cmd.(ecp.Transfer); ok && err == nil {
		err = a.PermitProject("", ecp.RightWrite, t.Project)
	}
	return rec, running, err
}

// depart lets a cluster leave its project: what it has booked in the pool, which
// is everybody's, goes with it. Its operations are those of its project, wherever
// it is; the changes of the one that runs are from now on for that project to see.
func (m *Manager) depart(w *change.Tx, rec ecp.ClusterRecord, running *ecp.Operation, to string) error {
	if err := errors.Join(m.moveProject(w.Tx, to), agents.RevokeRegistrations(w, rec)); err != nil {
		return err
	}
	if running != nil && !running.Phase.Final() {
		running.Project = to
		if err := ecp.Put(w.Tx, *running, ecp.AnyVersion); err != nil {
			return err
		}
	}
	agents, err := observed.ChildrenIn[ecp.AgentRecord](w.Tx, rec.ID)
	if err != nil {
		return err
	}
	for _, a := range agents {
		a.Project = to
		if err := ecp.Put(w.Tx, a, ecp.AnyVersion); err != nil {
			return err
		}
	}
	return ecp.Put(w.Tx, ecp.Departure{Cluster: rec.ID, Name: rec.Name, Project: rec.Project, At: w.Now}, ecp.AnyVersion)
}

// moveProject checks that a cluster can be moved to a project.
func (m *Manager) moveProject(tx ecp.Tx, project string) error {
	var wrong ecp.FieldErrors
	if err := m.checkProject(tx, &wrong, project); err != nil {
		return err
	}
	return wrong.Err("")
}

// beginOperation stores the operation of a command and lets it take over from
// one that is running.
func (m *Manager) beginOperation(tx ecp.Tx, d *decision, actor ecp.Actor, before ecp.ClusterRecord, running *ecp.Operation) (ecp.Operation, error) {
	if d.rec.Mode == ecp.Hosted && d.kind != ecp.OpDelete && d.kind != ecp.OpTakeOver && !d.rec.Status.KeepOutdated {
		if p, err := m.observed.Provisioner(d.rec); err == nil {
			d.rec.Status.RenderVersion = derive.NewestRender(p)
		}
	}
	o := m.newOperation(d.rec, d.kind, actor, d.patience)
	o.From, o.Steps = before.Generation, derive.NewSteps(derive.StepsOf(d.kind, before, d.rec))
	if running != nil && !running.Phase.Final() {
		running.Phase, running.EndedAt, running.SupersededBy = d.ends, m.observed.Now().UTC(), o.ID
		if err := ecp.Put(tx, *running, ecp.AnyVersion); err != nil {
			return ecp.Operation{}, err
		}
	}
	d.rec.Status.Operation, d.rec.Status.Before, d.rec.Status.RepairOf = o.ID, nil, ""
	if d.kind == ecp.OpRepair {
		d.rec.Status.RepairOf = d.from
	}
	if d.kind != ecp.OpTakeOver {
		d.rec.Status.KeepVolumes = false
	}
	if l := d.rec.Status.Leaving; l != nil { // it has its time anew
		l.Since, l.GivenUp = d.rec.UpdatedAt, false
	}
	if _, ok := waysBack[d.kind]; ok {
		was := before.Clone()
		d.rec.Status.Before = &ecp.Wanted{Spec: was.Spec, Resolved: was.Resolved}
	}
	if err := ecp.Put(tx, o, 0); err != nil {
		return ecp.Operation{}, err
	}
	return o, m.pruneOperations(tx, o.Cluster)
}

func (m *Manager) newOperation(rec ecp.ClusterRecord, kind ecp.OperationKind, actor ecp.Actor, patience time.Duration) ecp.Operation {
	now := m.observed.Now().UTC()
	return ecp.Operation{
		ID: newOperationID(), Cluster: rec.ID, Project: rec.Project, Kind: kind, Actor: actor.Name, User: actor.User(), Generation: rec.Generation,
		Phase: ecp.PhaseQueued, Steps: derive.NewSteps(derive.OperationSteps[kind]), Deadline: now.Add(patience), CreatedAt: now,
	}
}

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
		if err := change.MayBook(tx, rec.Booked(), d.rec.Booked(), h.m.observed.Now()); err != nil {
			return err
		}
		if err := change.MayRebook(tx, actor, change.BookingOf(rec), change.BookingOf(d.rec)); err != nil {
			return err
		}
		if d.moves {
			if err := h.m.moveProject(tx, d.rec.Project); err != nil {
				return err
			}
		}
		plan = ecp.Plan{Command: cmd.Kind(), From: d.from, To: d.to, Nothing: d.nothing, Steps: derive.StepNames(derive.StepsOf(d.kind, rec, d.rec)), Notes: slices.Concat(d.notes, limitNotes(rec, d), volumeNotes(rec, d), notes(h.m.observed.Timings, h.m.observed.Info(rec), d, h.m.observed.Outdated(rec.ID)), h.m.surplusNotes(rec, d))}
		planned = changeBy(rec, d)
		return nil
	})
	if err == nil {
		err = h.m.addForesight(ctx, &plan, planned)
	}
	if err != nil {
		return ecp.Plan{}, ecp.WrapError(op, err, "", "")
	}
	return plan, nil
}
