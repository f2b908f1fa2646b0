package derive

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Derived is where a cluster should stand, and why.
type Derived struct {
	State   ecp.State
	Reason  ecp.Reason
	Message string
	// Rule is the name of the rule that matched, for tests and logs.
	Rule string
}

// rule is one line of the ordered list; the first whose when holds decides.
type rule struct {
	name string
	when func(v View) bool
	then func(v View) (ecp.State, ecp.Reason, string)
}

// stateRules are the rules for looks at hosted clusters, in order.
var stateRules = []rule{
	// Unseen is not broken.
	{"unseen keeps", func(v View) bool { return v.Snapshot.Unseen != "" }, keep},

	// On the way out.
	{"deleted and absent is gone", func(v View) bool { return v.Rec.Deleting && v.absent() },
		is(ecp.Gone, ecp.ReasonDeleted)},
	{"record older than what is found", func(v View) bool {
		return v.older != nil && (!v.Rec.Deleting || !v.Rec.Force) && v.Rec.Status.State != ecp.Nonexistent
	}, olderRecord},
	{"deletion overdue", func(v View) bool { return v.Rec.Deleting && v.overdue() }, failedAs(ecp.ReasonDeleteFailed)},
	{"deleting without nodes is stopped", func(v View) bool {
		return v.Rec.Deleting && len(v.Snapshot.Found.Nodes) == 0 && nothingAsked(v.Snapshot.Found) &&
			v.Rec.Status.State != ecp.Stopped && v.Rec.Status.Reason != ecp.ReasonDeleteFailed
	}, is(ecp.Stopped, ecp.ReasonByRequest)},
	{"nodes in a stopped cluster that is deleted", func(v View) bool {
		return v.Rec.Deleting && v.Rec.Status.State == ecp.Stopped && len(v.Snapshot.Found.Nodes) > 0
	}, is(ecp.Stopping, ecp.ReasonScaledByHand)},
	{"deleting", func(v View) bool { return v.Rec.Deleting }, keep},

	// Never begun.
	{"nonexistent stays", inState(ecp.Nonexistent), keep},
	{"refused before anything was made", func(v View) bool {
		return v.Rec.Status.State == ecp.Creating && !v.Rec.Status.Dispatched && v.Refused() != nil && v.absent() &&
			v.Snapshot.Found.ForeignOwner == ""
	}, refusedFirst},
	{"never dispatched", func(v View) bool {
		return v.Rec.Status.State == ecp.Creating && !v.Rec.Status.Dispatched && v.overdue() && v.absent() &&
			v.Snapshot.Found.ForeignOwner == ""
	}, notDispatched},

	// What is found contradicts itself.
	{"namespace of somebody else", func(v View) bool { return v.Snapshot.Found.ForeignOwner != "" }, foreignOwner},
	{"not dispatched yet", func(v View) bool { return !v.Rec.Status.Dispatched && !v.overdue() && v.Refused() == nil },
		keep},
	{"something is lost", func(v View) bool { return v.Loss != nil }, lost},

	// Power off.
	{"nodes in a stopped cluster", func(v View) bool {
		return v.Want == 0 && v.Rec.Status.State == ecp.Stopped && len(v.Snapshot.Found.Nodes) > 0
	}, is(ecp.Stopping, ecp.ReasonScaledByHand)},
	{"no node is left", func(v View) bool {
		return v.Want == 0 && len(v.Snapshot.Found.Nodes) == 0 && nothingAsked(v.Snapshot.Found)
	}, is(ecp.Stopped, ecp.ReasonByRequest)},
	{"stop refused", func(v View) bool {
		return v.Want == 0 && v.Rec.Status.State.Unsteady() && v.Refused() != nil && !v.Refused().Rest
	}, refusedTask},
	{"stop overdue", func(v View) bool { return v.Want == 0 && v.overdue() }, failedAs(ecp.ReasonStopFailed)},
	{"stopping", func(v View) bool { return v.Want == 0 }, keep},

	// On the way up.
	{"the platform refuses", func(v View) bool { return v.settling() != "" && v.refusedNow() }, refusedTask},
	{"EMQX refuses the connection limit", func(v View) bool { return v.limitRefused() }, taskRefusedByEMQX},
	{"EMQX refuses settings", func(v View) bool { return v.tellingRefused() }, settingsRefusedByEMQX},
	{"as asked for", func(v View) bool { return v.Agreed() && !v.limitAwaited() && !v.tellingAwaited() },
		asAskedFor},
	{"clients would not leave", func(v View) bool {
		return v.settling() != "" && v.Rec.Status.Draining != nil && v.Rec.Status.Draining.TimedOut
	}, taskFailed},
	{"task overdue", func(v View) bool { return v.settling() != "" && v.overdue() }, taskFailed},
	{"Kubernetes has converged", func(v View) bool { return v.Rec.Status.State == ecp.Updating && v.AsWanted() },
		syncing},
	{"diverged again", func(v View) bool { return v.Rec.Status.State == ecp.Syncing && !v.AsWanted() },
		is(ecp.Updating, ecp.ReasonInProgress)},
	{"on its way", func(v View) bool { return v.settling() != "" }, keep},

	// Outside a plan.
	{"the last task failed", func(v View) bool { return taskFailures[v.Rec.Status.Reason] }, keep},
	{"nodes disagree on who is a member",
		func(v View) bool { return v.Partitioned() && v.Snapshot.MissingMembers >= 2 }, partition},
	{"nothing serves", func(v View) bool { return len(v.Ready) == 0 }, nothingServes},
	{"machines are emptied",
		func(v View) bool { return v.Snapshot.MissingMembers < 2 && v.onTheMove(movePatience) }, machineCordoned},
	{"a node is away", func(v View) bool { return v.away() > 0 }, nodeDown},
	{"a member is missing", func(v View) bool { return v.Snapshot.MissingMembers >= 2 }, memberMissing},
	{"nothing new", func(View) bool { return true }, keepOrRecover},
}

