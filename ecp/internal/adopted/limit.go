package adopted

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// LimitAction is what is to be done next about the limit of a broker.
type LimitAction int

const (
	LimitDone    LimitAction = iota // the broker has what it is to have
	LimitSend                       // it is to be sent
	LimitWait                       // it was taken, and does not show yet
	LimitRefused                    // it takes none
)

// LimitStep is such an act, and what there is to say of it.
type LimitStep struct {
	Action LimitAction
	Limit  int    // the number that the broker is to have
	Note   string // what was left as it is, and why; "" means nothing was
	Why    string // of a wait or a refusal
}

// NextLimitStep compares what a broker has with what it is to have. It is pure, and
// knows of earlier steps only what is in the record. asked says that an operation
// waits for it: what somebody else has set at the broker since is overwritten only
// then, and never where a limit is given back.
func NextLimitStep(rec ecp.ClusterRecord, asked bool, major int, is ecp.ConnectionLimit) LimitStep {
	l := *rec.Status.Limit
	n, release := rec.LimitTarget()
	out := LimitStep{Limit: n}
	switch {
	case release && (l.Untouched() || l.Former == nil): // nothing was sent
		return out
	case !is.Settable && (release || !asked) && (major >= 5 || l.Theirs(is.InForce)):
		out.Note = "EMQX takes no limit at run time any more, so that none from here is in force: " + is.Why
		if major >= 5 { // it keeps the setting, and cannot be told to forget it
			out.Note += "; what was set from here counts again once a business critical license is loaded: set it by " +
				"hand then"
		}
		return out
	case !is.Settable:
		out.Action, out.Why = LimitRefused, is.Why
		return out
	case l.Former == nil && major < 5 && is.Set == 0:
		out.Action, out.Why = LimitRefused, "EMQX does not tell which limit it has, so that it could not be put back"
		return out
	case is.Set == n && (release || is.InForce <= n):
		return out
	case is.Set == n:
		out.Action, out.Why = LimitWait, fmt.Sprintf("EMQX has taken %d and still allows %d connections", n, is.InForce)
		return out
	case release && !l.Ours(is.Set), !asked && !l.Ours(is.Set) && !l.Theirs(is.Set):
		out.Note = fmt.Sprintf("somebody else has set %d at EMQX since; that was left", is.Set)
		return out
	}
	out.Action = LimitSend
	return out
}

// LimitOutcome is what came of bringing a broker to the limit that it is to have.
type LimitOutcome struct {
	Done    bool
	Is      ecp.ConnectionLimit
	Read    bool // is was read after everything that was sent
	Note    string
	Err     error // why it is not done
	Final   bool  // trying again would not help
	Refused int   // the number that the broker refused; 0 means none
	Steps   int   // how many steps are done
	// Dropped is set where the broker took the number and dropped it.
	Dropped *ecp.LimitDropped
}

// LimitAfter is what a record and its operation become by an outcome: pure, so that
// it can be asked again in the transaction that stores it. late says that the time
// of the operation is over. An operation ends together with what it has booked.
func LimitAfter(now time.Time, rec ecp.ClusterRecord, op *ecp.Operation, out LimitOutcome,
	late bool) (ecp.ClusterRecord, *ecp.Operation) {
	rec = rec.Clone()
	if op != nil {
		o := op.Clone()
		op = &o
	}
	switch {
	case out.Done:
		limitReached(&rec, now, out)
		endLimit(op, now, ecp.PhaseSucceeded, "", out)
	case op != nil && (out.Final || late):
		limitFailed(&rec, now, out)
		endLimit(op, now, ecp.PhaseFailed, limitFailure(out, late), out)
	case op != nil:
		op.Phase, op.Error = ecp.PhaseRunning, Cause(ecp.MessageOf(out.Err))
		derive.StepsDone(op, out.Steps)
	}
	if op != nil && op.Phase.Final() && rec.Status.Operation == op.ID {
		rec.Status.Operation, rec.Status.Previous = "", nil
	}
	return rec, op
}

// limitReached notes that the broker has what it is to have.
func limitReached(r *ecp.ClusterRecord, now time.Time, out LimitOutcome) {
	n, release := r.LimitTarget()
	if release {
		r.Status.Limit = nil
		return
	}
	l := r.Status.Limit
	l.Sent, l.Pending = nil, false
	if out.Note != "" { // it is as it was, and somebody else's number is in force
		return
	}
	l.Set, l.InForce, l.At = n, out.Is.InForce, now
	if l.Former == nil { // EMQX had the number already
		l.Former = &n
	}
	r.Status.LimitDropped = nil
}

// limitFailed goes back to what was set last. What may have reached the broker
// stays booked until that is known.
func limitFailed(r *ecp.ClusterRecord, now time.Time, out LimitOutcome) {
	l := r.Status.Limit
	if out.Read {
		l.Sent = slices.DeleteFunc(l.Sent, func(n int) bool { return n != out.Is.Set && n != out.Is.InForce })
	}
	if out.Refused > 0 {
		l.Sent = slices.DeleteFunc(l.Sent, func(n int) bool { return n == out.Refused })
	}
	l.Pending = len(l.Sent) > 0 || !out.Read
	if r.Spec.Adopted.Connections != l.Set {
		r.Spec.Adopted.Connections = l.Set
		r.Generation++
		r.Revision++
		r.UpdatedAt = now
	}
	r.Status.LimitDropped = out.Dropped
	if l.Untouched() {
		r.Status.Limit = nil
	}
}

// limitFailure returns why a limit was not set.
func limitFailure(out LimitOutcome, late bool) string {
	why := ecp.MessageOf(out.Err)
	if late && !out.Final {
		why = "its time was over: " + why
	}
	if out.Final && out.Dropped != nil {
		why = ecp.ErrLicenseNotBusinessCritical.Code + ": " + why
	}
	return derive.Clip(why, 1000)
}

// endLimit ends an operation; nil means that none waits.
func endLimit(o *ecp.Operation, now time.Time, p ecp.Phase, why string, out LimitOutcome) {
	if o == nil {
		return
	}
	o.Phase, o.Error, o.EndedAt = p, why, now
	if p != ecp.PhaseSucceeded {
		derive.StepsDone(o, out.Steps)
		return
	}
	derive.StepsDone(o, len(o.Steps))
	o.Note = out.Note
	if is := out.Is; o.Note == "" && is.InForce > 0 && is.InForce < is.Set {
		o.Note = fmt.Sprintf("EMQX keeps to %d connections: its license allows no more", is.InForce)
	}
}

// LimitLeft returns in words what stays behind at a broker whose cluster is removed without
// putting its own limit back; it is empty where nothing does.
func LimitLeft(r ecp.ClusterRecord) string {
	l := r.Status.Limit
	if l == nil || l.Untouched() {
		return ""
	}
	has := fmt.Sprintf("the limit of %d connections that was set from here", l.Set)
	if len(l.Sent) > 0 {
		numbers := slices.Clone(l.Sent)
		if l.Set > 0 {
			numbers = append(numbers, l.Set)
		}
		slices.Sort(numbers)
		all := strings.Trim(strings.ReplaceAll(fmt.Sprint(slices.Compact(numbers)), " ", ", "), "[]")
		has = fmt.Sprintf("one of the limits that were sent from here (%s connections)", all)
	}
	former := "which it had before is not known"
	if l.Former != nil {
		former = fmt.Sprintf("before the first change it was %d", *l.Former)
	}
	return "EMQX may keep " + has + "; " + former + ": set it there by hand"
}
