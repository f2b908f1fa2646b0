package drilltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// drill is one thing that goes wrong with one of two daemons, or with both.
type drill struct {
	name   string
	breaks func(*world, *seat)
	mends  func(*world, *seat)
	lasts  time.Duration
	all    bool // nobody can write meanwhile
	pooled bool // daemons reach the database through a pooler in transaction mode
	long   bool // it is run with the long drills only
}

func wires(is way) func(*world, *seat) {
	return func(w *world, _ *seat) {
		for _, s := range w.seats {
			s.wire.set(is)
		}
	}
}

func wireOf(is way) func(*world, *seat) { return func(_ *world, s *seat) { s.wire.set(is) } }

func clockBy(d time.Duration) func(*world, *seat) {
	return func(_ *world, s *seat) { s.clock.Store(int64(d)) }
}

func kills(_ *world, s *seat) { s.kill() }

func starts(w *world, s *seat) { w.begin(s) }

var drills = []drill{
	{name: "killed", breaks: kills, mends: starts, lasts: 20 * time.Second, long: true},
	{name: "killed behind a pooler", breaks: kills, mends: starts, lasts: 20 * time.Second, pooled: true},
	{name: "ended", breaks: func(_ *world, s *seat) { s.end() }, mends: starts, lasts: 10 * time.Second, long: true},
	{name: "suspended", breaks: func(_ *world, s *seat) { s.suspend() }, mends: func(_ *world, s *seat) { s.wake() },
		lasts: 30 * time.Second, long: true},
	{name: "suspended as it writes", breaks: func(_ *world, s *seat) { s.suspendWriting() },
		mends: func(_ *world, s *seat) { s.wake() }, lasts: 30 * time.Second},
	{name: "an hour ahead", breaks: clockBy(time.Hour), mends: clockBy(0), lasts: 20 * time.Second, long: true},
	{name: "an hour late", breaks: clockBy(-time.Hour), mends: clockBy(0), lasts: 20 * time.Second, long: true},
	{name: "cut from the database", breaks: wireOf(cut), mends: wireOf(open), lasts: 20 * time.Second, long: true},
	{name: "no packet from the database", breaks: wireOf(lost), mends: wireOf(open), lasts: 20 * time.Second,
		long: true},
	{name: "no answer from the database", breaks: wireOf(muffled), mends: wireOf(open), lasts: 20 * time.Second,
		long: true},
	{name: "the database is away", breaks: wires(cut), mends: wires(open), lasts: 20 * time.Second, all: true},
	{name: "the database does not answer", breaks: wires(lost), mends: wires(open), lasts: 20 * time.Second, all: true,
		long: true},
}

// What was promised.
const (
	mostGap   = 5 * time.Second  // between two writes of the API that are acknowledged
	mostStale = 15 * time.Second // until what is shown of a cluster follows it again
)

// most returns what a test allows of what was promised: beside all other tests a machine may
// be slower than any that somebody runs daemons on.
func most(promised time.Duration) time.Duration {
	if long() {
		return 2 * promised
	}
	return 8 * promised
}

// TestDrills breaks one thing after the other between two daemons and their database, in the
// middle of operations: these end as ever, no cluster is worked on by two, and the books are
// exact. It measures how long nothing could be written, and how long what was shown was old.
func TestDrills(t *testing.T) {
	if !long() { // else it is measured, and has the machine for itself
		t.Parallel()
	}
	server := pgtest.Start(t, "max_connections=400")
	var mu sync.Mutex
	var lines []string
	t.Cleanup(func() {
		for _, line := range lines {
			t.Log(line)
		}
	})
	var all sync.WaitGroup
	turn := make(chan struct{}, 2) // they wait most of the time
	for _, d := range drills {
		if d.long && !long() {
			continue
		}
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			t.Run(d.name, func(t *testing.T) {
				line := d.run(t, server)
				mu.Lock()
				lines = append(lines, line)
				mu.Unlock()
			})
		})
	}
	all.Wait()
}

