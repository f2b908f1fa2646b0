package derive

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sleeper is a cluster that sleeps from 20:00 to 7:00 UTC, in a state.
func sleeper(s ecp.State, handled time.Time) ecp.ClusterRecord {
	rec := aRecord(s)
	rec.Spec.Hosted.Hibernation = ecp.Hibernation{Sleep: "0 20 * * *", Wake: "0 7 * * *"}
	rec.Status.Sleep.Handled = handled
	return rec
}

func TestDuePower(t *testing.T) {
	noon, evening, morning := at("2026-01-02T12:00:00Z"), at("2026-01-02T20:00:00Z"), at("2026-01-03T07:00:00Z")
	for name, c := range map[string]struct {
		state   ecp.State
		handled time.Time
		now     time.Time
		is      func(*ecp.ClusterRecord)
		op      ecp.Phase
		want    PowerDue
		waits   string
	}{
		"nothing was looked for yet": {state: ecp.Running, now: morning, want: PowerDue{Handled: morning}},
		"before it is due":           {state: ecp.Running, handled: noon, now: evening.Add(-1)},
		"sleep": {state: ecp.Running, handled: t0, now: evening,
			want: PowerDue{Command: ecp.CommandStop, Handled: evening}},
		"sleep, an hour later": {state: ecp.Degraded, handled: t0, now: evening.Add(time.Hour),
			want: PowerDue{Command: ecp.CommandStop, Handled: evening}},
		"handled": {state: ecp.Running, handled: evening, now: evening.Add(time.Hour)},
		"the newest only": {state: ecp.Running, handled: t0, now: morning.Add(time.Hour),
			want: PowerDue{Handled: morning}},
		"asleep at wake": {state: ecp.Stopped, handled: evening, now: morning,
			is:   func(rec *ecp.ClusterRecord) { rec.Status.Sleep.Asleep = true },
			want: PowerDue{Command: ecp.CommandStart, Handled: morning}},
		"stopped by hand at wake": {state: ecp.Stopped, handled: evening, now: morning,
			want: PowerDue{Handled: morning}},
		"stopped by hand at sleep": {state: ecp.Stopped, handled: t0, now: evening, want: PowerDue{Handled: evening}},
		"being deleted": {state: ecp.Stopping, handled: t0, now: evening,
			is: func(rec *ecp.ClusterRecord) { rec.Deleting = true }},
		"an operation runs": {state: ecp.Updating, handled: t0, now: evening, op: ecp.PhaseRunning,
			want: PowerDue{Command: ecp.CommandStop, Handled: evening}, waits: "op-1 (update) comes to its end"},
		"an operation has ended": {state: ecp.Abnormal, handled: t0, now: evening, op: ecp.PhaseFailed,
			want: PowerDue{Command: ecp.CommandStop, Handled: evening}},
		"stop is not legal": {state: ecp.Nonexistent, handled: t0, now: evening,
			want:  PowerDue{Command: ecp.CommandStop, Handled: evening},
			waits: "stop has been due since 2026-01-02 20:00 UTC: a cluster that is nonexistent cannot take stop"},
		"the clock was set back a little": {state: ecp.Stopped, handled: evening, now: evening.Add(-time.Minute)},
		"the clock was set back a lot":    {state: ecp.Stopped, handled: evening, now: t0, want: PowerDue{Handled: t0}},
		"no such zone": {state: ecp.Running, handled: t0, now: evening,
			is:    func(rec *ecp.ClusterRecord) { rec.Spec.Hosted.Hibernation.TimeZone = "Mars/Olympus" },
			waits: `spec.hibernation is "Mars/Olympus", which is no time zone`},
	} {
		t.Run(name, func(t *testing.T) {
			rec := sleeper(c.state, c.handled)
			if c.is != nil {
				c.is(&rec)
			}
			var op *ecp.Operation
			if c.op != "" {
				op = &ecp.Operation{ID: "op-1", Kind: ecp.OpUpdate, Phase: c.op}
			}
			got := DuePower(rec, op, aLook(3, 3), c.now)
			if c.waits == "" {
				require.Nil(t, got.Waits)
			} else {
				require.NotNil(t, got.Waits)
				require.Contains(t, got.Waits.Why, c.waits)
			}
			got.Waits = nil
			require.Equal(t, c.want, got)
		})
	}
}

