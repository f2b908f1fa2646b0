package emqxhttp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// withPatience opens a client that waits so long for a call, and sends nothing.
func withPatience(t *testing.T, patience time.Duration) *Client {
	t.Helper()
	c, err := Open(ecp.Endpoint{BaseURL: "http://broker:18083"}, Config{Name: "EMQX 5", Timeout: patience})
	require.NoError(t, err)
	return c
}

// TestPatienceGrows: who has more time waits longer before something else is tried, and
// before a member is taken for one that hangs.
func TestPatienceGrows(t *testing.T) {
	for _, c := range []struct{ patience, second, member time.Duration }{
		{time.Second, 500 * time.Millisecond, 500 * time.Millisecond},
		{10 * time.Second, 1500 * time.Millisecond, 3 * time.Second},
		{time.Minute, 9 * time.Second, 18 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := withPatience(t, c.patience).Bound(t.Context())
			defer cancel()
			start := time.Now()
			second, err := Hedged(ctx, func(ctx context.Context) (time.Duration, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			}, func(context.Context) (time.Duration, error) { return time.Since(start), nil })
			require.NoError(t, err)
			require.Equal(t, c.second, second)
		})
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := withPatience(t, c.patience).Bound(t.Context())
			defer cancel()
			all := EachMember(ctx, []string{"emqx@a"}, func(ctx context.Context, _ string) (time.Duration, error) {
				start := time.Now()
				<-ctx.Done()
				return time.Since(start), nil
			})
			require.Equal(t, c.member, all[0].Value)
		})
	}
}

// TestWatchedOnASlowHost: members that answer, each after as long as the others, are not
// named as those that hang.
func TestWatchedOnASlowHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 4 * time.Second
		answers := func(ctx context.Context) error {
			select {
			case <-time.After(slow):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		c := withPatience(t, 30*time.Second)
		ctx, cancel := c.Bound(t.Context())
		defer cancel()
		_, err := GiveUpOnHanging(ctx, c, func(ctx context.Context) []string {
			return Unanswered(EachMember(ctx, []string{"emqx@a", "emqx@b"},
				func(ctx context.Context, name string) (int, error) {
					if name == "emqx@a" {
						return 0, nil
					}
					return 0, answers(ctx)
				}))
		}, func(ctx context.Context) (int, error) {
			return 0, errors.Join(answers(ctx), answers(ctx), answers(ctx))
		})
		require.NoError(t, err)
	})
}
