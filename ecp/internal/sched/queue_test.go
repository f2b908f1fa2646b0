package sched

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// take returns what the queue hands out at once; empty means nothing waits.
func take(q *Queue) ecp.ID {
	if q.Depth() == 0 {
		return ""
	}
	id, _ := q.Get(context.Background())
	return id
}

func TestQueueHandsOutEachOnce(t *testing.T) {
	q := NewQueue(nil, 0)
	q.Add("a")
	q.Add("b")
	q.Add("a")
	require.Equal(t, 2, q.Depth())
	require.Equal(t, ecp.ID("a"), take(q))
	require.Equal(t, ecp.ID("b"), take(q))
	require.Empty(t, take(q))
}

func TestQueueWorksOnceMoreOnWhatIsAddedMeanwhile(t *testing.T) {
	q := NewQueue(nil, 0)
	q.Add("a")
	require.Equal(t, ecp.ID("a"), take(q))
	q.Add("a")
	q.Add("a")
	require.Empty(t, take(q), "nobody else gets it while it is worked on")
	q.Done("a")
	require.Equal(t, ecp.ID("a"), take(q))
	q.Done("a")
	require.Empty(t, take(q), "once more, not twice")
}

func TestQueueDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(nil, 0)
		start := time.Now()
		after := func(want time.Duration) {
			t.Helper()
			id, ok := q.Get(t.Context())
			require.True(t, ok)
			require.Equal(t, ecp.ID("a"), id)
			require.Equal(t, want, time.Since(start))
			q.Done(id)
		}
		q.AddAfter("a", 3*time.Second)
		q.AddAfter("a", time.Second)
		q.AddAfter("a", 2*time.Second)
		after(time.Second) // the earliest counts
		<-time.After(5 * time.Second)
		require.Empty(t, take(q), "the later ones are gone with it")

		start = time.Now()
		q.AddAfter("a", time.Second)
		q.Add("a")
		after(0) // now is earlier
		<-time.After(5 * time.Second)
		require.Empty(t, take(q))

		q.AddAfter("a", time.Second)
		q.Stop()
		<-time.After(5 * time.Second)
		require.Empty(t, take(q), "a stopped queue forgets")
		start = time.Now()
		q.Add("a")
		after(0)
	})
}

func TestQueueDelayWhileWorkedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(nil, 0)
		q.Add("a")
		require.Equal(t, ecp.ID("a"), take(q))
		q.AddAfter("a", time.Second)
		<-time.After(2 * time.Second)
		require.Empty(t, take(q))
		q.Done("a")
		require.Equal(t, ecp.ID("a"), take(q), "what came due meanwhile is not lost")
	})
}

func TestQueueGetEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(nil, 0)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-time.After(time.Second); cancel() }()
		_, ok := q.Get(ctx)
		require.False(t, ok)
		q.Add("a")
		_, ok = q.Get(ctx)
		require.False(t, ok, "even when something waits")
		require.Equal(t, ecp.ID("a"), take(q), "which is then there for the next")
	})
}

// Many add, many work: never two on one cluster, and the last add of each is
// worked on after it was made.
func TestQueueUnderLoad(t *testing.T) {
	const ids, adders, adds, workers = 5, 8, 200, 7
	q := NewQueue(nil, 0)
	ctx, cancel := context.WithCancel(context.Background())
	var asked, seen [ids]atomic.Int64
	var busy [ids]atomic.Bool
	var all, adding sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				id, ok := q.Get(ctx)
				if !ok {
					return
				}
				n := int(id[0] - '0')
				if !busy[n].CompareAndSwap(false, true) {
					t.Errorf("%s is worked on twice at once", id)
				}
				seen[n].Store(asked[n].Load())
				busy[n].Store(false)
				q.Done(id)
			}
		})
	}
	for a := range adders {
		adding.Go(func() {
			for i := range adds {
				n := (a + i) % ids
				asked[n].Add(1)
				if i%7 == 0 {
					q.AddAfter(ecp.ID(fmt.Sprint(n)), time.Microsecond)
				} else {
					q.Add(ecp.ID(fmt.Sprint(n)))
				}
			}
		})
	}
	adding.Wait()
	require.Eventually(t, func() bool {
		for n := range ids {
			if seen[n].Load() != asked[n].Load() {
				return false
			}
		}
		return q.Depth() == 0
	}, time.Minute, time.Millisecond)
	cancel()
	all.Wait()
	q.Stop()
}