func (d drill) run(t *testing.T, server *pgtest.Server) string {
	var through func(string) string
	if d.pooled {
		through = server.Pooler(t)
	}
	w := newWorld(t, server, 2, through)
	victim := w.seats[0]
	busy, idle := w.clusters("busy", 4), w.clusters("idle", 6)
	w.settle()
	watched := w.ownedBy(victim, idle)
	for n := 0; watched == ""; n++ { // by chance this daemon has none
		more := w.clusters(fmt.Sprint("more ", n), 1)
		w.settle()
		watched = w.ownedBy(victim, more)
	}

	looking, stop := context.WithCancel(t.Context())
	var beside sync.WaitGroup
	var looked []books
	gaps := w.writer(idle[0])
	beside.Go(func() { looked = w.look(looking) })
	beside.Go(func() { gaps.run(looking) })

	c := w.doors(rand.New(rand.NewPCG(0, 0)))
	var operations []ecp.OperationID
	for i, id := range busy {
		op, err := c.all[i%2].Change(t.Context(), id, client.Change{Verb: "scale", Body: map[string]any{"nodes": 3}})
		require.NoError(t, err)
		operations = append(operations, op.ID)
	}
	<-time.After(300 * time.Millisecond) // in the middle of it
	d.breaks(w, victim)
	broken := time.Now()
	require.NoError(t, w.sim.KillNode(watched, 0))
	seesDown := func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is, err := c.all[1].Cluster(ctx, watched)
		return err == nil && is.Status.State != ecp.Running, fmt.Sprint(is.Status.State, err)
	}
	var stale time.Duration
	if !d.all {
		w.until("the other daemon shows it", seesDown)
		stale = time.Since(broken)
	}
	<-time.After(time.Until(broken.Add(d.lasts)))
	d.mends(w, victim)
	mended := time.Now()
	if d.all {
		w.until("the other daemon shows it", seesDown)
		stale = time.Since(mended)
	}
	require.NoError(t, w.sim.ReviveNode(watched, 0))
	for _, id := range operations {
		op, err := c.all[1].WaitOperation(t.Context(), id, nil)
		require.NoError(t, err)
		require.Equal(t, ecp.PhaseSucceeded, op.Phase, op.Error)
	}
	w.until("the fleet is shared", w.shared)
	shared := time.Since(mended)
	w.settle()
	stop()
	beside.Wait()
	for _, id := range busy {
		found, err := w.sim.Observe(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, found.Nodes, 3)
	}
	h := &history{end: w.endOf(looked)}
	w.notes.into(h)
	var wrong []string
	for _, check := range []func(func(string, ...any)){h.checkBooks, h.checkStored, h.checkPlatform, h.checkEnd} {
		check(func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) })
	}
	require.Empty(t, wrong)
	require.Empty(t, h.end.gaps, "changes are missing")
	gap := gaps.longest()
	if d.all {
		gap -= d.lasts
	}
	require.Less(t, gap, most(mostGap), "nothing could be written")
	require.Less(t, stale, most(mostStale), "what was shown was old")
	return fmt.Sprintf("%-30s nothing could be written for %4.1f s, what was shown was old for %4.1f s, "+
		"shared again after %4.1f s; %d writes of passes, %d of the API",
		d.name, gap.Seconds(), stale.Seconds(), shared.Seconds(), len(h.stored), len(gaps.acknowledged))
}

// clusters makes clusters, by all daemons in turn, and waits until they run.
func (w *world) clusters(name string, n int) (ids []ecp.ID) {
	w.t.Helper()
	c := w.doors(rand.New(rand.NewPCG(0, 0)))
	for i := range n {
		made, err := c.all[i%len(c.all)].CreateCluster(w.t.Context(), client.Create{Mode: ecp.Hosted, Project: project,
			Name: fmt.Sprint(name, " ", i),
			Spec: map[string]any{"image": "emqx-ee-5.8.9", "nodes": 2, "connections": 10}})
		require.NoError(w.t, err)
		ids = append(ids, made.ID)
	}
	for _, id := range ids {
		w.until("it runs", func() (bool, string) {
			is, err := c.all[0].Cluster(w.t.Context(), id)
			return err == nil && is.Status.State == ecp.Running, fmt.Sprint(is.Status.State, err)
		})
	}
	return ids
}

// ownedBy returns a cluster on which the daemon of a seat works; empty if there is none.
func (w *world) ownedBy(s *seat, ids []ecp.ID) ecp.ID {
	w.t.Helper()
	w.notes.mu.Lock()
	defer w.notes.mu.Unlock()
	for _, c := range slices.Backward(w.notes.calls) {
		if c.by == s.runs().name && slices.Contains(ids, c.cluster) {
			return c.cluster
		}
	}
	return ""
}

// writing writes all the time, wherever it gets an answer.
type writing struct {
	*doors
	cluster      ecp.ID
	acknowledged []time.Time
}

func (w *world) writer(id ecp.ID) *writing {
	return &writing{doors: w.doors(rand.New(rand.NewPCG(0, 1))), cluster: id}
}

func (w *writing) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		attempt, stop := context.WithTimeout(ctx, 3*time.Second)
		_, err := w.all[w.at].Do(attempt, client.Request{Method: http.MethodPatch, Path: client.ClustersPath +
			client.Path(string(w.cluster)), Body: map[string]any{"description": fmt.Sprint(n)}}, nil)
		stop()
		if err == nil {
			w.acknowledged = append(w.acknowledged, time.Now())
		} else {
			w.move()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// longest is the longest time without an acknowledged write.
func (w *writing) longest() (most time.Duration) {
	for i := 1; i < len(w.acknowledged); i++ {
		most = max(most, w.acknowledged[i].Sub(w.acknowledged[i-1]))
	}
	return most
}
