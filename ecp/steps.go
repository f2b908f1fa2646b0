package ecp

import (
	"slices"
	"time"
)

// stepRow is one step of an operation: its name and how much of it is done, as
// found. Nothing is remembered between looks.
type stepRow struct {
	name     string
	progress func(v view) (done, total int)
}

var (
	stepObjects     = stepRow{"objects", appliedObjects}
	stepNodes       = stepRow{"nodes", func(v view) (int, int) { return min(len(v.ready), v.want), v.want }}
	stepMembers     = stepRow{"members", joinedMembers}
	stepReplaced    = stepRow{"nodes-replaced", nodesReplaced}
	stepSurplus     = stepRow{"surplus-gone", func(v view) (int, int) { return truth(ordinalsOf(v.rec) <= v.rec.Spec.Hosted.Nodes), 1 }}
	stepNodesGone   = stepRow{"nodes-gone", nodesGone}
	stepObjectsGone = stepRow{"objects-gone", func(v view) (int, int) { return truth(v.absent()), 1 }}
)

// operationSteps are the steps of each kind of operation, in order.
var operationSteps = map[OperationKind][]stepRow{
	OpCreate:  {stepObjects, stepNodes, stepMembers},
	OpStart:   {stepObjects, stepNodes, stepMembers},
	OpRestart: {stepObjects, stepReplaced, stepNodes, stepMembers},
	OpUpdate:  {stepObjects, stepSurplus, stepReplaced, stepNodes, stepMembers},
	OpRepair:  {stepObjects, stepNodes, stepMembers},
	OpStop:    {stepObjects, stepNodesGone},
	OpDelete:  {stepNodesGone, stepObjectsGone},
}

func appliedObjects(v view) (int, int) { return truth(v.rec.Status.Applied == v.rec.Generation), 1 }

func nodesReplaced(v view) (int, int) {
	done := 0
	for _, n := range v.ready {
		if (!n.Outdated || !v.replaces()) && n.Ordinal < v.want {
			done++
		}
	}
	return done, v.want
}

func joinedMembers(v view) (int, int) {
	if len(v.look.Views) == 0 {
		return 0, v.want
	}
	return min(len(v.ready)-len(v.missing()), v.want), v.want
}

func nodesGone(v view) (int, int) {
	total := max(v.rec.Spec.Hosted.Nodes, len(v.look.Found.Nodes))
	return total - len(v.look.Found.Nodes), total
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// newSteps are an operation's steps before anything was looked at.
func newSteps(kind OperationKind) []Step {
	rows := operationSteps[kind]
	out := make([]Step, len(rows))
	for i, r := range rows {
		out[i] = Step{Name: r.name}
	}
	return out
}

// stepNames names the steps of an operation, for plans.
func stepNames(kind OperationKind) []string {
	var out []string
	for _, r := range operationSteps[kind] {
		out = append(out, r.name)
	}
	return out
}

// ends says in which states an operation has succeeded and failed. Deletion
// is never given up: it does not fail.
var ends = map[OperationKind]struct{ succeeded, failed []State }{
	OpCreate:  {[]State{Running, Stopped}, []State{Abnormal, Nonexistent}},
	OpStart:   {[]State{Running}, []State{Abnormal}},
	OpRestart: {[]State{Running}, []State{Abnormal}},
	OpUpdate:  {[]State{Running, Stopped}, []State{Abnormal, Nonexistent}},
	OpRepair:  {[]State{Running, Stopped}, []State{Abnormal, Degraded, Nonexistent}},
	OpStop:    {[]State{Stopped}, []State{Abnormal}},
	OpDelete:  {[]State{Gone}, nil},
}

// finish gives the operation after a look: its steps as found, and its end
// where the cluster's state says so.
func finish(now time.Time, rec ClusterRecord, op *Operation, look Look) *Operation {
	if op == nil || op.Phase.Final() {
		return nil
	}
	o := op.Clone()
	o.Phase = PhaseRunning
	if len(o.Steps) != len(operationSteps[o.Kind]) { // stored by another build
		o.Steps = newSteps(o.Kind)
	}
	if look.Unseen == "" {
		v := newView(now, rec, look)
		for i, row := range operationSteps[o.Kind] {
			done, total := row.progress(v)
			o.Steps[i].Done, o.Steps[i].Total = done, total
		}
	}
	o.Error = ""
	if look.Failure != nil {
		o.Error = MessageOf(look.Failure)
	}
	end := ends[o.Kind]
	switch {
	case slices.Contains(end.succeeded, rec.Status.State):
		o.Phase, o.EndedAt, o.Error = PhaseSucceeded, now, ""
	case slices.Contains(end.failed, rec.Status.State):
		o.Phase, o.EndedAt, o.Error = PhaseFailed, now, rec.Status.Message
	case rec.Status.State == Abnormal:
		o.Error = rec.Status.Message
	}
	return &o
}

func sameOperation(a, b Operation) bool {
	return a.Phase == b.Phase && a.Error == b.Error && a.Deadline.Equal(b.Deadline) && slices.EqualFunc(a.Steps, b.Steps, func(x, y Step) bool {
		return x.Name == y.Name && x.Done == y.Done && x.Total == y.Total
	})
}
