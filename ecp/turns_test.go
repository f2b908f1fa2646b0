package ecp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// However many questions one actor has, another's is not behind them.
func TestTurnsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q turns
		ann := Actor{Name: "ann", Credential: "session/1"}
		for range turnsPerActor {
			require.NoError(t, q.take(t.Context(), "c", ann))
		}
		waiting, stop := context.WithCancel(t.Context())
		ended := make(chan error, 100)
		for i := range cap(ended) {
			again := ann
			if i%2 == 0 {
				again.Credential = "session/2" // another session of the same user
			}
			go func() { ended <- q.take(waiting, "c", again) }()
		}
		synctest.Wait()
		for _, other := range []Actor{{Name: "token:ci", Credential: "token/1"}, {Name: "token:ci", Credential: "token/2"}} {
			soon, end := context.WithTimeout(t.Context(), time.Second)
			require.NoError(t, q.take(soon, "c", other), "%v", other)
			end()
		}
		soon, end := context.WithTimeout(t.Context(), time.Second)
		require.ErrorIs(t, q.take(soon, "c", Actor{Name: "ben", Credential: "session/3"}), context.DeadlineExceeded, "four are all")
		end()
		require.NoError(t, q.take(t.Context(), "d", ann), "of another cluster")
		q.give("d", ann)
		stop()
		for range cap(ended) {
			require.ErrorIs(t, <-ended, context.Canceled)
		}
		for range turnsPerActor {
			q.give("c", ann)
		}
		q.give("c", Actor{Name: "token:ci", Credential: "token/1"})
		q.give("c", Actor{Name: "token:ci", Credential: "token/2"})
		require.Empty(t, q.of)
	})
}
