package derive

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// StepRow is one step of an operation: its name and how much of it is done, as
// found. Nothing is remembered between looks.
type StepRow struct {
	name     string
	progress func(v View) (done, total int)
}

var (
	stepObjects = StepRow{"objects", appliedObjects}
	stepNodes   = StepRow{"nodes", func(v View) (int, int) { return v.All() - v.away(), v.All() }}
	stepMembers = StepRow{"members", joinedMembers}
	stepWindow  = StepRow{"maintenance-window", func(v View) (int, int) {
		return OneIf(v.Rec.Status.Applied == v.Rec.Generation && v.Opens().IsZero()), 1
	}}
	stepReplaced = StepRow{"nodes-replaced", nodesReplaced}
	stepResized  = StepRow{"nodes-resized", nodesReplaced} // whichever way each of them got its size
	stepSurplus  = StepRow{"surplus-gone", func(v View) (int, int) {
		if v.Want == 0 { // they leave at the next start
			return 0, 0
		}
		gone := !v.group(ecp.RoleCore).surplus() && !v.group(ecp.RoleReplicant).surplus()
		return OneIf(gone && v.Rec.Status.Removing == 0), 1
	}}
	stepStopped     = StepRow{"nodes-stopped", stopped}
	stepLimit       = StepRow{"limit-set", func(v View) (int, int) { return OneIf(v.Want == 0 || v.Limited()), 1 }}
	stepSettings    = StepRow{"settings-set", func(v View) (int, int) { return OneIf(v.Told()), 1 }}
	stepNodesGone   = StepRow{"nodes-gone", nodesGone}
	stepObjectsGone = StepRow{"objects-gone", func(v View) (int, int) { return OneIf(v.absent()), 1 }}
)

// OperationSteps are the steps of each kind of operation, in order.
var OperationSteps = map[ecp.OperationKind][]StepRow{
	ecp.OpCreate:  {stepObjects, stepNodes, stepMembers},
	ecp.OpStart:   {stepObjects, stepNodes, stepMembers},
	ecp.OpRestart: {stepObjects, stepWindow, stepReplaced, stepNodes, stepMembers},
	ecp.OpUpdate: {stepSettings, stepObjects, stepSurplus, stepWindow, stepReplaced, stepResized, stepNodes,
		stepMembers, stepLimit},
	ecp.OpRepair:   {stepStopped, stepObjects, stepNodes, stepMembers},
	ecp.OpTakeOver: {stepObjects, stepNodes, stepMembers},
	ecp.OpPutBack:  {stepObjects, stepSurplus, stepReplaced, stepNodes, stepMembers},
	ecp.OpStop:     {stepObjects, stepNodesGone},
	ecp.OpDelete:   {stepNodesGone, stepObjectsGone},
}

// What deleting an adopted cluster takes: what it has booked is given back, and before
// that the limit of its broker, where one was set.
var (
	quotaReleased = StepRow{name: "quota-released"}
	limitReleased = StepRow{name: "limit-released"}
)

// limitSteps are the steps of an operation that sets the limit of an adopted cluster.
var limitSteps = []StepRow{{name: "limit-read"}, {name: "limit-set"}, {name: "limit-verified"}}

func appliedObjects(v View) (int, int) { return OneIf(v.Rec.Status.Applied == v.Rec.Generation), 1 }

func nodesReplaced(v View) (int, int) {
	done := 0
	for _, n := range v.Ready {
		if (!n.Outdated || !v.replaces()) && n.Ordinal < v.wantOf(n.Role) {
			done++
		}
	}
	return done, v.All()
}

func joinedMembers(v View) (int, int) {
	if len(v.Snapshot.Views) == 0 {
		return 0, v.All()
	}
	return min(len(v.Ready)-len(v.MissingMembers()), v.All()), v.All()
}

func nodesGone(v View) (int, int) {
	total := max(v.Rec.Spec.Hosted.AllNodes(), len(v.Snapshot.Found.Nodes))
	return total - len(v.Snapshot.Found.Nodes), total
}

func OneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// StepsDone marks the first steps as done.
func StepsDone(o *ecp.Operation, n int) {
	for i := range o.Steps {
		o.Steps[i].Done, o.Steps[i].Total = OneIf(i < n), 1
	}
}

// NewSteps are an operation's steps before anything was observed.
func NewSteps(rows []StepRow) []ecp.Step {
	out := make([]ecp.Step, len(rows))
	for i, r := range rows {
		out[i] = ecp.Step{Name: r.name}
	}
	return out
}

// progressOf tells how far a step is; nil for one that operations of the kind do
// not have.
func progressOf(kind ecp.OperationKind, name string) func(View) (done, total int) {
	for _, r := range OperationSteps[kind] {
		if r.name == name {
			return r.progress
		}
	}
	return nil
}

// stepsKnown reports whether an operation has the steps of its kind, of which
// changes, restarts and repairs may have fewer.
func stepsKnown(o ecp.Operation) bool {
	fewer := o.Kind == ecp.OpUpdate || o.Kind == ecp.OpRestart || o.Kind == ecp.OpRepair
	if len(o.Steps) == 0 || !fewer && len(o.Steps) != len(OperationSteps[o.Kind]) {
		return false
	}
	return !slices.ContainsFunc(o.Steps, func(s ecp.Step) bool { return progressOf(o.Kind, s.Name) == nil })
}

