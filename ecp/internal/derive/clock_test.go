package derive

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Patience is counted while somebody looks, whatever the wall clock does.
func TestPatienceAndClocks(t *testing.T) {
	for name, c := range map[string]struct {
		wall, tick time.Duration // from the last observation to this one, planned for a second later
		lost       time.Duration
	}{
		"as planned":                        {time.Second, time.Second, 0},
		"a little late":                     {8 * time.Second, 8 * time.Second, 0},
		"the clock runs a little fast":      {1100 * time.Millisecond, time.Second, 0},
		"the clock is set forward":          {time.Hour + time.Second, time.Second, time.Hour},
		"the clock is set back":             {time.Second - time.Hour, time.Second, -time.Hour},
		"the machine was asleep":            {time.Hour, time.Second, time.Hour - time.Second},
		"the process was suspended":         {time.Hour, time.Hour, time.Hour - time.Second - ObserveSlack},
		"suspended, and the clock set back": {0, time.Hour, -time.Second - ObserveSlack},
	} {
		t.Run(name, func(t *testing.T) {
			var rec ecp.ClusterRecord
			st := &rec.Status
			st.Deadline, st.Draining = t0.Add(time.Minute), &ecp.Draining{Node: "a", Since: t0}
			k := NewClockMark(rec, t0, t0)
			k.Planned = time.Second
			lost := k.Lost(rec, t0.Add(c.wall), t0.Add(c.tick))
			require.Equal(t, LostTime{c.lost, c.lost}, lost)
			shiftDeadlines(st, lost)
			require.Equal(t, t0.Add(time.Minute+c.lost), st.Deadline)
			require.Equal(t, t0.Add(c.lost), st.Draining.Since)

			st.Deadline, st.Draining.Since = t0.Add(30*time.Minute), t0.Add(time.Minute) // by a command since then
			rec.Revision, rec.UpdatedAt = 1, t0.Add(c.wall)
			require.Zero(t, k.Lost(rec, t0.Add(c.wall), t0.Add(c.tick)))

			rec.UpdatedAt = t0.Add(c.wall + time.Hour) // by one of another program, whose clock is wrong
			require.Equal(t, LostTime{deadline: -time.Hour}, k.Lost(rec, t0.Add(c.wall), t0.Add(c.tick)))
		})
	}
	rec := ecp.ClusterRecord{Status: ecp.Status{Deadline: t0}}
	require.Zero(t, ClockMark{}.Lost(rec, t0.Add(time.Hour), t0.Add(time.Hour)), "nothing was looked at yet")
}

// What another process has stored under another clock is bounded.
func TestTimesOfAnotherProcess(t *testing.T) {
	for name, back := range map[string]time.Duration{"set back": -24 * time.Hour, "down for long": 24 * time.Hour} {
		rec := aRecord(ecp.Updating)
		rec.Status.Deadline, rec.Status.Draining = t0.Add(time.Minute), &ecp.Draining{Node: nodeName(2), Since: t0}
		now := t0.Add(back)
		AdjustDeadlines(patient, now, &rec, nil, aLook(3, 3), Outcome{FirstObservation: true})
		require.WithinRange(t, rec.Status.Deadline, now.Add(patient.Dispatch),
			now.Add(longestPatience(patient)+DrainTime(rec)), name)
		require.False(t, rec.Status.Draining.Since.After(now), name)
		require.False(t, rec.Status.Draining.Since.Add(DefaultDrainDeadline).Before(now.Add(patient.Dispatch)), name)
	}
}
