package fleet

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// The clock steps, and a failed Apply, an evacuation and a task that waits have
// the time they had: no more, and no less.
func TestTheClockSteps(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			b, wall := newBench(t), time.Duration(0)
			b.m.observed.Now = func() time.Time { return b.now.Add(wall) }
			b.runs(2)

			b.w.failApply = true
			b.change(`{"size":"2C4G","evacuation":{"deadline":120}}`)
			b.look(time.Second)
			left := b.rec().Status.Deadline.Sub(b.m.observed.Now())
			applies := b.w.applies
			wall += step
			b.watch(40 * time.Second)
			require.Greater(t, b.w.applies, applies, "a failed Apply waits by the monotonic clock")
			require.Equal(t, ecp.Updating, b.rec().Status.State, b.rec().Status.Message)
			require.InDelta(t, left-40*time.Second, b.rec().Status.Deadline.Sub(b.m.observed.Now()),
				float64(2*time.Second))

			b.w.failApply = false
			for i := 0; b.rec().Status.Draining == nil; i++ {
				require.Less(t, i, 60)
				b.w.tick(b.id)
				b.look(time.Second)
			}
			going := b.rec().Status.Draining.Node
			wall += step
			b.watch(100 * time.Second) // nobody leaves: the world stands still
			require.Equal(t, going, b.rec().Status.Draining.Node)
			require.False(t, b.w.at(b.id).pods[ordinalOf(going)].going, "its clients have time left")
			b.watch(30 * time.Second)
			require.True(t, b.w.at(b.id).pods[ordinalOf(going)].going, "their time is over")
		})
	}
}
