package derive

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Outcome is what was done to the platform in one pass.
type Outcome struct {
	Applied          bool     // Apply returned nil
	Queued           bool     // something is due, and no slot to do it in was free
	Generation       int64    // the one it was called with
	Lost             LostTime // in which nobody looked, or by which the clock has stepped
	NewestRender     int
	FirstObservation bool               // nothing that was seen since the process began was stored yet
	Evacuated        *ecp.EvacuatedNode // what became of the clients of a node that may go
	Draining         *ecp.Draining      // the node whose clients have to leave from now on
	Drained          bool               // nobody has to leave any more
	Ordinals         int                // how many nodes belong to the cluster from now on; 0 means as many as before
	Removing         int                // ordinal of the node whose membership is to be ended; 0 means none
	Removed          bool               // its membership has ended
	SleepHandled     time.Time          // due time of hibernation that asks for nothing any more; zero means none
	Told             bool               // EMQX has taken the settings that it had not taken
	KeysLost         bool               // a repair has to stop all nodes, see UnforeseenKeys
	Freed            string             // the node on a cordoned machine whose clients have left; "" = none
}

// Result is everything one pass writes: the cluster after each hop, the last one
// final, and its operation. An empty step writes nothing.
type Result struct {
	Transitions []ecp.ClusterRecord
	Operation   *ecp.Operation
}

// Enter moves a record to where it should stand, over every state on the way.
func (r *Result) Enter(t ecp.Timings, now time.Time, rec *ecp.ClusterRecord, j Derived) {
	for _, s := range rec.StateMachine().Route(rec.Status.State, j.State) {
		enterState(t, now, rec, s, j)
		r.Transitions = append(r.Transitions, rec.Clone())
	}
}

// Finish lets the last transition lead to rec. A record that entered no state is
// written where it has another status than before.
func (r *Result) Finish(before ecp.Status, rec ecp.ClusterRecord) {
	if n := len(r.Transitions); n > 0 {
		r.Transitions[n-1] = rec
	} else if !sameStatus(before, rec.Status) {
		r.Transitions = append(r.Transitions, rec)
	}
}

// Advance is the pure core of a pass: from the stored record and operation, a
// look and what was done, to what is to be stored. It is asked again with the
// same input after a crash and gives the same answer.
func Advance(t ecp.Timings, now time.Time, rec ecp.ClusterRecord, op *ecp.Operation, snap Snapshot,
	outcome Outcome) Result {
	old := rec.Clone()
	rec = rec.Clone()
	if op != nil {
		o := op.Clone()
		op = &o
	}
	AdjustDeadlines(t, now, &rec, op, snap, outcome)
	recordFindings(t, now, &rec, op, snap, outcome)

	var out Result
	j := DeriveState(now, rec, snap)
	out.Enter(t, now, &rec, j)
	if j.State == rec.Status.State && !j.State.Unsteady() {
		rec.Status.Reason, rec.Status.Message = j.Reason, j.Message
	}
	newOp := advanceOperation(now, rec, op, snap)
	if newOp != nil {
		recordEvacuated(newOp, outcome.Evacuated)
	}
	if newOp != nil && newOp.Phase.Final() && rec.Status.Operation == newOp.ID {
		rec.Status.Operation, rec.Status.Previous = "", nil
		rec.Status.RepairOf, rec.Status.Abandoned = "", nil
	}
	releaseAsleep(&rec)
	rec.Status.Conditions = Conditions(now, NewView(now, rec, snap), outcome.NewestRender)
	out.Finish(old.Status, rec)
	if newOp != nil && !SameOperation(*op, *newOp) {
		out.Operation = newOp
	}
	return out
}

