package ecp

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Judgement is where a cluster should stand, and why.
type Judgement struct {
	State   State
	Reason  Reason
	Message string
	// Rule names the rule that matched, for tests and logs.
	Rule string
}

// rule is one line of the ordered list; the first whose when holds decides.
type rule struct {
	name string
	when func(v view) bool
	then func(v view) (State, Reason, string)
}

// hostedRules are the rules for looks at hosted clusters, in order.
var hostedRules = []rule{
	// Unseen is not broken.
	{"unseen keeps", func(v view) bool { return v.look.Unseen != "" }, keep},

	// On the way out.
	{"deleted and absent is gone", func(v view) bool { return v.rec.Deleting && v.absent() }, is(Gone, ReasonDeleted)},
	{"record older than what is found", func(v view) bool {
		return v.older != nil && (!v.rec.Deleting || !v.rec.Force) && v.rec.Status.State != Nonexistent
	}, olderRecord},
	{"deletion overdue", func(v view) bool { return v.rec.Deleting && v.overdue() }, failedAs(ReasonDeleteFailed)},
	{"deleting without nodes is stopped", func(v view) bool {
		return v.rec.Deleting && len(v.look.Found.Nodes) == 0 && v.look.Found.Replicas <= 0 && v.rec.Status.State != Stopped && v.rec.Status.Reason != ReasonDeleteFailed
	}, is(Stopped, ReasonByRequest)},
	{"nodes in a stopped cluster that is deleted", func(v view) bool {
		return v.rec.Deleting && v.rec.Status.State == Stopped && len(v.look.Found.Nodes) > 0
	}, is(Stopping, ReasonScaledByHand)},
	{"deleting", func(v view) bool { return v.rec.Deleting }, keep},

	// Never begun.
	{"nonexistent stays", inState(Nonexistent), keep},
	{"refused before anything was made", func(v view) bool {
		return v.rec.Status.State == Creating && !v.rec.Status.Dispatched && v.refused() != nil && v.absent() && v.look.Found.Foreign == ""
	}, refusedFirst},
	{"never dispatched", func(v view) bool {
		return v.rec.Status.State == Creating && !v.rec.Status.Dispatched && v.overdue() && v.absent() && v.look.Found.Foreign == ""
	}, notDispatched},

	// What is found contradicts itself.
	{"namespace of somebody else", func(v view) bool { return v.look.Found.Foreign != "" }, foreign},
	{"not dispatched yet", func(v view) bool { return !v.rec.Status.Dispatched && !v.overdue() && v.refused() == nil }, keep},
	{"something is lost", func(v view) bool { return v.loss != nil }, lost},

	// Power off.
	{"nodes in a stopped cluster", func(v view) bool {
		return v.want == 0 && v.rec.Status.State == Stopped && len(v.look.Found.Nodes) > 0
	}, is(Stopping, ReasonScaledByHand)},
	{"no node is left", func(v view) bool { return v.want == 0 && len(v.look.Found.Nodes) == 0 && v.look.Found.Replicas <= 0 }, is(Stopped, ReasonByRequest)},
	{"stop refused", func(v view) bool {
		return v.want == 0 && v.rec.Status.State.Unsteady() && v.refused() != nil && !v.refused().Rest
	}, refusedTask},
	{"stop overdue", func(v view) bool { return v.want == 0 && v.overdue() }, failedAs(ReasonStopFailed)},
	{"stopping", func(v view) bool { return v.want == 0 }, keep},

	// On the way up.
	{"the platform refuses", func(v view) bool { return v.settling() != "" && v.refusedNow() }, refusedTask},
	{"as asked for", func(v view) bool { return v.agreed() }, is(Running, ReasonAsExpected)},
	{"clients would not leave", func(v view) bool {
		return v.settling() != "" && v.rec.Status.Leaving != nil && v.rec.Status.Leaving.GivenUp
	}, taskFailed},
	{"task overdue", func(v view) bool { return v.settling() != "" && v.overdue() }, taskFailed},
	{"Kubernetes has converged", func(v view) bool { return v.rec.Status.State == Updating && v.asWanted() }, syncing},
	{"diverged again", func(v view) bool { return v.rec.Status.State == Syncing && !v.asWanted() }, is(Updating, ReasonInProgress)},
	{"on its way", func(v view) bool { return v.settling() != "" }, keep},

	// Outside a plan.
	{"the last task failed", func(v view) bool { return taskFailures[v.rec.Status.Reason] }, keep},
	{"nodes disagree on who is a member", func(v view) bool { return v.partitioned() && v.look.Missing >= 2 }, partition},
	{"nothing serves", func(v view) bool { return len(v.ready) == 0 }, nothingServes},
	{"a node is away", func(v view) bool { return len(v.ready) < v.want }, nodeDown},
	{"a member is missing", func(v view) bool { return v.look.Missing >= 2 }, memberMissing},
	{"nothing new", func(view) bool { return true }, keepOrRecover},
}

