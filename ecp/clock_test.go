package ecp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is counted while somebody looks, whatever the wall clock does.
func TestPatienceAndClocks(t *testing.T) {
	for name, c := range map[string]struct {
		wall, tick time.Duration // from the last look to this one, planned for a second later
		lost       time.Duration
	}{
		"as planned":                        {time.Second, time.Second, 0},
		"a little late":                     {8 * time.Second, 8 * time.Second, 0},
		"the clock runs a little fast":      {1100 * time.Millisecond, time.Second, 0},
		"the clock is set forward":          {time.Hour + time.Second, time.Second, time.Hour},
		"the clock is set back":             {time.Second - time.Hour, time.Second, -time.Hour},
		"the machine was asleep":            {time.Hour, time.Second, time.Hour - time.Second},
		"the process was suspended":         {time.Hour, time.Hour, time.Hour - time.Second - lookSlack},
		"suspended, and the clock set back": {0, time.Hour, -time.Second - lookSlack},
	} {
		t.Run(name, func(t *testing.T) {
			st := Status{Deadline: t0.Add(time.Minute), Leaving: &Leaving{Node: "a", Since: t0}}
			k := newMark(st, t0, t0)
			k.planned = time.Second
			lost := k.lost(st, t0.Add(c.wall), t0.Add(c.tick))
			require.Equal(t, lostTime{c.lost, c.lost}, lost)
			shiftDeadlines(&st, lost)
			require.Equal(t, t0.Add(time.Minute+c.lost), st.Deadline)
			require.Equal(t, t0.Add(c.lost), st.Leaving.Since)

			st.Deadline, st.Leaving.Since = t0.Add(30*time.Minute), t0.Add(time.Minute) // by a command since then
			require.Zero(t, k.lost(st, t0.Add(c.wall), t0.Add(c.tick)))
		})
	}
	require.Zero(t, mark{}.lost(Status{Deadline: t0}, t0.Add(time.Hour), t0.Add(time.Hour)), "nothing was looked at yet")
}

// What another process has stored under another clock is bounded.
func TestTimesOfAnotherProcess(t *testing.T) {
	for name, back := range map[string]time.Duration{"set back": -24 * time.Hour, "down for long": 24 * time.Hour} {
		rec := aRecord(Updating)
		rec.Status.Deadline, rec.Status.Leaving = t0.Add(time.Minute), &Leaving{Node: nodeName(2), Since: t0}
		now := t0.Add(back)
		moveDeadlines(patient, now, &rec, nil, aLook(3, 3), deed{firstLook: true})
		require.WithinRange(t, rec.Status.Deadline, now.Add(patient.Dispatch), now.Add(longestPatience(patient)+leftToMove(rec)), name)
		require.False(t, rec.Status.Leaving.Since.After(now), name)
		require.False(t, rec.Status.Leaving.Since.Add(leaveWithin).Before(now.Add(patient.Dispatch)), name)
	}
}

// The clock steps, and a failed Apply, an evacuation and a task that waits have
// the time they had: no more, and no less.
func TestTheClockSteps(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			b, wall := newBench(t), time.Duration(0)
			b.m.now = func() time.Time { return b.now.Add(wall) }
			b.runs(2)

			b.w.failApply = true
			b.change(`{"size":"2C4G","evacuation":{"deadline":120}}`)
			b.look(time.Second)
			left := b.rec().Status.Deadline.Sub(b.m.now())
			applies := b.w.applies
			wall += step
			b.watch(40 * time.Second)
			require.Greater(t, b.w.applies, applies, "a failed Apply waits by the monotonic clock")
			require.Equal(t, Updating, b.rec().Status.State, b.rec().Status.Message)
			require.InDelta(t, left-40*time.Second, b.rec().Status.Deadline.Sub(b.m.now()), float64(2*time.Second))

			b.w.failApply = false
			for i := 0; b.rec().Status.Leaving == nil; i++ {
				require.Less(t, i, 60)
				b.w.tick(b.id)
				b.look(time.Second)
			}
			going := b.rec().Status.Leaving.Node
			wall += step
			b.watch(100 * time.Second) // nobody leaves: the world stands still
			require.Equal(t, going, b.rec().Status.Leaving.Node)
			require.False(t, b.w.at(b.id).pods[ordinalOf(going)].going, "its clients have time left")
			b.watch(30 * time.Second)
			require.True(t, b.w.at(b.id).pods[ordinalOf(going)].going, "their time is over")
		})
	}
}
