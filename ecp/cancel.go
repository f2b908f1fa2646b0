package ecp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// waysBack are the commands that lead back to what was wanted before an
// operation, from wherever it has come to; nil = the same is wanted now. Kinds
// that are not in it have no way back.
var waysBack = map[OperationKind]func(before Wanted) Command{
	OpStart:  func(before Wanted) Command { return backTo(before, PowerOff, Stop{}) },
	OpStop:   func(before Wanted) Command { return backTo(before, PowerOn, Start{}) },
	OpUpdate: func(before Wanted) Command { return goBack{before} },
}

// goBack is an update to what was wanted at an earlier time, whatever the
// catalogues say by now.
type goBack struct{ to Wanted }

// Kind names the command.
func (goBack) Kind() CommandKind { return CommandUpdate }

func (m *Manager) carryBack(d *decision, rec *ClusterRecord, c goBack) {
	before := rec.Clone()
	if rec.Mode == Adopted {
		rec.Spec.Adopted.Connections = c.to.Spec.Connections()
		m.beginLimit(d, rec)
		return
	}
	rec.Spec, rec.Resolved = c.to.Spec, c.to.Resolved
	rec.Generation++
	m.changeNodes(d, rec, before)
}

// backTo gives a command that leads to the power, if that was wanted before.
func backTo(before Wanted, power Power, c Command) Command {
	if before.Spec.Hosted.Power != power {
		return nil
	}
	return c
}

// noWayBack says what to do instead about an operation that cannot be taken back.
var noWayBack = map[OperationKind]string{
	OpCreate:   "there was nothing before it; delete removes the cluster, stop takes its nodes away",
	OpRestart:  "nodes that were replaced cannot be had back; a change or stop takes over from it",
	OpRepair:   "it has accepted what was lost; delete removes the cluster, stop takes its nodes away",
	OpTakeOver: "what is there is what counts now; a change or stop takes over from it",
	OpPutBack:  "what was there is not recorded any more; a change or stop takes over from it",
	OpDelete:   "a deletion is never taken back: data may have gone already",
}

// CancelOperation ends an operation that has not ended: the cluster goes back
// to what was wanted before it, from wherever it is. That is an operation of
// its own, which is given back; the cancelled one names it. What is cancelled
// already stays so, and is itself given back. Conflict where the operation has
// ended otherwise, or where there is no way back; the message says what to do
// instead.
func (m *Manager) CancelOperation(ctx context.Context, id OperationID) (Operation, error) {
	q := request{op: "cancel operation " + string(id), action: "cancel", kind: KindOperation, key: string(id), asked: id}
	out, err := submit(ctx, m.Writer, q, func(w *work) (Operation, error) { return m.cancelOperation(w, id) })
	if err != nil {
		return Operation{}, err
	}
	m.queue.add(out.Cluster)
	return out, nil
}

func (m *Manager) cancelOperation(w *work, id OperationID) (Operation, error) {
	o, err := operationOf(w.Tx, id)
	if err == nil {
		w.asked.scope = o.Project
		err = w.permit(RightWrite, o.Project)
	}
	if errors.Is(err, ErrNotFound) {
		return Operation{}, &Error{Code: CodeNotFound, Message: fmt.Sprintf("there is no operation %q", id), Cause: errors.Unwrap(err)}
	}
	if err != nil || o.Phase == PhaseCancelled {
		return o, err
	}
	if o.Phase.Final() {
		return o, fail(CodeConflict, "", fmt.Sprintf("it has ended already: it is %s", o.Phase))
	}
	rec, running, err := loadTx(w.Tx, o.Cluster)
	if err != nil {
		return o, err
	}
	way := waysBack[o.Kind]
	if way == nil || rec.Status.Before == nil {
		return o, fail(CodeConflict, "", fmt.Sprintf("a %s has no way back: %s", o.Kind, cmp.Or(noWayBack[o.Kind], "it was begun by another build; a new change takes over from it")))
	}
	back := way(*rec.Status.Before)
	if back == nil {
		return o, fail(CodeConflict, "", fmt.Sprintf("the %s has changed nothing that was wanted, so there is nothing to go back to", o.Kind))
	}
	if rec.Mode == Hosted && o.Kind == OpUpdate {
		if why := mayBecome(rec.Resolved.Image.Version, rec.Status.Before.Resolved.Image.Version, ordinalsOf(rec)); why != "" {
			return o, fail(CodeConflict, "", why+"; some nodes may run it already")
		}
	}
	d, err := m.decide(w.Tx, rec, back)
	if err != nil {
		return o, err
	}
	d.ends = PhaseCancelled
	w.asked.kind, w.asked.key = KindCluster, string(o.Cluster)
	return m.begin(w, rec, d, running)
}