// recordFindings takes up what the pass did and what can be seen for the first time.
func recordFindings(t ecp.Timings, now time.Time, rec *ecp.ClusterRecord, op *ecp.Operation, snap Snapshot,
	outcome Outcome) {
	st := &rec.Status
	if outcome.Told { // now nodes are to start with them, too
		st.Untold, st.Applied = nil, 0
	}
	if outcome.Applied {
		if len(st.OldKeys) == 0 { // otherwise nodes are yet to be asked for
			MarkDispatched(t, now, rec, op)
		}
		st.Applied = outcome.Generation
	}
	if outcome.Ordinals > 0 {
		st.Ordinals = outcome.Ordinals
	}
	if outcome.Removing > 0 {
		st.Removing = outcome.Removing
	} else if outcome.Removed {
		st.Removing = 0
	}
	turnEnded := outcome.Drained && st.Draining != nil
	if outcome.Draining != nil {
		st.Draining = outcome.Draining
	} else if outcome.Drained {
		st.Draining = nil
	}
	if !outcome.SleepHandled.IsZero() {
		st.Sleep.Handled = outcome.SleepHandled.UTC()
	}
	forgetFormer(st, snap.Settings)
	recordRefusal(st, rec.Generation, snap, outcome)
	recordKeys(rec, snap, outcome.KeysLost)
	f := snap.Found
	if snap.Unseen != "" || !st.Dispatched || !f.Exists || f.Terminating || rec.Deleting ||
		RecordOlder(*rec, f) != nil {
		return
	}
	st.Seen = true
	recordCordons(now, rec, snap, outcome, turnEnded)
	if st.Auth == "" {
		st.Auth = f.Auth
	}
	for _, v := range f.Volumes {
		if _, known := st.Volumes[v.Ordinal]; !known && v.Bound && !v.Terminating &&
			!slices.Contains(st.Abandoned, v.UID) && v.Ordinal < min(rec.Spec.Hosted.Nodes, OrdinalsOf(*rec)) {
			if st.Volumes == nil {
				st.Volumes = map[int]string{}
			}
			st.Volumes[v.Ordinal] = v.UID
		}
	}
}

// MarkDispatched notes that an Apply has succeeded. With the first one the time
// for the task itself begins.
func MarkDispatched(t ecp.Timings, now time.Time, rec *ecp.ClusterRecord, op *ecp.Operation) {
	st := &rec.Status
	if st.Dispatched {
		return
	}
	st.Dispatched = true
	if st.State != ecp.Creating {
		return
	}
	st.Deadline = now.Add(t.Create)
	if op != nil {
		op.Deadline = st.Deadline
	}
}

// enterState moves a record into a state.
func enterState(t ecp.Timings, now time.Time, rec *ecp.ClusterRecord, s ecp.State, j Derived) {
	st := &rec.Status
	st.State, st.Since = s, now
	st.Reason, st.Message = j.Reason, j.Message
	if s != j.State {
		st.Reason, st.Message = ecp.ReasonInProgress, ""
	}
	switch {
	case !s.Unsteady() && (!rec.Deleting || s != ecp.Stopped):
		st.Deadline = time.Time{}
	case st.Deadline.IsZero():
		st.Deadline = now.Add(patienceOf(t, s))
	}
}

// patienceOf is how long a cluster may stay in an unsteady state.
func patienceOf(t ecp.Timings, s ecp.State) time.Duration {
	switch s {
	case ecp.Creating, ecp.Updating, ecp.Syncing:
		return t.Create
	case ecp.Starting:
		return t.Start
	case ecp.Registering:
		return t.Register
	case ecp.Deleting:
		return t.Delete
	default:
		return t.Stop
	}
}

