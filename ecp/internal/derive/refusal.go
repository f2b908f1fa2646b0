package derive

import (
	"time"

	"github.com/openecp/openecp/ecp"
)

// RefusedRetry is how long a refused Apply rests where nothing else is wanted
// meanwhile. The platform itself may come to take it: an admission rule is
// mended, a class is installed.
const RefusedRetry = time.Minute

// recordRefusal notes what is refused. What an earlier generation asked for in
// vain does not stop a later one that changes something else.
func recordRefusal(st *ecp.Status, generation int64, snap Snapshot, outcome Outcome) {
	r := ecp.RefusalOf(snap.Failure)
	switch {
	case r == nil && outcome.Applied:
		st.Refused = nil
	case r != nil && (st.Refused == nil || st.Refused.What != r.What):
		st.Refused = &ecp.Refused{What: r.What, Generation: generation}
	}
}

// Refused is what of the current generation the platform has refused; nil if
// nothing.
func (v View) Refused() *ecp.Refusal { return ecp.RefusalOf(v.Snapshot.Failure) }

// refusedNow reports whether the task on its way ends here: the platform has
// refused what this generation asks for, or nothing else is left to be done.
func (v View) refusedNow() bool {
	r, known := v.Refused(), v.Rec.Status.Refused
	if r == nil {
		return false
	}
	return !r.Rest || known == nil || known.Generation == v.Rec.Generation || v.RestAsWanted()
}

// RestAsWanted reports whether nodes and members are as wanted, whatever was
// refused beside them.
func (v View) RestAsWanted() bool {
	if v.Want == 0 {
		return len(v.Snapshot.Found.Nodes) == 0 && nothingAsked(v.Snapshot.Found)
	}
	v.Snapshot.Failure = nil
	return v.Agreed()
}

// Blocked reports whether the last write failed in a way that holds everything
// else up, too.
func (v View) Blocked() bool {
	r := v.Refused()
	return v.Snapshot.Failure != nil && (r == nil || !r.Rest)
}

func refusedTask(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Abnormal, ecp.ReasonRefused, refusedBy(v) + "; change it, nothing else helps"
}

func refusedFirst(v View) (ecp.State, ecp.Reason, string) {
	return ecp.Nonexistent, ecp.ReasonRefused, "nothing of the cluster was made: " + refusedBy(v) +
		"; delete the record and create it in another way, or repair to try again"
}

// refusedBy returns the platform's words, and what has become of the rest.
func refusedBy(v View) string {
	out := ecp.MessageOf(v.Snapshot.Failure)
	if r := v.Refused(); r != nil && r.Rest && v.RestAsWanted() {
		out += " (everything else is as wanted)"
	}
	return out
}
