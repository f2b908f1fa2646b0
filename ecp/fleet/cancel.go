package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// waysBack are the commands that lead back to what was wanted before an
// operation, from wherever it has come to; nil = the same is wanted now. Kinds
// that are not in it have no way back.
var waysBack = map[ecp.OperationKind]func(before ecp.PreviousSpec) ecp.Command{
	ecp.OpStart:  func(before ecp.PreviousSpec) ecp.Command { return backTo(before, ecp.PowerOff, ecp.Stop{}) },
	ecp.OpStop:   func(before ecp.PreviousSpec) ecp.Command { return backTo(before, ecp.PowerOn, ecp.Start{}) },
	ecp.OpUpdate: func(before ecp.PreviousSpec) ecp.Command { return goBack{before} },
}

// goBack is an update to what was wanted at an earlier time, whatever the
// catalogues say by now.
type goBack struct{ to ecp.PreviousSpec }

// Kind names the command.
func (goBack) Kind() ecp.CommandKind { return ecp.CommandUpdate }

func (m *Manager) carryBack(d *decision, rec *ecp.ClusterRecord, c goBack) {
	before := rec.Clone()
	if rec.Mode == ecp.Adopted {
		rec.Spec.Adopted.Connections = c.to.Spec.Connections()
		m.beginLimit(d, rec)
		return
	}
	rec.Spec, rec.Resolved, d.goesBack = c.to.Spec.Clone(), c.to.Resolved, true
	rec.Spec.Hosted.Hibernation = before.Spec.Hosted.Hibernation // no operation changes schedules
	rec.Spec.Hosted.Maintenance = before.Spec.Hosted.Maintenance
	if c.to.RenderVersion > 0 {
		rec.Status.RenderVersion, rec.Status.RunTimeConfig = c.to.RenderVersion, c.to.RunTimeConfig
	}
	rec.Generation++
	m.changeNodes(d, rec, before)
}

// backTo returns the command c, which leads to the power, if that power was wanted before;
// otherwise nil.
func backTo(before ecp.PreviousSpec, power ecp.Power, c ecp.Command) ecp.Command {
	if before.Spec.Hosted.Power != power {
		return nil
	}
	return c
}

// noWayBack says what to do instead about an operation that cannot be taken back.
var noWayBack = map[ecp.OperationKind]string{
	ecp.OpCreate:   "there was nothing before it; delete removes the cluster, stop takes its nodes away",
	ecp.OpRestart:  "nodes that were replaced cannot be had back; a change or stop takes over from it",
	ecp.OpRepair:   "it has accepted what was lost; delete removes the cluster, stop takes its nodes away",
	ecp.OpTakeOver: "what is there is what counts now; a change or stop takes over from it",
	ecp.OpPutBack:  "what was there is not recorded any more; a change or stop takes over from it",
	ecp.OpDelete:   "a deletion is never taken back: data may have gone already",
}

// CancelOperation ends an operation that has not ended: the cluster goes back
// to what was wanted before it, from wherever it is. That is an operation of
// its own, which is given back; the cancelled one names it. What is cancelled
// already stays so, and is itself given back. Conflict where the operation has
// ended otherwise, or where there is no way back; the message says what to do
// instead.
func (m *Manager) CancelOperation(ctx context.Context, id ecp.OperationID) (ecp.Operation, error) {
	q := change.Request{
		Op:     "cancel operation " + string(id),
		Action: "cancel",
		Kind:   ecp.KindOperation,
		Key:    string(id),
		Asked:  id,
	}
	out, err := change.Submit(ctx, m.Changes, q,
		func(w *change.Tx) (ecp.Operation, error) { return m.cancelOperation(w, id) })
	if err != nil {
		return ecp.Operation{}, err
	}
	m.queue.Add(out.Cluster)
	return out, nil
}

func (m *Manager) cancelOperation(w *change.Tx, id ecp.OperationID) (ecp.Operation, error) {
	o, err := operationOf(w.Tx, id)
	if err == nil {
		w.Asked.Scope = o.Project
		err = w.Permit(ecp.RightWrite, o.Project)
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return ecp.Operation{}, &ecp.Error{
			Code:    ecp.CodeNotFound,
			Message: fmt.Sprintf("there is no operation %q", id),
			Cause:   errors.Unwrap(err),
		}
	}
	if err != nil || o.Phase == ecp.PhaseCancelled {
		return o, err
	}
	if o.Phase.Final() {
		return o, ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("it has ended already: it is %s", o.Phase))
	}
	rec, running, err := observed.LoadTx(w.Tx, o.Cluster)
	if err != nil {
		return o, err
	}
	way := waysBack[o.Kind]
	if way == nil || rec.Status.Previous == nil {
		return o, ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("a %s has no way back: %s", o.Kind,
			cmp.Or(noWayBack[o.Kind], "it was begun by another build; a new change takes over from it")))
	}
	back := way(*rec.Status.Previous)
	same := rec.Mode == ecp.Hosted && len(derive.ChangedFields(rec.Spec, rec.Status.Previous.Spec)) == 0
	if back == nil || o.Kind == ecp.OpUpdate && same {
		return o, ecp.NewError(ecp.CodeConflict, "",
			fmt.Sprintf("the %s has changed nothing that was wanted, so there is nothing to go back to", o.Kind))
	}
	if rec.Mode == ecp.Hosted && o.Kind == ecp.OpUpdate {
		if why := catalog.MayBecome(rec.Resolved.Image.Version, rec.Status.Previous.Resolved.Image.Version,
			derive.MostNodes(rec, rec)); why != "" {
			return o, ecp.NewError(ecp.CodeConflict, "", why+"; some nodes may run it already")
		}
	}
	d, err := m.decide(w.Tx, rec, back)
	if err != nil {
		return o, err
	}
	d.ends = ecp.PhaseCancelled
	w.Asked.Kind, w.Asked.Key = ecp.KindCluster, string(o.Cluster)
	return m.begin(w, rec, d, running)
}
