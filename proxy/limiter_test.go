package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whoever has some gets no more where others would find none.
func TestShares(t *testing.T) {
	g := usage[ecp.ID]{limits: limits{all: 10, perCluster: 4, perActor: 2}}
	for _, c := range []struct {
		id   ecp.ID
		who  string
		want bool
	}{
		{"a", "ann", true}, {"a", "ann", true}, {"a", "ann", false}, // more are hers than free
		{"a", "ben", true}, {"a", "ben", false}, {"a", "cat", true}, {"a", "dan", false}, // all are taken
		{"b", "ann", true}, {"b", "ann", true}, {"c", "ann", false}, // of all clusters, too
		{"c", "ben", true}, {"c", "ben", true}, {"d", "eve", true}, {"d", "fay", true}, {"d", "gus", false},
	} {
		require.Equal(t, c.want, g.fits(c.id, c.who), "%+v", c)
		if c.want {
			g.add(c.id, c.who)
			defer func() {
				g.remove(c.id, c.who)
				if g.total == 0 {
					require.Empty(t, g.byKey)
					require.Empty(t, g.shares)
					require.Empty(t, g.actors)
				}
			}()
		}
	}
	few := usage[ecp.ID]{limits: limits{all: 100, perCluster: 100, perActor: 1}}
	few.add("a", "ann")
	require.False(t, few.fits("a", "ann"), "as many as one actor may have at a cluster")
	require.True(t, few.fits("b", "ann"))
}

// What lasts leaves the quick slots, and where it finds no long one it is ended:
// others, and the actor itself, find quick ones again.
func TestWhatLastsMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter[ecp.ID](limits{all: 100, perCluster: 12, perActor: 6},
			limits{all: 10, perCluster: 6, perActor: 2})
		var ended atomic.Int32
		for range 6 { // readers that have stopped
			p := g.acquire(t.Context(), "a", "ann")
			require.NotNil(t, p)
			p.onOverload(func() {
				ended.Add(1)
				go p.release()
			})
		}
		began := time.Now()
		for range 20 { // somebody else is quick all the while
			p := g.acquire(t.Context(), "a", "ben")
			require.NotNil(t, p)
			p.release()
		}
		require.Zero(t, time.Since(began), "and waits for nobody")
		require.Greater(t, usualMaxWait, usualLongAfter, "else it is chance which ends first")
		waited := g.acquire(t.Context(), "a", "ann") // ann herself waits until hers have moved on
		require.NotNil(t, waited)
		require.Equal(t, usualLongAfter, time.Since(began))
		waited.release()
		synctest.Wait()
		require.EqualValues(t, 4, ended.Load(), "two last, the others were ended")
		require.Equal(t, 2, g.long.total)
		require.Zero(t, g.quick.total)
		for range 6 {
			p := g.acquire(t.Context(), "a", "ann")
			require.NotNil(t, p, "her long ones keep her from no quick one")
			defer p.release()
		}
	})
}

// An actor waits a moment for a slot, the one that came first gets the first, and
// nobody waits behind another whose actor has enough.
func TestWaitingForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newLimiter[ecp.ID](limits{all: 100, perCluster: 4, perActor: 2}, limits{})
		g.maxQueued = 2
		a1, a2 := g.acquire(t.Context(), "a", "ann"), g.acquire(t.Context(), "a", "ann")
		got := make(chan string)
		wait := func(who string, ctx context.Context) {
			go func() {
				if p := g.acquire(ctx, "a", who); p == nil {
					got <- who + " none"
				} else {
					got <- who
					p.release()
				}
			}()
			synctest.Wait()
		}
		gone, leave := context.WithCancel(t.Context())
		wait("ann", gone)
		wait("ann", t.Context())
		require.Nil(t, g.acquire(t.Context(), "a", "ann"), "no more of hers may wait")
		wait("ben", t.Context())
		require.Equal(t, "ben", <-got, "he waits for nobody")
		leave()
		require.Equal(t, "ann none", <-got)
		a1.release()
		require.Equal(t, "ann", <-got)
		a3 := g.acquire(t.Context(), "a", "ann")
		began := time.Now()
		wait("ann", t.Context())
		require.Equal(t, "ann none", <-got)
		require.Equal(t, usualMaxWait, time.Since(began))
		a2.release()
		a3.release()
		require.Empty(t, g.queued.shares)
		require.Zero(t, g.queue.Len())
	})
}

