package derive

import (
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/cron"
)

// clockSetBack is by how much a clock has to be set back for a due time that was handled
// to count as not handled: with less, what was done would be done twice.
const clockSetBack = time.Hour

// PowerDue is what hibernation asks for.
type PowerDue struct {
	Command ecp.CommandKind // stop or start; "" = neither
	// Handled is the due time that is handled with it, or by doing nothing; zero = none is
	// due.
	Handled time.Time
	Waits   *NotOnSchedule // why the command has to wait; nil = it has not
}

// NotOnSchedule is why what is due is not done yet.
type NotOnSchedule struct {
	Reason ecp.Reason
	Why    string
}

// DuePower returns what the schedule of a cluster asks for at a time: of what has become
// due since the last time the newest, and nothing of all before. Only what the schedule
// has stopped is started by it.
func DuePower(rec ecp.ClusterRecord, op *ecp.Operation, snap Snapshot, now time.Time) PowerDue {
	h := rec.Spec.Hosted.Hibernation
	if h == (ecp.Hibernation{}) || rec.Deleting {
		return PowerDue{}
	}
	sleep, wake, err := hibernationOf(h)
	if err != nil {
		return PowerDue{Waits: &NotOnSchedule{ecp.ReasonInProgress, "spec.hibernation " + err.Error()}}
	}
	lastSleep, lastWake, st := sleep.Last(now), wake.Last(now), rec.Status.Sleep
	last := latest(lastSleep, lastWake)
	switch {
	case st.Handled.IsZero(), st.Handled.After(now.Add(clockSetBack)):
		return PowerDue{Handled: now}
	case !last.After(st.Handled):
		return PowerDue{}
	}
	due := PowerDue{Handled: last, Command: ecp.CommandStart}
	off := rec.Spec.Hosted.Power == ecp.PowerOff
	switch wakes := last.Equal(lastWake); {
	case wakes && (!off || !st.Asleep), !wakes && off:
		due.Command = ""
		return due
	case !wakes:
		due.Command = ecp.CommandStop
	}
	due.Waits = whyNotOnSchedule(rec, op, snap, now)
	if due.Waits == nil && !slices.Contains(rec.Legal(), due.Command) {
		due.Waits = &NotOnSchedule{rec.Status.Reason,
			fmt.Sprintf("a cluster that is %s cannot take %s", rec.Status.State, due.Command)}
	}
	if due.Waits != nil {
		due.Waits.Why = fmt.Sprintf("%s has been due since %s: %s", due.Command, moment(last), due.Waits.Why)
	}
	return due
}

// whyNotOnSchedule returns what has to end before the schedule may act; nil if nothing has. A
// change that waits for a maintenance window is carried out by the start that follows.
func whyNotOnSchedule(rec ecp.ClusterRecord, op *ecp.Operation, snap Snapshot, now time.Time) *NotOnSchedule {
	if op == nil || op.Phase.Final() || !NewView(now, rec, snap).Opens().IsZero() {
		return nil
	}
	return &NotOnSchedule{ecp.ReasonInProgress,
		fmt.Sprintf("the operation %s (%s) comes to its end before", op.ID, op.Kind)}
}

// hibernationOf reads a schedule; what is empty is never due.
func hibernationOf(h ecp.Hibernation) (sleep, wake cron.Schedule, err error) {
	zone, err := cron.Zone(h.TimeZone)
	if err == nil && h.Sleep != "" {
		sleep, err = cron.Parse(h.Sleep, zone)
	}
	if err == nil && h.Wake != "" {
		wake, err = cron.Parse(h.Wake, zone)
	}
	return sleep, wake, err
}

// HibernationInfo returns where a cluster stands with its hibernation; nil where none is
// asked for and nothing is left of one.
func HibernationInfo(rec ecp.ClusterRecord, now time.Time) *ecp.HibernationInfo {
	h := rec.Spec.Hosted.Hibernation
	if h == (ecp.Hibernation{}) && !rec.Status.Sleep.Asleep {
		return nil
	}
	sleep, wake, err := hibernationOf(h)
	if err != nil {
		return &ecp.HibernationInfo{Asleep: rec.Status.Sleep.Asleep}
	}
	return &ecp.HibernationInfo{Asleep: rec.Status.Sleep.Asleep, NextSleep: sleep.Next(now), NextWake: wake.Next(now)}
}

// SettleSleep lets what hibernation has done end with what was asked for since: who is
// started sleeps no more and books its connections, and so does who is to keep them.
func SettleSleep(rec *ecp.ClusterRecord) {
	if rec.Spec.Hosted == nil {
		return
	}
	if rec.Spec.Hosted.Power == ecp.PowerOn {
		rec.Status.Sleep.Asleep, rec.Status.Sleep.Released = false, false
	}
	if rec.Spec.Hosted.Hibernation.KeepQuota {
		rec.Status.Sleep.Released = false
	}
}

// releaseAsleep books the connections of a cluster no more that sleeps. Until no node is
// left clients may have them.
func releaseAsleep(rec *ecp.ClusterRecord) {
	h := rec.Spec.Hosted.Hibernation
	if rec.Status.State == ecp.Stopped && rec.Status.Sleep.Asleep && h != (ecp.Hibernation{}) && !h.KeepQuota {
		rec.Status.Sleep.Released = true
	}
}

// NextDue returns how long it is until a schedule of a cluster asks for something; 0 = none
// does.
func NextDue(rec ecp.ClusterRecord, snap Snapshot, now time.Time) time.Duration {
	var next []time.Time
	if h := HibernationInfo(rec, now); h != nil {
		next = append(next, h.NextSleep, h.NextWake)
	}
	next = append(next, NewView(now, rec, snap).Opens())
	next = slices.DeleteFunc(next, time.Time.IsZero)
	if len(next) == 0 {
		return 0
	}
	return max(slices.MinFunc(next, time.Time.Compare).Sub(now), time.Millisecond)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// moment is a time in words, in its own zone.
func moment(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }
