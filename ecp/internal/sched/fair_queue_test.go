package sched

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/ecp"
)

// Whatever waits and works: nobody is lost or handed out twice, slow ones keep
// to their share, a target that has less than a quarter at work always goes on, and a
// line that may go on is served before one that has more at work.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newFairQueue()
		l.slowShare = rapid.IntRange(1, 3).Draw(t, "share")
		of := map[ecp.ID]Flow{}
		l.flowOf = func(id ecp.ID) Flow { return of[id] }
		var waiting []ecp.ID
		working := map[ecp.ID]Flow{}
		for n := range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				id := ecp.ID(fmt.Sprint(n))
				of[id] = Flow{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "target"),
					rapid.Bool().Draw(t, "slow")}
				l.push(id)
				waiting = append(waiting, id)
			case 1:
				id, from, ok := l.pop()
				if !ok {
					atWork := map[string]int{}
					for _, in := range working {
						atWork[in.Target]++
					}
					for _, id := range waiting {
						require.True(t, of[id].Slow || atWork[of[id].Target] >= l.slowShare &&
							len(working) >= 3*l.slowShare, "%s may go on", id)
					}
					continue
				}
				i := slices.Index(waiting, id)
				require.GreaterOrEqual(t, i, 0)
				require.Equal(t, of[id], from)
				for _, earlier := range waiting[:i] {
					require.NotEqual(t, from, of[earlier], "in order of arrival")
				}
				waiting = slices.Delete(waiting, i, i+1)
				working[id] = from
			case 2:
				for _, id := range slices.Sorted(maps.Keys(working)) {
					l.leave(working[id])
					delete(working, id)
					break
				}
			}
			require.Equal(t, len(waiting), l.len())
			slow := map[string]int{}
			all := 0
			for _, in := range working {
				if in.Slow {
					slow[in.Target]++
					all++
				}
			}
			for target, n := range slow {
				require.LessOrEqual(t, n, l.slowShare, target)
			}
			require.LessOrEqual(t, all, 2*l.slowShare)
		}
		for _, id := range slices.Sorted(maps.Keys(working)) {
			l.leave(working[id])
		}
		for range waiting {
			_, from, ok := l.pop()
			require.True(t, ok)
			l.leave(from)
		}
		require.Zero(t, l.len())
		require.Empty(t, l.working)
		require.Empty(t, l.served, "nothing is kept of those that are gone")
	})
}

func TestTheTargetWithFewestAtWorkGoesFirst(t *testing.T) {
	l := newFairQueue()
	l.flowOf = func(id ecp.ID) Flow { return Flow{Target: string(id[:1])} }
	for _, id := range []ecp.ID{"a1", "a2", "a3", "b1"} {
		l.push(id)
	}
	var order []ecp.ID
	for range 4 {
		id, _, _ := l.pop()
		order = append(order, id)
	}
	require.ElementsMatch(t, []ecp.ID{"a1", "b1"}, order[:2])
	require.Equal(t, []ecp.ID{"a2", "a3"}, order[2:])
}

// A target that suddenly answers nothing leaves workers for the others, before any of its
// clusters is known to be slow.
func TestATargetThatHangsHoldsNotAllWorkers(t *testing.T) {
	const workers = 8
	l := newFairQueue()
	l.slowShare = workers / 4
	l.flowOf = func(id ecp.ID) Flow { return Flow{Target: string(id[:1])} }
	for n := range 100 {
		l.push(ecp.ID(fmt.Sprint("h", n)))
	}
	held := 0
	for {
		if _, _, ok := l.pop(); !ok {
			break
		}
		held++
	}
	require.Equal(t, 3*workers/4, held)
	l.push("x1")
	l.push("x2")
	for range 2 {
		id, _, ok := l.pop()
		require.True(t, ok)
		require.Equal(t, "x", string(id[:1]))
	}
}