// However exchanges come, last and go: what is counted is what there is, no limit is
// passed, nobody waits for what is free, and in the end nothing is left.
func TestSlotsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			quick, long := limits{all: 8, perCluster: 5, perActor: 3}, limits{all: 4, perCluster: 3, perActor: 1}
			g := newLimiter[string](quick, long)
			ctx, cancel := context.WithCancel(t.Context())
			var running atomic.Int32
			for range rapid.IntRange(1, 40).Draw(rt, "exchanges") {
				key, who := rapid.SampledFrom([]string{"a", "b"}).Draw(rt,
					"cluster"), rapid.SampledFrom([]string{"ann", "ben", "cat"}).Draw(rt, "who")
				takes := time.Duration(rapid.IntRange(0, 15).Draw(rt, "seconds")) * time.Second
				running.Add(1)
				go func() {
					defer running.Add(-1)
					if p := g.acquire(ctx, key, who); p != nil {
						end := make(chan struct{})
						p.onOverload(func() { close(end) })
						select {
						case <-time.After(takes):
						case <-end:
						}
						p.release()
					}
				}()
				<-time.After(time.Duration(rapid.IntRange(0, 2000).Draw(rt, "later")) * time.Millisecond)
				synctest.Wait()
				check(rt, g)
			}
			cancel()
			<-time.After(time.Minute)
			if n := running.Load(); n > 0 || g.quick.total+g.long.total+g.queue.Len() > 0 || len(g.queued.byKey) > 0 {
				rt.Fatalf("%d still run; %+v", n, g)
			}
		})
	})
}

func check(t *rapid.T, g *limiter[string]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range []*usage[string]{&g.quick, &g.long} {
		sum := 0
		for s, n := range c.shares {
			if sum += n; n > c.limits.perActor || c.byKey[s.key] > c.perCluster {
				t.Fatalf("too many: %+v", c)
			}
		}
		if sum != c.total || c.total > c.all {
			t.Fatalf("%d are not %d: %+v", sum, c.total, c)
		}
	}
	for at := g.queue.Front(); at != nil; at = at.Next() {
		if p := at.Value.(*slot[string]); g.quick.fits(p.key, p.actor) {
			t.Fatalf("%s waits for what is free", p.actor)
		}
	}
}

// Calls that last are ended beyond a few, with the status for that where nothing was
// answered yet; what is quick is answered all the while, to everybody.
func TestSlowCallsTakeNoPlaces(t *testing.T) {
	c := newRig(t, image5).passthrough(Bounds{})
	c.limiter.longAfter, c.limiter.maxWait = 300*time.Millisecond, 30*time.Second
	admin, _ := c.token(ecp.RoleProjectAdmin, "default/default")
	other, _ := c.token(ecp.RoleUser, "default/default")
	release := make(chan struct{})
	c.lead(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v5/stats":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/api/v5/metrics":
			flood(w, r)
		}
		_, _ = io.WriteString(w, "here")
	})
	const slow = 12
	statuses := make(chan int, slow)
	for range slow {
		go func() { statuses <- c.call("GET", "/api/v5/stats", admin, "").status }()
	}
	for range slow - longCalls.perActor {
		require.Equal(t, 429, <-statuses)
		require.Equal(t, 200, c.call("GET", "/api/v5/nodes", admin, "").status)
		require.Equal(t, 200, c.call("GET", "/api/v5/nodes", other, "").status)
	}
	close(release)
	for range longCalls.perActor {
		require.Equal(t, 200, <-statuses)
	}

	// Readers that have stopped: the answers of all but a few are broken off.
	for range slow {
		conn, err := net.Dial("tcp", c.server.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		_, err = fmt.Fprintf(conn, "GET /api/v5/metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", admin)
		require.NoError(t, err)
	}
	c.eventually("all but a few are let go of", func() bool {
		c.limiter.mu.Lock()
		defer c.limiter.mu.Unlock()
		return c.limiter.quick.total == 0 && c.limiter.long.total == longCalls.perActor
	})
	require.Equal(t, 200, c.call("GET", "/api/v5/nodes", admin, "").status)
}

// flood answers without an end.
func flood(w http.ResponseWriter, r *http.Request) {
	for piece := []byte(strings.Repeat("x", 64<<10)); r.Context().Err() == nil; {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}
