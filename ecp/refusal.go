package ecp

import (
	"errors"
	"time"
)

// ReasonRefused says that the platform does not take what is wanted, however
// often it is asked.
const ReasonRefused Reason = "Refused"

// refusedAgain is how long a refused Apply rests where nothing else is wanted
// meanwhile. The platform itself may come to take it: an admission rule is
// mended, a class is installed.
const refusedAgain = time.Minute

// Refusal is the cause of an invalid error of [Provisioner.Apply]: the platform
// does not take an object as it is, however often it is asked. That is for a
// person to mend, and no outage.
type Refusal struct {
	What string // the object, e.g. "Service emqx-1a2b3c4d-mqtt"
	Why  string // the platform's own words
	// Rest reports whether everything that does not depend on What was converged
	// all the same, nodes included.
	Rest bool
}

// Error names what was refused and why.
func (r *Refusal) Error() string { return r.What + " was refused: " + r.Why }

// RefusalOf returns what an error of Apply says of a definite refusal; nil where
// the same call may succeed later. An invalid error without a Refusal refuses
// everything.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case err != nil && CodeOf(err) == CodeInvalid:
		return &Refusal{What: "the cluster", Why: MessageOf(err)}
	}
	return nil
}

// Refused is what the platform is known to refuse of a cluster.
type Refused struct {
	What       string `json:"what"`
	Generation int64  `json:"generation"` // the first one with which it was
}

// learnRefusal notes what is refused. What an earlier generation asked for in
// vain does not stop a later one that changes something else.
func learnRefusal(st *Status, generation int64, look Look, did deed) {
	r := RefusalOf(look.Failure)
	switch {
	case r == nil && did.applied:
		st.Refused = nil
	case r != nil && (st.Refused == nil || st.Refused.What != r.What):
		st.Refused = &Refused{What: r.What, Generation: generation}
	}
}

// refused is what of the current generation the platform has refused; nil if
// nothing.
func (v view) refused() *Refusal { return RefusalOf(v.look.Failure) }

// refusedNow reports whether the task on its way ends here: the platform has
// refused what this generation asks for, or nothing else is left to be done.
func (v view) refusedNow() bool {
	r, known := v.refused(), v.rec.Status.Refused
	if r == nil {
		return false
	}
	return !r.Rest || known == nil || known.Generation == v.rec.Generation || v.restAsWanted()
}

// restAsWanted reports whether nodes and members are as wanted, whatever was
// refused beside them.
func (v view) restAsWanted() bool {
	if v.want == 0 {
		return len(v.look.Found.Nodes) == 0 && v.look.Found.Replicas <= 0
	}
	v.look.Failure = nil
	return v.agreed()
}

// stuck reports whether the last write failed in a way that holds everything
// else up, too.
func (v view) stuck() bool {
	r := v.refused()
	return v.look.Failure != nil && (r == nil || !r.Rest)
}

func refusedTask(v view) (State, Reason, string) {
	return Abnormal, ReasonRefused, refusedBy(v) + "; change it, nothing else helps"
}

func refusedFirst(v view) (State, Reason, string) {
	return Nonexistent, ReasonRefused, "nothing of the cluster was made: " + refusedBy(v) + "; delete the record and create it in another way, or repair to try again"
}

// refusedBy gives the platform's words, and what has become of the rest.
func refusedBy(v view) string {
	out := MessageOf(v.look.Failure)
	if r := v.refused(); r != nil && r.Rest && v.restAsWanted() {
		out += " (everything else is as wanted)"
	}
	return out
}