// taskFailures are the reasons of a failed task: the cluster stays abnormal
// until what is found agrees with what is wanted.
var taskFailures = map[Reason]bool{
	ReasonCreateFailed: true, ReasonStartFailed: true, ReasonUpdateFailed: true, ReasonSyncFailed: true,
	ReasonForeignOwner: true, ReasonDataLost: true, ReasonSecretLost: true, ReasonRefused: true,
}

// failureOf is the reason a state ends with when its deadline passes.
var failureOf = map[State]Reason{
	Creating: ReasonCreateFailed, Starting: ReasonStartFailed, Updating: ReasonUpdateFailed, Syncing: ReasonSyncFailed,
}

// Judge says where a hosted cluster should stand after a look. It is pure:
// the rules are tried in order and the first that matches decides.
func Judge(now time.Time, rec ClusterRecord, look Look) Judgement {
	v := newView(now, rec, look)
	for _, r := range hostedRules {
		if r.when(v) {
			s, reason, message := r.then(v)
			return Judgement{State: s, Reason: reason, Message: message, Rule: r.name}
		}
	}
	return Judgement{State: rec.Status.State, Reason: rec.Status.Reason, Message: rec.Status.Message}
}

func (v view) absent() bool { return !v.look.Found.Exists }

// settling gives the unsteady state on the way up that the cluster is in; "" if none.
func (v view) settling() State {
	if _, ok := failureOf[v.rec.Status.State]; ok {
		return v.rec.Status.State
	}
	return ""
}

func inState(s State) func(view) bool { return func(v view) bool { return v.rec.Status.State == s } }

func is(s State, r Reason) func(view) (State, Reason, string) {
	return func(view) (State, Reason, string) { return s, r, "" }
}

func keep(v view) (State, Reason, string) {
	st := v.rec.Status
	return st.State, st.Reason, st.Message
}

func failedAs(r Reason) func(view) (State, Reason, string) {
	return func(v view) (State, Reason, string) {
		return Abnormal, r, "it is tried again for ever; " + v.waitsFor()
	}
}

func notDispatched(v view) (State, Reason, string) {
	return Nonexistent, ReasonNotDispatched, "nothing of the cluster was made: " + v.waitsFor() + "; repair tries again, delete removes the record"
}

func foreign(v view) (State, Reason, string) {
	return Abnormal, ReasonForeignOwner, fmt.Sprintf("the namespace %s belongs to %s and is not touched; delete this cluster, or have that namespace removed", v.rec.ID, v.look.Found.Foreign)
}

func lost(v view) (State, Reason, string) {
	return Abnormal, v.loss.Reason, v.loss.What + " has gone; nothing is made anew by itself: repair accepts the loss, delete removes the rest"
}

func partition(v view) (State, Reason, string) {
	return Abnormal, ReasonPartitioned, divided(v)
}

// taskFailed ends a task. A repair that has not helped leaves a cluster that
// serves no worse than it found it.
func taskFailed(v view) (State, Reason, string) {
	if v.rec.Status.RepairOf == Degraded && len(v.ready) > 0 {
		reason := ReasonMemberMissing
		if len(v.ready) < v.want {
			reason = ReasonNodeDown
		}
		return Degraded, reason, "repair has not helped: " + v.waitsFor()
	}
	return Abnormal, failureOf[v.settling()], "not done in time: " + v.waitsFor()
}

