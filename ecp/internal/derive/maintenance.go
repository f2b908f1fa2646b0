package derive

import (
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/cron"
)

// MaintenanceOpens returns when a maintenance window opens; zero where one is open, or where
// nodes may be replaced at any time.
func MaintenanceOpens(m ecp.Maintenance, now time.Time) (opens time.Time, err error) {
	zone, err := cron.Zone(m.TimeZone)
	for _, w := range m.Windows {
		var start cron.Schedule
		if err == nil {
			start, err = cron.Parse(w.Start, zone)
		}
		length, wrong := time.ParseDuration(w.Duration)
		if err == nil {
			err = wrong
		}
		if err != nil {
			return time.Time{}, err
		}
		if last := start.Last(now); !last.IsZero() && now.Before(last.Add(length)) {
			return time.Time{}, nil
		}
		if next := start.Next(now); opens.IsZero() || next.Before(opens) {
			opens = next
		}
	}
	return opens, nil
}

// ReplacesInWindows reports whether an operation replaces nodes in maintenance windows only.
// Who goes back to what was before does it since something is wrong, and does not wait; nor
// does the rest of a change that does not.
func ReplacesInWindows(kind ecp.OperationKind, now, back bool, before, after ecp.ClusterRecord) bool {
	st := before.Status
	rolling := st.State == ecp.Updating || st.State == ecp.Syncing || st.Reason == ecp.ReasonUpdateFailed ||
		st.Reason == ecp.ReasonSyncFailed
	return (kind == ecp.OpUpdate || kind == ecp.OpRestart) && !now && !back &&
		len(after.Spec.Hosted.Maintenance.Windows) > 0 && (!rolling || !unfinished(st) || st.InWindows)
}

// Opens returns when the maintenance window opens that the next node waits for, while
// nothing else is waited for; otherwise the zero time.
func (v View) Opens() time.Time {
	if !v.Rec.Status.InWindows || !v.MayRollOut() {
		return time.Time{}
	}
	return NextRolloutStep(v, false).Opens
}

// outsideWindow returns why no node that serves may be replaced now, and when one may; "" =
// one may.
func (v View) outsideWindow() (why string, opens time.Time) {
	if !v.Rec.Status.InWindows {
		return "", time.Time{}
	}
	opens, err := MaintenanceOpens(v.Rec.Spec.Hosted.Maintenance, v.now)
	switch {
	case err != nil:
		return "spec.maintenance " + err.Error(), time.Time{}
	case opens.IsZero():
		return "", time.Time{}
	}
	return "nodes are replaced in the maintenance window that opens at " + moment(opens), opens
}

// BeginsLater says in a plan that nodes are replaced later.
func BeginsLater(opens time.Time) string {
	return "no node is replaced before the maintenance window opens, at " + moment(opens) + "; what needs no " +
		"replacement is done at once, and so is everything that is asked for with now"
}
