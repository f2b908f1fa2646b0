package ecp

import (
	"maps"
	"slices"
	"time"
)

// Timings are the Manager's patience. Zero fields take the default.
type Timings struct {
	Dispatch time.Duration // until the first Apply must have succeeded; 60 s
	Create   time.Duration // until a new cluster must run; 15 min
	Start    time.Duration // until a started cluster must run; 15 min
	Stop     time.Duration // until no node may be left; 5 min
	Delete   time.Duration // until a deleted cluster must be gone; 15 min
	Poll     time.Duration // between looks at EMQX while nothing moves; 15 s
	Retry    time.Duration // first wait after a failed Apply; doubles up to 30 s; 500 ms
	// Notice is what load balancers and Services get to see that a node takes no
	// clients any more, before those it has are cut; whole seconds. 20 s: a probe
	// every 5 s that fails three times, and some to spread it.
	Notice time.Duration
	// Takeover is what clients that were cut get to come back elsewhere, before
	// their sessions are moved without them; whole seconds; 10 s.
	Takeover time.Duration

	// Of adopted clusters:
	Register    time.Duration // until a cluster whose agent has registered must have reported; 60 s
	AgentGrace  time.Duration // until an agent that has disconnected is missed; 5 s
	ReportStale time.Duration // until a connected agent that reports nothing is missed; 45 s, longer than it takes to notice that a connection is dead
	// AgentReturn is how long agents get to come back to a program that was started
	// anew before one is missed; 60 s.
	AgentReturn time.Duration
	Limit       time.Duration // until the broker of an adopted cluster must have its limit, or its own back; 5 min
	// AgentAge is how long an agent is kept that is away and whose node has left the
	// cluster, or is another agent's; 24 h.
	AgentAge time.Duration
}

func (t Timings) withDefaults() Timings {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Dispatch, time.Minute)
	set(&t.Create, 15*time.Minute)
	set(&t.Start, 15*time.Minute)
	set(&t.Stop, 5*time.Minute)
	set(&t.Delete, 15*time.Minute)
	set(&t.Poll, 15*time.Second)
	set(&t.Retry, 500*time.Millisecond)
	set(&t.Notice, 20*time.Second)
	set(&t.Takeover, 10*time.Second)
	set(&t.Register, time.Minute)
	set(&t.AgentGrace, 5*time.Second)
	set(&t.ReportStale, 45*time.Second)
	set(&t.AgentReturn, time.Minute)
	set(&t.Limit, 5*time.Minute)
	set(&t.AgentAge, 24*time.Hour)
	return t
}

// deed is what was done to the platform in one pass.
type deed struct {
	applied      bool     // Apply returned nil
	inLine       bool     // something is due, and no slot to do it in was free
	generation   int64    // the one it was called with
	lost         lostTime // in which nobody looked, or by which the clock has stepped
	newestRender int
	firstLook    bool           // nothing that was seen since the process began has been judged yet
	evacuated    *EvacuatedNode // what became of the clients of a node that may go
	leaving      *Leaving       // the node whose clients have to leave from now on
	left         bool           // nobody has to leave any more
	ordinals     int            // how many nodes belong to the cluster from now on; 0 = as many as before
	removing     int            // ordinal of the node whose membership is to be ended; 0 = none
	removed      bool           // its membership has ended
}

// step is everything one pass writes: the cluster after each hop, the last one
// final, and its operation. An empty step writes nothing.
type step struct {
	hops []ClusterRecord
	op   *Operation
}

// advance is the pure core of a pass: from the stored record and operation, a
// look and what was done, to what is to be stored. It is asked again with the
// same input after a crash and gives the same answer.
func advance(t Timings, now time.Time, rec ClusterRecord, op *Operation, look Look, did deed) step {
	old := rec.Clone()
	rec = rec.Clone()
	if op != nil {
		o := op.Clone()
		op = &o
	}
	moveDeadlines(t, now, &rec, op, look, did)
	learn(t, now, &rec, op, look, did)

	var out step
	j := Judge(now, rec, look)
	for _, s := range rec.StateMachine().Route(rec.Status.State, j.State) {
		enter(t, now, &rec, s, j)
		out.hops = append(out.hops, rec.Clone())
	}
	if j.State == rec.Status.State && !j.State.Unsteady() {
		rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	}
	newOp := finish(now, rec, op, look)
	if newOp != nil {
		tellEvacuated(newOp, did.evacuated)
	}
	if newOp != nil && newOp.Phase.Final() && rec.Status.Operation == newOp.ID {
		rec.Status.Operation, rec.Status.Before, rec.Status.RepairOf = "", nil, ""
	}
	rec.Status.Conditions = conditions(now, newView(now, rec, look), did.newestRender)
	if n := len(out.hops); n > 0 {
		out.hops[n-1] = rec
	} else if !sameStatus(old.Status, rec.Status) {
		out.hops = append(out.hops, rec)
	}
	if newOp != nil && !sameOperation(*op, *newOp) {
		out.op = newOp
	}
	return out
}

// learn takes up what the pass did and what can be seen for the first time.
func learn(t Timings, now time.Time, rec *ClusterRecord, op *Operation, look Look, did deed) {
	st := &rec.Status
	if did.applied {
		dispatched(t, now, rec, op)
		st.Applied = did.generation
	}
	if did.ordinals > 0 {
		st.Ordinals = did.ordinals
	}
	if did.removing > 0 {
		st.Removing = did.removing
	} else if did.removed {
		st.Removing = 0
	}
	if did.leaving != nil {
		st.Leaving = did.leaving
	} else if did.left {
		st.Leaving = nil
	}
	forgetFormer(st, look.settings)
	learnRefusal(st, rec.Generation, look, did)
	f := look.Found
	if look.Unseen != "" || !st.Dispatched || !f.Exists || f.Terminating || rec.Deleting || recordOlder(*rec, f) != nil {
		return
	}
	st.Seen = true
	if st.Auth == "" {
		st.Auth = f.Auth
	}
	for _, v := range f.Volumes {
		if _, known := st.Volumes[v.Ordinal]; !known && v.Bound && !v.Going && v.Ordinal < min(rec.Spec.Hosted.Nodes, ordinalsOf(*rec)) {
			if st.Volumes == nil {
				st.Volumes = map[int]string{}
			}
			st.Volumes[v.Ordinal] = v.UID
		}
	}
}

// dispatched notes that an Apply has succeeded. With the first one the time
// for the task itself begins.
func dispatched(t Timings, now time.Time, rec *ClusterRecord, op *Operation) {
	st := &rec.Status
	if st.Dispatched {
		return
	}
	st.Dispatched = true
	if st.State != Creating {
		return
	}
	st.Deadline = now.Add(t.Create)
	if op != nil {
		op.Deadline = st.Deadline
	}
}

// enter moves a record into a state.
func enter(t Timings, now time.Time, rec *ClusterRecord, s State, j Judgement) {
	st := &rec.Status
	st.State, st.Since = s, now
	st.Reason, st.Message = j.Reason, j.Message
	if s != j.State {
		st.Reason, st.Message = ReasonInProgress, ""
	}
	switch {
	case !s.Unsteady() && (!rec.Deleting || s != Stopped):
		st.Deadline = time.Time{}
	case st.Deadline.IsZero():
		st.Deadline = now.Add(patienceOf(t, s))
	}
}

// patienceOf is how long a cluster may stay in an unsteady state.
func patienceOf(t Timings, s State) time.Duration {
	switch s {
	case Creating, Updating, Syncing:
		return t.Create
	case Starting:
		return t.Start
	case Registering:
		return t.Register
	case Deleting:
		return t.Delete
	default:
		return t.Stop
	}
}

func sameStatus(a, b Status) bool {
	return a.State == b.State && a.Reason == b.Reason && a.Message == b.Message && a.Since.Equal(b.Since) &&
		a.Deadline.Equal(b.Deadline) && a.StaleFrom.Equal(b.StaleFrom) && a.WaitingFrom.Equal(b.WaitingFrom) && a.Operation == b.Operation && a.RepairOf == b.RepairOf &&
		a.Version == b.Version && (a.LimitDropped == nil) == (b.LimitDropped == nil) && a.Dispatched == b.Dispatched && a.Seen == b.Seen && a.Applied == b.Applied && a.RenderVersion == b.RenderVersion && a.Auth == b.Auth &&
		a.Ordinals == b.Ordinals && a.Removing == b.Removing && a.KeepOutdated == b.KeepOutdated && sameLeaving(a.Leaving, b.Leaving) && sameRefused(a.Refused, b.Refused) && maps.Equal(a.Volumes, b.Volumes) && maps.Equal(a.FormerSettings, b.FormerSettings) && slices.EqualFunc(a.Conditions, b.Conditions, sameCondition)
}

func sameLeaving(a, b *Leaving) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Node == b.Node && a.Since.Equal(b.Since) && a.GivenUp == b.GivenUp && a.Begun.Equal(b.Begun)
}

func sameRefused(a, b *Refused) bool { return a == b || a != nil && b != nil && *a == *b }

// sameCondition leaves the message out: a new wording alone is no transition.
func sameCondition(a, b Condition) bool {
	return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Generation == b.Generation
}
