package sched

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	now := time.Now()
	var b Backoff
	require.Zero(t, b.Left(now, 0), "nothing has failed yet")
	for _, ms := range []int{500, 1000, 2000, 4000, 8000, 16000, 30000, 30000} {
		wait := time.Duration(ms) * time.Millisecond
		pause := b.Fail(now, 7, 500*time.Millisecond, 30*time.Second)
		require.GreaterOrEqual(t, pause, wait/2)
		require.LessOrEqual(t, pause, wait)
		require.Equal(t, pause, b.Left(now, 7))
		require.Zero(t, b.Left(now.Add(pause), 7), "it is due")
	}
	require.Zero(t, b.Left(now, 8), "another revision does not wait")
	require.LessOrEqual(t, b.Fail(now, 8, time.Second, time.Minute), time.Second, "and begins anew")

	b.Hold(now, 8, time.Hour)
	require.Equal(t, time.Hour, b.Left(now, 8))
	require.LessOrEqual(t, b.Fail(now, 8, time.Second, time.Minute), time.Second, "held is not failed")
}

// Whatever fails how often, its next try is neither at once nor later than its bound, and it
// does not wait for less than half of what it waited for before.
func TestBackoffStaysInItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "first"))
		most := first + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))
		var b Backoff
		now, before, last := time.Now(), time.Duration(0), int64(0)
		for _, revision := range rapid.SliceOf(rapid.Int64Range(1, 2)).Draw(t, "revisions") {
			if revision != last {
				before, last = 0, revision
			}
			pause := b.Fail(now, revision, first, most)
			require.GreaterOrEqual(t, pause, max(min(before, most/2), first/2), "less than before")
			require.LessOrEqual(t, pause, most)
			now, before = now.Add(pause), pause
		}
	})
}