// taskFailures are the reasons of a failed task: the cluster stays abnormal
// until what is found agrees with what is wanted.
var taskFailures = map[ecp.Reason]bool{
	ecp.ReasonCreateFailed: true, ecp.ReasonStartFailed: true, ecp.ReasonUpdateFailed: true, ecp.ReasonSyncFailed: true,
	ecp.ReasonForeignOwner: true, ecp.ReasonDataLost: true, ecp.ReasonSecretLost: true, ecp.ReasonRefused: true,
}

// failureOf is the reason a state ends with when its deadline passes.
var failureOf = map[ecp.State]ecp.Reason{
	ecp.Creating: ecp.ReasonCreateFailed, ecp.Starting: ecp.ReasonStartFailed, ecp.Updating: ecp.ReasonUpdateFailed,
	ecp.Syncing: ecp.ReasonSyncFailed,
}

// DeriveState returns where a hosted cluster should stand after an observation. It is pure:
// the rules are tried in order and the first that matches decides.
func DeriveState(now time.Time, rec ecp.ClusterRecord, snap Snapshot) Derived {
	v := NewView(now, rec, snap)
	for _, r := range stateRules {
		if r.when(v) {
			s, reason, message := r.then(v)
			return Derived{State: s, Reason: reason, Message: message, Rule: r.name}
		}
	}
	return Derived{State: rec.Status.State, Reason: rec.Status.Reason, Message: rec.Status.Message}
}

func (v View) absent() bool { return !v.Snapshot.Found.Exists }

// settling returns the unsteady state on the way up that the cluster is in; "" if none.
func (v View) settling() ecp.State {
	if _, ok := failureOf[v.Rec.Status.State]; ok {
		return v.Rec.Status.State
	}
	return ""
}

func inState(s ecp.State) func(View) bool {
	return func(v View) bool { return v.Rec.Status.State == s }
}

func is(s ecp.State, r ecp.Reason) func(View) (ecp.State, ecp.Reason, string) {
	return func(View) (ecp.State, ecp.Reason, string) { return s, r, "" }
}

func keep(v View) (ecp.State, ecp.Reason, string) {
	st := v.Rec.Status
	return st.State, st.Reason, st.Message
}

func failedAs(r ecp.Reason) func(View) (ecp.State, ecp.Reason, string) {
	return func(v View) (ecp.State, ecp.Reason, string) {
		return ecp.Abnormal, r, "it is tried again for ever; " + v.WaitsFor()
	}
}

func notDispatched(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Nonexistent, ecp.ReasonNotDispatched, "nothing of the cluster was made: " + v.WaitsFor() +
		"; repair tries again, delete removes the record"
}

func foreignOwner(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Abnormal, ecp.ReasonForeignOwner,
		fmt.Sprintf("the namespace %s belongs to %s and is not touched; delete this cluster, or have that namespace "+
			"removed", v.Rec.ID, v.Snapshot.Found.ForeignOwner)
}

func lost(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Abnormal, v.Loss.Reason, v.Loss.What +
		" has gone; nothing is made anew by itself: repair accepts the loss, delete removes the rest"
}

func partition(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Abnormal, ecp.ReasonPartitioned, DescribePartition(v)
}

// taskFailed ends a task. A repair that has not helped leaves a cluster that
// serves no worse than it found it.
func taskFailed(v View) (ecp.State, ecp.Reason, string) {
	if v.Rec.Status.RepairOf == ecp.Degraded && len(v.Ready) > 0 {
		reason := ecp.ReasonMemberMissing
		if v.away() > 0 {
			reason = v.whyAway()
		}
		return ecp.Degraded, reason, "repair has not helped: " + v.WaitsFor()
	}
	return ecp.Abnormal, failureOf[v.settling()], "not done in time: " + v.WaitsFor()
}

func syncing(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Syncing, ecp.ReasonInProgress, v.WaitsFor()
}

func nothingServes(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Abnormal, ecp.ReasonNothingServes, "no node is ready: " + v.WaitsFor()
}

func nodeDown(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Degraded, v.whyAway(), v.WaitsFor()
}

