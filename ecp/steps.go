package ecp

import (
	"cmp"
	"fmt"
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
	stepObjects  = stepRow{"objects", appliedObjects}
	stepNodes    = stepRow{"nodes", func(v view) (int, int) { return min(len(v.ready), v.want), v.want }}
	stepMembers  = stepRow{"members", joinedMembers}
	stepReplaced = stepRow{"nodes-replaced", nodesReplaced}
	stepSurplus  = stepRow{"surplus-gone", func(v view) (int, int) {
		if v.want == 0 { // they leave at the next start
			return 0, 0
		}
		return truth(ordinalsOf(v.rec) <= v.rec.Spec.Hosted.Nodes && v.rec.Status.Removing == 0), 1
	}}
	stepNodesGone   = stepRow{"nodes-gone", nodesGone}
	stepObjectsGone = stepRow{"objects-gone", func(v view) (int, int) { return truth(v.absent()), 1 }}
)

// operationSteps are the steps of each kind of operation, in order.
var operationSteps = map[OperationKind][]stepRow{
	OpCreate:   {stepObjects, stepNodes, stepMembers},
	OpStart:    {stepObjects, stepNodes, stepMembers},
	OpRestart:  {stepObjects, stepReplaced, stepNodes, stepMembers},
	OpUpdate:   {stepObjects, stepSurplus, stepReplaced, stepNodes, stepMembers},
	OpRepair:   {stepObjects, stepNodes, stepMembers},
	OpTakeOver: {stepObjects, stepNodes, stepMembers},
	OpPutBack:  {stepObjects, stepSurplus, stepReplaced, stepNodes, stepMembers},
	OpStop:     {stepObjects, stepNodesGone},
	OpDelete:   {stepNodesGone, stepObjectsGone},
}

// What deleting an adopted cluster takes: what it has booked is given back, and before
// that the limit of its broker, where one was set.
var (
	quotaReleased = stepRow{name: "quota-released"}
	limitReleased = stepRow{name: "limit-released"}
)

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
func newSteps(rows []stepRow) []Step {
	out := make([]Step, len(rows))
	for i, r := range rows {
		out[i] = Step{Name: r.name}
	}
	return out
}

// progressOf tells how far a step is; nil for one that operations of the kind do
// not have.
func progressOf(kind OperationKind, name string) func(view) (done, total int) {
	for _, r := range operationSteps[kind] {
		if r.name == name {
			return r.progress
		}
	}
	return nil
}

// stepsKnown reports whether an operation has the steps of its kind, of which
// changes may have fewer.
func stepsKnown(o Operation) bool {
	if len(o.Steps) == 0 || o.Kind != OpUpdate && len(o.Steps) != len(operationSteps[o.Kind]) {
		return false
	}
	return !slices.ContainsFunc(o.Steps, func(s Step) bool { return progressOf(o.Kind, s.Name) == nil })
}

// stepsOf are the steps that a change needs: one that replaces no node, or lets
// none go, has no step for that, and where no node runs only objects change.
func stepsOf(kind OperationKind, before, after ClusterRecord) []stepRow {
	rows := operationSteps[kind]
	switch {
	case after.Mode == Adopted && kind == OpUpdate:
		return limitSteps
	case after.owesRelease():
		return []stepRow{limitReleased, quotaReleased}
	case after.Mode == Adopted && kind == OpDelete:
		return []stepRow{quotaReleased}
	case after.Mode == Adopted:
		return nil
	}
	if kind != OpUpdate {
		return rows
	}
	if wantedNodes(after) == 0 {
		return []stepRow{stepObjects}
	}
	needless := map[string]bool{
		stepSurplus.name:  ordinalsOf(before) <= after.Spec.Hosted.Nodes && before.Status.Removing == 0,
		stepReplaced.name: !replaces(kind, before, after),
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r stepRow) bool { return needless[r.name] })
}

// stepNames names the steps of an operation, for plans.
func stepNames(rows []stepRow) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.name)
	}
	return out
}

// succeeds says in which states an operation has done what it is for.
var succeeds = map[OperationKind][]State{
	OpCreate:   {Running, Stopped},
	OpStart:    {Running},
	OpRestart:  {Running},
	OpUpdate:   {Running, Stopped},
	OpRepair:   {Running, Stopped},
	OpTakeOver: {Running, Stopped},
	OpPutBack:  {Running, Stopped},
	OpStop:     {Stopped},
	OpDelete:   {Gone},
}

// phaseIn is where an operation stands with its cluster in a state. Every
// operation ends in every state that the cluster can stay in. Only deletion is
// never given up: it does not fail.
func phaseIn(kind OperationKind, s State) Phase {
	switch {
	case slices.Contains(succeeds[kind], s):
		return PhaseSucceeded
	case s.Unsteady(), kind == OpDelete:
		return PhaseRunning
	}
	return PhaseFailed
}

// finish gives the operation after a look: its steps as found, and its end
// where the cluster's state says so.
func finish(now time.Time, rec ClusterRecord, op *Operation, look Look) *Operation {
	if op == nil || op.Phase.Final() {
		return nil
	}
	o := op.Clone()
	if !stepsKnown(o) { // stored by another build
		o.Steps = newSteps(operationSteps[o.Kind])
	}
	if look.Unseen == "" {
		v := newView(now, rec, look)
		for i, s := range o.Steps {
			o.Steps[i].Done, o.Steps[i].Total = progressOf(o.Kind, s.Name)(v)
		}
	}
	o.Error = ""
	if look.Failure != nil {
		o.Error = MessageOf(look.Failure)
	}
	o.Phase = phaseIn(o.Kind, rec.Status.State)
	if o.Phase.Final() {
		o.EndedAt = now
	}
	switch {
	case o.Phase == PhaseSucceeded:
		o.Error = ""
	case o.Phase == PhaseFailed, rec.Status.State == Abnormal:
		o.Error = cmp.Or(rec.Status.Message, fmt.Sprintf("the cluster is %s, where a %s does not lead", rec.Status.State, o.Kind))
	}
	return &o
}

func sameOperation(a, b Operation) bool {
	return a.Phase == b.Phase && a.Error == b.Error && a.Deadline.Equal(b.Deadline) && slices.Equal(a.Evacuated, b.Evacuated) && slices.EqualFunc(a.Steps, b.Steps, func(x, y Step) bool {
		return x.Name == y.Name && x.Done == y.Done && x.Total == y.Total
	})
}
