package shards

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
)

// TestKeysOfOthers: a daemon is found that lives and does not know the key that another one
// seals with; one that is dead, or tells nothing, is no obstacle.
func TestKeysOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		mine, other string        // newest first
		renews      time.Duration // how long the other one does
		found       bool
		within      time.Duration
	}{
		"the same":              {"a", "a", time.Hour, false, 0},
		"known, behind":         {"b a", "a b", time.Hour, false, 0},
		"new here":              {"b a", "a", time.Hour, true, renewEvery + keysPoll},
		"new there":             {"a", "b a", time.Hour, true, renewEvery + keysPoll},
		"an older one is gone":  {"b", "b a", time.Hour, false, 0},
		"it tells nothing":      {"b a", "", time.Hour, false, 0},
		"this one has none":     {"", "a", time.Hour, false, 0},
		"it is dead":            {"b a", "a", 0, false, life},
		"it renews once, later": {"b a", "a", 2 * renewEvery, true, 2 * renewEvery},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.New()
				join := func(keys string) *Keeper {
					return New(Config{Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now, Tick: time.Now,
						Self: Daemon{Keys: strings.Fields(keys)}})
				}
				other, me := join(c.other), join(c.mine)
				_, err := other.Step(t.Context())
				require.NoError(t, err)
				go func() {
					for begun := time.Now(); time.Since(begun) < c.renews && t.Context().Err() == nil; {
						select {
						case <-time.After(renewEvery):
						case <-t.Context().Done():
							return
						}
						if _, err := other.Step(t.Context()); err != nil && t.Context().Err() == nil {
							t.Error(err)
						}
					}
				}()
				begun := time.Now()
				d, found, err := me.OtherKeys(t.Context())
				require.NoError(t, err)
				require.Equal(t, c.found, found)
				if found {
					require.Equal(t, other.Self.ID, d.ID)
				}
				require.LessOrEqual(t, time.Since(begun), c.within)
				if !found && c.within > 0 {
					require.GreaterOrEqual(t, time.Since(begun), c.within)
				}
			})
		})
	}
}

// TestKeysWhereOneEnds: the record of a daemon that ends meanwhile is gone at once.
func TestKeysWhereOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		join := func(keys ...string) *Keeper {
			return New(Config{Store: store, Log: slog.New(slog.DiscardHandler), Now: time.Now, Tick: time.Now,
				Self: Daemon{Keys: keys}})
		}
		other, me := join("a"), join("b", "a")
		_, err := other.Step(t.Context())
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() { other.leave(t.Context()) })
		begun := time.Now()
		_, found, err := me.OtherKeys(t.Context())
		require.NoError(t, err)
		require.False(t, found)
		require.Less(t, time.Since(begun), life/2)
	})
}
