package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// handle is the Manager's Cluster.
type handle struct {
	m  *Manager
	id ecp.ID
}

// Cluster returns the handle of a cluster, without asking whether there is one.
func (m *Manager) Cluster(id ecp.ID) ecp.Cluster { return handle{m, id} }

func (h handle) ID() ecp.ID { return h.id }

// Do takes a command; see [ecp.Cluster].
func (h handle) Do(ctx context.Context, cmd ecp.Command) (ecp.Operation, error) {
	q := change.Request{
		Op:     string(cmd.Kind()) + " cluster " + string(h.id),
		Action: string(cmd.Kind()),
		Kind:   ecp.KindCluster,
		Key:    string(h.id),
		Asked:  cmd,
		Taken:  takenBy(cmd),
	}
	cmd, _, unread := h.m.readDrift(ctx, h.id, cmd, q)
	if err := h.m.beforehand(ctx, q,
		func(tx ecp.Tx, a ecp.Actor) (proposal, error) { return h.m.changeOf(tx, a, h.id, cmd) }); err != nil {
		return ecp.Operation{}, err
	}
	operation, err := change.Submit(ctx, h.m.Changes, q, func(w *change.Tx) (ecp.Operation, error) {
		if unread != nil {
			return ecp.Operation{}, unread
		}
		return h.m.take(ctx, w, h.id, cmd)
	})
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
func (m *Manager) take(ctx context.Context, w *change.Tx, id ecp.ID, cmd ecp.Command) (ecp.Operation, error) {
	rec, running, err := m.mayDo(w.Tx, w.Actor, &w.Asked.Scope, id, cmd)
	if err != nil {
		return ecp.Operation{}, err
	}
	d, err := m.decide(w.Tx, rec, cmd)
	if err == nil && ecp.PlanFrom(ctx) != "" {
		err = asPlanned(ctx, m.planOf(rec, d, cmd).Hash)
	}
	if err != nil || d.nothing {
		return ecp.Operation{}, err
	}
	return m.begin(w, rec, d, running)
}

// mayDo loads a cluster for an actor who may command it; a transfer needs the
// right on both sides. scope is told whose cluster it is, also where the
// actor is not.
func (m *Manager) mayDo(
	tx ecp.Tx, a ecp.Actor, scope *string, id ecp.ID, cmd ecp.Command,
) (ecp.ClusterRecord, *ecp.Operation, error) {
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
		return rec, nil, observed.NoCluster("", id, ecp.ErrNoRight)
	}
	if t, ok := cmd.(ecp.Transfer); ok && err == nil {
		err = permitProject(a, "", ecp.RightWrite, t.Project)
	}
	return rec, running, err
}