// However seldom a daemon looks and whatever people do, each due time is handled once at
// most, and after each look the cluster is as the newest due time has it or as a person
// has left it since.
func TestEachDueTimeIsHandledOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := at("2026-01-02T12:00:00Z")
		rec := sleeper(ecp.Running, now)
		byHand, acted := false, map[time.Time]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "minutes")) * time.Minute)
			due := DuePower(rec, nil, aLook(3, 3), now)
			if !due.Handled.IsZero() {
				if acted[due.Handled] || due.Handled.After(now) || now.Sub(due.Handled) > 13*time.Hour {
					t.Fatalf("at %s: %+v", now, due)
				}
				acted[due.Handled], rec.Status.Sleep.Handled = true, due.Handled
				byHand = byHand && due.Command == ""
			}
			if due.Command == ecp.CommandStart && !rec.Status.Sleep.Asleep {
				t.Fatalf("at %s it wakes what a person has stopped", now)
			}
			switch due.Command { //nolint:exhaustive // a schedule has no others
			case ecp.CommandStop:
				rec.Status.State, rec.Spec.Hosted.Power, rec.Status.Sleep.Asleep = ecp.Stopped, ecp.PowerOff, true
			case ecp.CommandStart:
				rec.Status.State, rec.Spec.Hosted.Power = ecp.Running, ecp.PowerOn
			}
			SettleSleep(&rec)
			night := now.Hour() >= 20 || now.Hour() < 7
			if off := rec.Spec.Hosted.Power == ecp.PowerOff; off != night && !byHand {
				t.Fatalf("at %s it is off: %t", now, off)
			}
			switch rapid.SampledFrom([]string{"", "", "start", "stop"}).Draw(t, "person") {
			case "start":
				rec.Status.State, rec.Spec.Hosted.Power, byHand = ecp.Running, ecp.PowerOn, true
			case "stop":
				rec.Status.State, rec.Spec.Hosted.Power, byHand = ecp.Stopped, ecp.PowerOff, true
				rec.Status.Sleep.Asleep = false
			}
			SettleSleep(&rec)
		}
	})
}

func at(text string) time.Time {
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return out.UTC()
}

func TestMaintenanceOpens(t *testing.T) {
	saturdays := ecp.Maintenance{TimeZone: "Europe/Berlin",
		Windows: []ecp.MaintenanceWindow{{Start: "0 2 * * 6", Duration: "4h"}, {Start: "0 22 * * 6", Duration: "30m"}}}
	for now, want := range map[string]string{
		"2026-07-03T23:59:59Z": "2026-07-04T00:00:00Z",
		"2026-07-04T00:00:00Z": "",
		"2026-07-04T03:59:59Z": "",
		"2026-07-04T04:00:00Z": "2026-07-04T20:00:00Z",
		"2026-07-04T20:15:00Z": "",
		"2026-07-04T20:30:00Z": "2026-07-11T00:00:00Z",
		"2026-12-04T23:00:00Z": "2026-12-05T01:00:00Z", // in winter
	} {
		got, err := MaintenanceOpens(saturdays, at(now))
		require.NoError(t, err)
		if want == "" {
			require.Zero(t, got, now)
		} else {
			require.Equal(t, at(want), got.UTC(), now)
		}
	}
	got, err := MaintenanceOpens(ecp.Maintenance{}, t0)
	require.NoError(t, err)
	require.Zero(t, got)
	_, err = MaintenanceOpens(ecp.Maintenance{Windows: []ecp.MaintenanceWindow{{Start: "x"}}}, t0)
	require.Error(t, err)
}