// StepsOf are the steps that a change needs: one that replaces no node, or lets
// none go, has no step for that, and where no node runs only objects change.
func StepsOf(kind ecp.OperationKind, before, after ecp.ClusterRecord) []StepRow {
	rows := OperationSteps[kind]
	switch {
	case after.Mode == ecp.Adopted && kind == ecp.OpUpdate:
		return limitSteps
	case after.OwesRelease():
		return []StepRow{limitReleased, quotaReleased}
	case after.Mode == ecp.Adopted && kind == ecp.OpDelete:
		return []StepRow{quotaReleased}
	case after.Mode == ecp.Adopted:
		return nil
	}
	if kind == ecp.OpRestart && !after.Status.InWindows {
		return slices.DeleteFunc(slices.Clone(rows), func(r StepRow) bool { return r.name == stepWindow.name })
	}
	if kind == ecp.OpRepair && len(after.Status.OldKeys) == 0 {
		return slices.DeleteFunc(slices.Clone(rows), func(r StepRow) bool { return r.name == stepStopped.name })
	}
	if kind != ecp.OpUpdate {
		return rows
	}
	if WantedNodes(after) == 0 {
		return []StepRow{stepObjects}
	}
	resizes := ResizesOnly(before, after) && !unfinished(before.Status)
	needless := map[string]bool{
		stepSurplus.name: OrdinalsOf(before) <= after.Spec.Hosted.Nodes && before.Status.Removing == 0 &&
			before.Spec.Hosted.Replicants.Nodes <= after.Spec.Hosted.Replicants.Nodes,
		stepWindow.name:   !ReplacesOutdated(kind, before, after) || !after.Status.InWindows,
		stepReplaced.name: !ReplacesOutdated(kind, before, after) || resizes,
		stepResized.name:  !resizes,
		stepSettings.name: after.Status.Untold == nil,
		stepLimit.name: !LimitsAtRunTime(after.Resolved.Image.Version) ||
			before.Resolved.ListenerLimit == after.Resolved.ListenerLimit &&
				before.Spec.Connections() == after.Spec.Connections(),
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r StepRow) bool { return needless[r.name] })
}

// StepNames returns the names of the steps of an operation, for plans.
func StepNames(rows []StepRow) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.name)
	}
	return out
}

// succeeds says in which states an operation has done what it is for.
var succeeds = map[ecp.OperationKind][]ecp.State{
	ecp.OpCreate:   {ecp.Running, ecp.Stopped},
	ecp.OpStart:    {ecp.Running},
	ecp.OpRestart:  {ecp.Running},
	ecp.OpUpdate:   {ecp.Running, ecp.Stopped},
	ecp.OpRepair:   {ecp.Running, ecp.Stopped},
	ecp.OpTakeOver: {ecp.Running, ecp.Stopped},
	ecp.OpPutBack:  {ecp.Running, ecp.Stopped},
	ecp.OpStop:     {ecp.Stopped},
	ecp.OpDelete:   {ecp.Gone},
}

// PhaseIn is where an operation stands with its cluster in a state. Every
// operation ends in every state that the cluster can stay in. Only deletion is
// never given up: it does not fail.
func PhaseIn(kind ecp.OperationKind, s ecp.State) ecp.Phase {
	switch {
	case slices.Contains(succeeds[kind], s):
		return ecp.PhaseSucceeded
	case s.Unsteady(), kind == ecp.OpDelete:
		return ecp.PhaseRunning
	}
	return ecp.PhaseFailed
}

// advanceOperation returns the operation after an observation: its steps as found, and its end
// where the cluster's state says so.
func advanceOperation(now time.Time, rec ecp.ClusterRecord, op *ecp.Operation, snap Snapshot) *ecp.Operation {
	if op == nil || op.Phase.Final() {
		return nil
	}
	o := op.Clone()
	unforeseen := len(rec.Status.OldKeys) > 0 && o.Kind == ecp.OpRepair &&
		!slices.ContainsFunc(o.Steps, func(s ecp.Step) bool { return s.Name == stepStopped.name })
	if unforeseen || !stepsKnown(o) { // stored by another build
		o.Steps = NewSteps(OperationSteps[o.Kind])
	}
	if snap.Unseen == "" {
		v := NewView(now, rec, snap)
		for i, s := range o.Steps {
			o.Steps[i].Done, o.Steps[i].Total = progressOf(o.Kind, s.Name)(v)
			if s.Name == stepWindow.name {
				o.Steps[i].Until = v.Opens().UTC()
			}
		}
	}
	o.Error = ""
	if snap.Failure != nil {
		o.Error = ecp.MessageOf(snap.Failure)
	}
	o.Phase = PhaseIn(o.Kind, rec.Status.State)
	if o.Phase.Final() {
		o.EndedAt = now
	}
	switch {
	case o.Phase == ecp.PhaseSucceeded:
		o.Error = ""
	case o.Phase == ecp.PhaseFailed, rec.Status.State == ecp.Abnormal:
		o.Error = cmp.Or(rec.Status.Message,
			fmt.Sprintf("the cluster is %s, where a %s does not lead", rec.Status.State, o.Kind))
	}
	return &o
}

func SameOperation(a, b ecp.Operation) bool {
	return a.Phase == b.Phase && a.Error == b.Error && a.Deadline.Equal(b.Deadline) &&
		slices.Equal(a.Evacuated, b.Evacuated) && slices.EqualFunc(a.Steps, b.Steps, func(x, y ecp.Step) bool {
		return x.Name == y.Name && x.Done == y.Done && x.Total == y.Total && x.Until.Equal(y.Until)
	})
}
