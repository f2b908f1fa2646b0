package sched

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// However many questions one actor has, another's is not behind them.
func TestTurnsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q BrokerLimiter
		ann := ecp.Actor{Name: "ann", Credential: "session/1"}
		for range queriesPerActor {
			require.NoError(t, q.Acquire(t.Context(), "c", ann))
		}
		waiting, stop := context.WithCancel(t.Context())
		ended := make(chan error, 100)
		for i := range cap(ended) {
			again := ann
			if i%2 == 0 {
				again.Credential = "session/2" // another session of the same user
			}
			go func() { ended <- q.Acquire(waiting, "c", again) }()
		}
		synctest.Wait()
		for _, other := range []ecp.Actor{{Name: "token:ci", Credential: "token/1"},
			{Name: "token:ci", Credential: "token/2"}} {
			soon, end := context.WithTimeout(t.Context(), time.Second)
			require.NoError(t, q.Acquire(soon, "c", other), "%v", other)
			end()
		}
		soon, end := context.WithTimeout(t.Context(), time.Second)
		require.ErrorIs(t, q.Acquire(soon, "c", ecp.Actor{Name: "ben", Credential: "session/3"}),
			context.DeadlineExceeded, "four are all")
		end()
		require.NoError(t, q.Acquire(t.Context(), "d", ann), "of another cluster")
		q.Release("d", ann)
		stop()
		for range cap(ended) {
			require.ErrorIs(t, <-ended, context.Canceled)
		}
		for range queriesPerActor {
			q.Release("c", ann)
		}
		q.Release("c", ecp.Actor{Name: "token:ci", Credential: "token/1"})
		q.Release("c", ecp.Actor{Name: "token:ci", Credential: "token/2"})
		require.Empty(t, q.of)
	})
}