func syncing(v view) (State, Reason, string) { return Syncing, ReasonInProgress, v.waitsFor() }

func nothingServes(v view) (State, Reason, string) {
	return Abnormal, ReasonNothingServes, "no node is ready: " + v.waitsFor()
}

func nodeDown(v view) (State, Reason, string) { return Degraded, ReasonNodeDown, v.waitsFor() }

func memberMissing(v view) (State, Reason, string) {
	return Degraded, ReasonMemberMissing, strings.Join(v.missing(), "; ")
}

// keepOrRecover: every node is ready but the broker has not confirmed it, or
// answers slowly. A state that is already good stays; one that was bad because
// nodes were away is better than that now.
func keepOrRecover(v view) (State, Reason, string) {
	st := v.rec.Status
	if st.Reason == ReasonRecordOlder || st.Reason == ReasonNothingServes || st.Reason == ReasonNodeDown {
		return Degraded, ReasonNodeDown, v.waitsFor()
	}
	return keep(v)
}

// waitsFor says in words what stands between what is found and what is wanted.
func (v view) waitsFor() string {
	if v.look.NotHeld != "" {
		return v.look.NotHeld
	}
	if v.look.Failure != nil {
		return MessageOf(v.look.Failure)
	}
	if v.want == 0 {
		return v.stillThere()
	}
	if len(v.ready) < v.want { // what the platform says of it is the cause, the number is what follows
		ready := fmt.Sprintf("%d of %d nodes are ready%s%s", len(v.ready), v.want, v.notReady(), v.wayBack())
		return joinCauses(append(slices.Clone(v.look.Found.Obstacles), v.look.Waits, ready)...)
	}
	if v.look.Waits != "" {
		return v.look.Waits
	}
	if v.partitioned() {
		return divided(v)
	}
	if v.look.SilentWhy != "" {
		return "EMQX does not answer: " + v.look.SilentWhy
	}
	if m := v.missing(); len(v.look.Views) > 0 && len(m) > 0 {
		return strings.Join(m, "; ")
	}
	if len(v.look.Found.Drift) > 0 {
		return "objects differ: " + strings.Join(v.look.Found.Drift, ", ")
	}
	return "Kubernetes has not finished"
}

// stillThere says what is left of a cluster that is to have no nodes, or to go.
func (v view) stillThere() string {
	f := v.look.Found
	left := fmt.Sprintf("%d nodes are still there%s", len(f.Nodes), v.notReady())
	if f.Terminating && len(f.Nodes) == 0 {
		left = "the namespace " + string(v.rec.ID) + " is being removed"
	}
	return joinCauses(append(slices.Clone(f.Obstacles), left)...)
}

// joinCauses puts sentences one after the other and leaves empty ones out.
func joinCauses(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

func (v view) notReady() string {
	var b strings.Builder
	for _, n := range v.look.Found.Nodes {
		if n.Ready && !n.Going {
			continue
		}
		why, leaving := n.Reason, v.rec.Status.Leaving
		if n.Going {
			why = "being deleted"
		} else if leaving != nil && leaving.Node == n.Name && !n.Broken && v.serves(n) {
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

// whatHeals says what to expect of nodes that count different members.
const whatHeals = "EMQX takes some minutes to find that its nodes have lost one another, and heals by itself when they reach one another again: it restarts the smaller part, whose clients are cut; look at the network between the nodes. Repair cannot join them"

// whatUnites says what to expect of nodes that have never met.
const whatUnites = "EMQX looks for others only when it starts, so that this does not heal by itself: the younger side is restarted, one node after the other, and joins; if it comes again, look whether the pods reach the DNS of Kubernetes over UDP and TCP. Repair cannot join them"

func divided(v view) string {
	if sides := v.sides(); len(sides) > 1 {
		return apartWords(sides) + "; " + whatUnites
	}
	return "nodes count different members: " + describeViews(v) + "; " + whatHeals
}

func describeViews(v view) string {
	var parts []string
	for _, node := range sortedKeys(v.look.Views) {
		var names []string
		for _, m := range v.look.Views[node] {
			names = append(names, m.Name)
		}
		parts = append(parts, node+" sees "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}