// whyAway is the reason of a cluster of which a node is away.
func (v View) whyAway() ecp.Reason {
	if slices.ContainsFunc(v.Snapshot.Found.Nodes, func(n ecp.NodeObservation) bool { return n.VolumeLost }) {
		return ecp.ReasonVolumeLost
	}
	if slices.ContainsFunc(v.Snapshot.Found.Nodes, offMachine) {
		return ecp.ReasonMachineLost
	}
	if v.onTheMove(math.MaxInt64) {
		return ecp.ReasonMachineCordoned
	}
	return ecp.ReasonNodeDown
}

// offMachine reports whether a node is away together with its machine.
func offMachine(n ecp.NodeObservation) bool {
	return !n.Ready && (n.Machine == ecp.MachineGone || n.Machine == ecp.MachineUnanswered)
}

// AwayReasons are the reasons of states in which nodes are away.
var AwayReasons = map[ecp.Reason]bool{ecp.ReasonNodeDown: true, ecp.ReasonMachineLost: true,
	ecp.ReasonVolumeLost:    true,
	ecp.ReasonNothingServes: true}

func memberMissing(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Degraded, ecp.ReasonMemberMissing, strings.Join(v.MissingMembers(), "; ")
}

// keepOrRecover: every node is ready but the broker has not confirmed it, or
// answers slowly. A state that is already good stays; one that was bad because
// nodes were away is better than that now.
func keepOrRecover(v View) (ecp.State, ecp.Reason, string) {
	st := v.Rec.Status
	if st.Reason == ecp.ReasonRecordOlder || AwayReasons[st.Reason] {
		return ecp.Degraded, ecp.ReasonNodeDown, v.WaitsFor()
	}
	return keep(v)
}

// WaitsFor returns in words what stands between what is found and what is wanted.
func (v View) WaitsFor() string {
	if v.Snapshot.NotHeld != "" {
		return v.Snapshot.NotHeld
	}
	if v.Snapshot.Failure != nil {
		return ecp.MessageOf(v.Snapshot.Failure)
	}
	if v.Want == 0 {
		return v.stillThere()
	}
	if v.oldKeys() {
		return joinCauses(whyAllStop, v.stillThere())
	}
	if v.away() > 0 { // what the platform says of it is the cause, the number is what follows
		ready := fmt.Sprintf("%d of %d nodes are ready%s%s", len(v.Ready), v.All(), v.notReady(), v.wayBack())
		return joinCauses(append(slices.Clone(v.Snapshot.Found.Obstacles), v.Snapshot.Waits, ready)...)
	}
	if v.Snapshot.Waits != "" {
		return v.Snapshot.Waits
	}
	if v.Partitioned() {
		return DescribePartition(v)
	}
	if v.Snapshot.UnansweredWhy != "" {
		return "EMQX does not answer: " + v.Snapshot.UnansweredWhy
	}
	if m := v.MissingMembers(); len(v.Snapshot.Views) > 0 && len(m) > 0 {
		return strings.Join(m, "; ")
	}
	if len(v.Snapshot.Found.Drift) > 0 {
		return "objects differ: " + strings.Join(v.Snapshot.Found.Drift, ", ")
	}
	if v.Agreed() && !v.Told() {
		return v.waitsForSettings()
	}
	if v.Agreed() && !v.Limited() {
		if l := v.Snapshot.Limits; l != nil && l.Why != "" {
			return l.Why
		}
		return "EMQX is told its connection limit"
	}
	return "Kubernetes has not finished"
}

// stillThere returns what is left of a cluster that is to have no nodes, or to go.
func (v View) stillThere() string {
	f := v.Snapshot.Found
	left := fmt.Sprintf("%d nodes are still there%s", len(f.Nodes), v.notReady())
	if f.Terminating && len(f.Nodes) == 0 {
		left = "the namespace " + string(v.Rec.ID) + " is being removed"
	}
	return joinCauses(append(slices.Clone(f.Obstacles), left)...)
}

// joinCauses puts sentences one after the other and leaves empty ones out.
func joinCauses(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

func (v View) notReady() string {
	var b strings.Builder
	for _, n := range v.Snapshot.Found.Nodes {
		if n.Ready && !n.Terminating {
			continue
		}
		why, draining := n.Reason, v.Rec.Status.Draining
		if n.Terminating {
			why = "being deleted"
		} else if draining != nil && draining.Node == n.Name && !n.Broken && v.serves(n) {
			b.WriteString("; " + n.Pod + ": its clients are moved") // that its probe fails is meant so
			continue
		} else if why == "" {
			why = "not ready"
		}
		b.WriteString("; " + n.Pod + ": " + why)
		if n.Message != "" {
			b.WriteString(" (" + n.Message + ")")
		}
	}
	return b.String()
}

// wayBack returns what a person can do about nodes that EMQX's refusal keeps from
// starting; "" where none is.
func (v View) wayBack() string {
	for _, n := range v.Snapshot.Found.Nodes {
		if !n.Broken || !strings.HasPrefix(n.Message, "EMQX says: ") {
			continue
		}
		switch {
		case v.Rec.Status.Previous != nil:
			return "; cancel the operation to go back to what was before, or change spec.config"
		case len(v.Rec.Spec.Hosted.Config) > 0:
			return "; change spec.config, or take the setting out"
		}
	}
	return ""
}