// decision is what a command does to a record: pure, so that Plan and Do agree.
type decision struct {
	from, to ecp.State
	nothing  bool
	kind     ecp.OperationKind // "" = no operation is needed
	patience time.Duration
	rec      ecp.ClusterRecord // as it is stored
	moves    bool              // to another project
	goesBack bool              // to what was wanted before, and how that was made
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
	// a name or a description can always be changed
	if u, ok := cmd.(ecp.Update); ok && u.Spec == nil && u.Patch == nil && !rec.Deleting {
		next, verdict = rec.Status.State, ecp.Stays
	}
	switch verdict {
	case ecp.Illegal:
		return d, illegal(rec, cmd.Kind())
	case ecp.Holds:
		d.to, d.nothing, d.rec = d.from, true, rec
		if cmd.Kind() == ecp.CommandStop && rec.Status.Sleep.Asleep { // from now on it is a person who has stopped it
			d.nothing, d.rec.Status.Sleep.Asleep = false, false
			d.rec.Revision, d.rec.UpdatedAt = rec.Revision+1, m.observed.Now().UTC()
		}
		return d, nil
	case ecp.Moves, ecp.Stays:
	}
	if err := m.repairExpels(rec, cmd.Kind()); err != nil {
		return d, err
	}
	if err := m.repairHelps(rec, cmd); err != nil {
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
		derive.RememberFormer(&rec.Status, old.Spec.Hosted.Config, rec.Spec.Hosted.Config)
	}
	if d.kind == "" && cmd.Kind() == ecp.CommandUpdate { // nothing that nodes would notice
		next = rec.Status.State
	}
	if next == ecp.Updating && derive.WantedNodes(rec) == 0 { // no node runs: there is nothing to roll out
		next = ecp.Stopping
	}
	derive.SettleSleep(&rec)
	if d.kind != "" && d.kind != ecp.OpTakeOver && rec.Mode == ecp.Hosted {
		rec.Status.KeepOutdated = !derive.ReplacesOutdated(d.kind, old, rec)
		rec.Status.InWindows = derive.ReplacesInWindows(d.kind, nowOf(cmd), d.goesBack, old, rec)
	}
	if next != rec.Status.State {
		rec.Status.State, rec.Status.Since = next, rec.UpdatedAt
		rec.Status.Reason, rec.Status.Message = ecp.ReasonByRequest, ""
		rec.Status.Deadline = deadlineFrom(rec, d.patience)
	} else if more := deadlineFrom(rec, d.patience); d.kind == ecp.OpUpdate && !rec.Status.Deadline.IsZero() &&
		derive.WantedNodes(rec) > 0 && more.After(rec.Status.Deadline) {
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
	case tellAgain:
		return c.revision
	case scheduled:
		return c.revision
	}
	return 0
}

// nowOf reports whether a command waits for no maintenance window.
func nowOf(cmd ecp.Command) bool {
	switch c := cmd.(type) {
	case ecp.Restart:
		return c.Now
	case ecp.Update:
		return c.Now
	}
	return false
}

// deadlineFrom returns the deadline of a task that begins now. Its time does not run while the
// cluster cannot be observed, while another program holds the platform, or while only a
// maintenance window is waited for; then the deadline counts from the moment at which the time stopped.
func deadlineFrom(rec ecp.ClusterRecord, patience time.Duration) time.Time {
	for _, still := range []time.Time{rec.Status.StaleFrom, rec.Status.WaitingFrom, rec.Status.WindowFrom} {
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
		derive.SetConnections(rec, *rec)
		rec.Generation++
		d.kind, d.patience = ecp.OpStart, m.observed.Timings.Start+derive.DrainTime(*rec)
	case ecp.Stop:
		rec.Spec.Hosted.Power = ecp.PowerOff
		rec.Generation++
		d.kind, d.patience = ecp.OpStop, m.observed.Timings.Stop
	case ecp.Repair:
		found, seen := m.observed.Found(rec.ID)
		derive.AcceptLoss(rec, found, seen)
		rec.Status.Abandoned = derive.AbandonedBy(c, found)
		rec.Generation++
		d.kind, d.patience = ecp.OpRepair, m.observed.Timings.Create+derive.DrainTime(*rec)
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
	case tellAgain:
		m.carryTellAgain(d, rec, c)
	case scheduled:
		rec.Status.Sleep.Handled, rec.Status.Sleep.Asleep = c.due, c.kind == ecp.CommandStop
		if c.kind == ecp.CommandStop {
			return m.carry(tx, d, rec, ecp.Stop{})
		}
		return m.carry(tx, d, rec, ecp.Start{})
	case ecp.Restart:
		if derive.WantedNodes(*rec) == 0 {
			return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("a cluster that is %s and powered off has no nodes "+
				"to restart; stop takes away those that are left, start brings it up", rec.Status.State))
		}
		rec.Restarts++
		derive.SetConnections(rec, *rec)
		rec.Generation++
		d.kind, d.patience = ecp.OpRestart, m.observed.Timings.Create+
			time.Duration(derive.MostNodes(*rec, *rec))*derive.DrainDeadline(rec.Spec.Hosted.Evacuation)
	default:
		return ecp.NewError(ecp.CodeInvalid, "", fmt.Sprintf("%T is not a command of this package", cmd))
	}
	return nil
}