func sameStatus(a, b ecp.Status) bool {
	return a.State == b.State && a.Reason == b.Reason && a.Message == b.Message && a.Since.Equal(b.Since) &&
		a.Deadline.Equal(b.Deadline) && a.StaleFrom.Equal(b.StaleFrom) && a.WaitingFrom.Equal(b.WaitingFrom) &&
		a.Operation == b.Operation && a.RepairOf == b.RepairOf && a.WindowFrom.Equal(b.WindowFrom) &&
		a.Sleep.Handled.Equal(b.Sleep.Handled) && a.Sleep.Released == b.Sleep.Released &&
		a.Version == b.Version && (a.LimitDropped == nil) == (b.LimitDropped == nil) && a.Dispatched == b.Dispatched &&
		a.Seen == b.Seen && a.Applied == b.Applied && a.RenderVersion == b.RenderVersion && a.Auth == b.Auth &&
		a.Ordinals == b.Ordinals && a.Removing == b.Removing && a.KeepOutdated == b.KeepOutdated &&
		sameDraining(a.Draining, b.Draining) && sameRefused(a.Refused, b.Refused) &&
		slices.EqualFunc(a.Cordoned, b.Cordoned, sameCordoned) &&
		maps.Equal(a.Volumes, b.Volumes) && slices.Equal(a.Abandoned, b.Abandoned) &&
		slices.Equal(a.OldKeys, b.OldKeys) &&
		maps.Equal(a.FormerSettings, b.FormerSettings) &&
		(a.Untold == nil) == (b.Untold == nil) &&
		slices.EqualFunc(a.Conditions, b.Conditions, sameCondition)
}

func sameDraining(a, b *ecp.Draining) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Node == b.Node && a.Since.Equal(b.Since) && a.TimedOut == b.TimedOut && a.Begun.Equal(b.Begun)
}

func sameCordoned(a, b ecp.CordonedNode) bool {
	return a.Node == b.Node && a.PodUID == b.PodUID && a.Since.Equal(b.Since) && a.Freed.Equal(b.Freed) &&
		a.TimedOut == b.TimedOut && a.Away.Equal(b.Away)
}

func sameRefused(a, b *ecp.Refused) bool { return a == b || a != nil && b != nil && *a == *b }

// sameCondition leaves the message out: a new wording alone is no transition.
func sameCondition(a, b ecp.Condition) bool {
	return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Generation == b.Generation
}

// mostEvacuated bounds how many nodes an operation tells of.
const mostEvacuated = 64

// recordEvacuated adds what was last seen of a node to an operation.
func recordEvacuated(o *ecp.Operation, e *ecp.EvacuatedNode) {
	if e == nil {
		return
	}
	i := slices.IndexFunc(o.Evacuated,
		func(x ecp.EvacuatedNode) bool { return x.Node == e.Node && x.Since.Equal(e.Since) })
	switch {
	case i >= 0:
		o.Evacuated[i] = *e
	case len(o.Evacuated) < mostEvacuated:
		o.Evacuated = append(o.Evacuated, *e)
	}
}

// PutTransitions writes what a cluster becomes, each hop a change of its own, and notes
// which of them nobody can tell from the one before.
func PutTransitions(tx ecp.Tx, hops []ecp.ClusterRecord) error {
	if len(hops) == 0 {
		return nil
	}
	before, _, err := ecp.Get[ecp.ClusterRecord](tx, string(hops[0].ID))
	if err != nil && !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	for _, rec := range hops {
		rec.Status.QuietAt = 0
		if sameShown(before, rec) {
			rec.Status.QuietAt = rec.Revision
		}
		if err := ecp.Put(tx, rec, ecp.AnyVersion); err != nil {
			return err
		}
		before = rec
	}
	return nil
}

// sameShown reports whether two records of a cluster read alike. What is asked for
// grows the revision.
func sameShown(a, b ecp.ClusterRecord) bool {
	x, y := a.Status, b.Status
	return a.Revision == b.Revision && x.State == y.State && x.Reason == y.Reason && x.Message == y.Message &&
		x.Since.Equal(y.Since) &&
		x.StaleFrom.Equal(y.StaleFrom) && x.Operation == y.Operation && x.Version == y.Version &&
		slices.EqualFunc(x.Conditions, y.Conditions, func(c, d ecp.Condition) bool {
			return sameCondition(c, d) && c.Message == d.Message && c.Since.Equal(d.Since)
		})
}
