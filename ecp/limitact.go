package ecp

import (
	"fmt"
	"slices"
	"time"
)

// limitAct is what is to be done next about the limit of a broker.
type limitAct int

const (
	limitDone    limitAct = iota // the broker has what it is to have
	limitSend                    // it is to be sent
	limitWait                    // it was taken, and does not show yet
	limitRefused                 // it takes none
)

// limitStep is such an act, and what there is to say of it.
type limitStep struct {
	act  limitAct
	n    int    // the number that the broker is to have
	note string // what was left as it is, and why; "" means nothing was
	why  string // of a wait or a refusal
}

// nextLimitStep compares what a broker has with what it is to have. It is pure, and
// knows of earlier steps only what is in the record. asked says that an operation
// waits for it: what somebody else has set at the broker since is overwritten only
// then, and never where a limit is given back.
func nextLimitStep(rec ClusterRecord, asked bool, major int, is ConnectionLimit) limitStep {
	l := *rec.Status.Limit
	n, release := rec.limitTarget()
	out := limitStep{n: n}
	switch {
	case release && (l.untouched() || l.Former == nil): // nothing was sent
		return out
	case !is.Settable && (release || !asked) && (major >= 5 || formerLimit(l, is.InForce)):
		out.note = "EMQX takes no limit at run time any more, so that none from here is in force: " + is.Why
		if major >= 5 { // it keeps the setting, and cannot be told to forget it
			out.note += "; what was set from here counts again once a business critical license is loaded: set it by hand then"
		}
		return out
	case !is.Settable:
		out.act, out.why = limitRefused, is.Why
		return out
	case l.Former == nil && major < 5 && is.Set == 0:
		out.act, out.why = limitRefused, "EMQX does not tell which limit it has, so that it could not be put back"
		return out
	case is.Set == n && (release || is.InForce <= n):
		return out
	case is.Set == n:
		out.act, out.why = limitWait, fmt.Sprintf("EMQX has taken %d and still allows %d connections", n, is.InForce)
		return out
	case release && !l.ours(is.Set), !asked && !l.ours(is.Set) && !formerLimit(l, is.Set):
		out.note = fmt.Sprintf("somebody else has set %d at EMQX since; that was left", is.Set)
		return out
	}
	out.act = limitSend
	return out
}

// limitOutcome is what came of bringing a broker to the limit that it is to have.
type limitOutcome struct {
	done    bool
	is      ConnectionLimit
	read    bool // is was read after everything that was sent
	note    string
	err     error // why it is not done
	final   bool  // trying again would not help
	refused int   // the number that the broker refused; 0 means none
	steps   int   // how many steps are done
	// dropped is set where the broker took the number and dropped it.
	dropped *LimitDropped
}

// limitSteps are the steps of an operation that sets a limit.
var limitSteps = []stepRow{{name: "limit-read"}, {name: "limit-set"}, {name: "limit-verified"}}

// limitAfter is what a record and its operation become by an outcome: pure, so that
// it can be asked again in the transaction that stores it. late says that the time
// of the operation is over. An operation ends together with what it has booked.
func limitAfter(now time.Time, rec ClusterRecord, op *Operation, out limitOutcome, late bool) (ClusterRecord, *Operation) {
	rec = rec.Clone()
	if op != nil {
		o := op.Clone()
		op = &o
	}
	switch {
	case out.done:
		limitReached(&rec, now, out)
		endLimit(op, now, PhaseSucceeded, "", out)
	case op != nil && (out.final || late):
		limitFailed(&rec, now, out)
		endLimit(op, now, PhaseFailed, limitFailure(out, late), out)
	case op != nil:
		op.Phase, op.Error = PhaseRunning, cause(MessageOf(out.err))
		stepsDone(op, out.steps)
	}
	if op != nil && op.Phase.Final() && rec.Status.Operation == op.ID {
		rec.Status.Operation, rec.Status.Before = "", nil
	}
	return rec, op
}

// limitReached notes that the broker has what it is to have.
func limitReached(r *ClusterRecord, now time.Time, out limitOutcome) {
	n, release := r.limitTarget()
	if release {
		r.Status.Limit = nil
		return
	}
	l := r.Status.Limit
	l.Sent, l.Pending = nil, false
	if out.note != "" { // it is as it was, and somebody else's number is in force
		return
	}
	l.Set, l.InForce, l.At = n, out.is.InForce, now
	if l.Former == nil { // EMQX had the number already
		l.Former = &n
	}
	r.Status.LimitDropped = nil
}

// limitFailed goes back to what was set last. What may have reached the broker
// stays booked until that is known.
func limitFailed(r *ClusterRecord, now time.Time, out limitOutcome) {
	l := r.Status.Limit
	if out.read {
		l.Sent = slices.DeleteFunc(l.Sent, func(n int) bool { return n != out.is.Set && n != out.is.InForce })
	}
	if out.refused > 0 {
		l.Sent = slices.DeleteFunc(l.Sent, func(n int) bool { return n == out.refused })
	}
	l.Pending = len(l.Sent) > 0 || !out.read
	if r.Spec.Adopted.Connections != l.Set {
		r.Spec.Adopted.Connections = l.Set
		r.Generation++
		r.Revision++
		r.UpdatedAt = now
	}
	r.Status.LimitDropped = out.dropped
	if l.untouched() {
		r.Status.Limit = nil
	}
}

// limitFailure says why a limit was not set.
func limitFailure(out limitOutcome, late bool) string {
	why := MessageOf(out.err)
	if late && !out.final {
		why = "its time was over: " + why
	}
	if out.final && out.dropped != nil {
		why = ErrLicenceNotBusinessCritical.Code + ": " + why
	}
	return clip(why, 1000)
}

// endLimit ends an operation; nil means that none waits.
func endLimit(o *Operation, now time.Time, p Phase, why string, out limitOutcome) {
	if o == nil {
		return
	}
	o.Phase, o.Error, o.EndedAt = p, why, now
	if p != PhaseSucceeded {
		stepsDone(o, out.steps)
		return
	}
	stepsDone(o, len(o.Steps))
	o.Note = out.note
	if is := out.is; o.Note == "" && is.InForce > 0 && is.InForce < is.Set {
		o.Note = fmt.Sprintf("EMQX keeps to %d connections: its license allows no more", is.InForce)
	}
}

// stepsDone marks the first steps as done.
func stepsDone(o *Operation, n int) {
	for i := range o.Steps {
		o.Steps[i].Done, o.Steps[i].Total = truth(i < n), 1
	}
}