// Outside its windows a cluster loses no node that serves, and what has begun goes on.
func TestNodesWaitForTheWindow(t *testing.T) {
	closed := func(m *moving) {
		m.rec.Status.InWindows = true
		m.rec.Spec.Hosted.Maintenance.Windows = []ecp.MaintenanceWindow{{Start: "0 4 * * *", Duration: "1h"}}
	}
	opens := at("2026-01-02T04:00:00Z")
	wait := RolloutStep{Opens: opens,
		Waits: "nodes are replaced in the maintenance window that opens at 2026-01-02 04:00 UTC"}
	for name, c := range map[string]struct {
		is   func(*moving)
		want RolloutStep
	}{
		"outside":       {func(m *moving) { m.outdated(0, 1, 2) }, wait},
		"the only node": {func(m *moving) { m.outdated(0); m.rec.Spec.Hosted.Nodes = 3 }, wait},
		"one that was begun": {func(m *moving) { m.outdated(0, 1, 2); m.leaving(2) },
			RolloutStep{Drain: nodeName(2)}},
		"one that does not serve": {func(m *moving) { m.outdated(0, 1); m.notReady(1) },
			RolloutStep{Replace: []int{1}}},
		"one that leaves for good": {func(m *moving) { m.fewer(2) }, RolloutStep{Drain: nodeName(2)}},
		"in place": {func(m *moving) { m.resize(ecp.ResizeDue, 0, 1, 2) },
			RolloutStep{Resize: []int{2}}},
		"another is away": {func(m *moving) { m.outdated(0, 1); m.notReady(2) },
			RolloutStep{Waits: "n2 is not ready"}},
		"not for this change": {func(m *moving) { m.outdated(0); m.rec.Status.InWindows = false },
			RolloutStep{Drain: nodeName(0)}},
	} {
		m := newMoving(closed)
		c.is(&m)
		v := NewView(t0, m.rec, m.look)
		require.Equal(t, c.want, NextRolloutStep(v, false), name)
		require.Equal(t, c.want.Opens, v.Opens(), name)
	}
	m := newMoving(closed)
	m.outdated(0)
	require.Equal(t, RolloutStep{Drain: nodeName(0)}, NextRolloutStep(NewView(opens, m.rec, m.look), false), "inside")
}

// The time of a change does not run while it waits for a window only.
func TestDeadlinesStandStillUntilTheWindow(t *testing.T) {
	m := newMoving(func(m *moving) {
		m.outdated(0, 1, 2)
		m.look.Found.Converged = false
		m.rec.Status.InWindows = true
		m.rec.Spec.Hosted.Maintenance.Windows = []ecp.MaintenanceWindow{{Start: "0 4 * * *", Duration: "1h"}}
	})
	op := anOperation(&m.rec, ecp.OpUpdate)
	left := m.rec.Status.Deadline.Sub(t0)
	waiting := last(t, Advance(patient, t0, m.rec, op, m.look, Outcome{}))
	require.Equal(t, t0, waiting.Status.WindowFrom)
	later := t0.Add(50 * time.Minute)
	still := Advance(patient, later, waiting, op, m.look, Outcome{})
	for _, rec := range still.Transitions {
		require.Equal(t, ecp.Updating, rec.Status.State, rec.Status.Message)
	}
	opens := at("2026-01-02T04:00:00Z")
	begun := last(t, Advance(patient, opens, waiting, op, m.look, Outcome{}))
	require.Zero(t, begun.Status.WindowFrom)
	require.Equal(t, left, begun.Status.Deadline.Sub(opens))

	away := m.look
	away.Found.Nodes = away.Found.Nodes[:2]
	counts := last(t, Advance(patient, later, waiting, op, away, Outcome{}))
	require.Zero(t, counts.Status.WindowFrom, "a node that is away is waited for, too")
}
