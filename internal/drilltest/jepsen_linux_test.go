package drilltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/stretchr/testify/require"
)

// long reports whether the long drills are run.
func long() bool { return os.Getenv("OPENECP_LONG") != "" }

// diceOf are those of a run. OPENECP_SEED lets it throw what an earlier one threw; what
// happens in between is decided by the machine, too.
func diceOf(t *testing.T) (seed uint64) {
	t.Helper()
	seed = rand.Uint64()
	if s := os.Getenv("OPENECP_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("OPENECP_SEED=%d", seed)
	return seed
}

// runTime is how long things are broken; OPENECP_DRILL_TIME sets another one.
func runTime(t *testing.T) time.Duration {
	t.Helper()
	if s := os.Getenv("OPENECP_DRILL_TIME"); s != "" {
		d, err := time.ParseDuration(s)
		require.NoError(t, err)
		return d
	}
	if long() {
		return 10 * time.Minute
	}
	return time.Minute
}

// TestAnyOrder lets three daemons on one database be killed, suspended, cut from it and
// given wrong clocks, and the database fall over, under clients that create, change, delete
// and watch. Afterwards nothing that was promised may be missing from what they have seen.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	seed, lasts := diceOf(t), runTime(t)
	server := pgtest.Start(t)
	w := newWorld(t, server, 3, nil)
	n := &nemesis{world: w, server: server, faults: inOneProcess}
	for _, s := range w.seats {
		n.places = append(n.places, s)
	}
	n.run(t, seed, lasts, func() {
		w.until("the fleet is shared", w.shared)
		w.settle()
	})
}

// run breaks things under clients and readers, waits until all has settled, and checks.
func (n *nemesis) run(t *testing.T, seed uint64, lasts time.Duration, settle func()) {
	w := n.world
	throw := func(i uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, i)) }
	var last atomic.Int64
	reading, stop := context.WithTimeout(t.Context(), lasts+2*patience)
	defer stop()
	var readers []*reader
	var following, acting sync.WaitGroup
	for i := range 3 {
		r := &reader{doors: w.doors(throw(uint64(100 + i)))}
		readers = append(readers, r)
		following.Go(func() {
			r.follow(reading, func() (int64, bool) { n := last.Load(); return n, n > 0 })
		})
	}
	storm, calm := context.WithTimeout(t.Context(), lasts)
	defer calm()
	var actors []*actor
	for i := range 5 {
		a := &actor{doors: w.doors(throw(uint64(i))), number: i, adopted: w.sim == nil}
		actors = append(actors, a)
		acting.Go(func() { a.act(storm) })
	}
	var looked []books
	acting.Go(func() { looked = w.look(storm) })
	n.dice = throw(1000)
	n.rage(storm)
	acting.Wait()

	h := &history{}
	for _, a := range actors {
		h.ops = append(h.ops, a.ops...)
	}
	began := time.Now()
	settle()
	settled := time.Since(began)
	h.end = w.endOf(looked)
	h.truth = w.stream()
	last.Store(h.truth[len(h.truth)-1].Seq)
	following.Wait()
	for i, r := range readers {
		h.readers = append(h.readers, r.seen)
		for _, what := range r.wrong {
			t.Errorf("reader %d: %s", i, what)
		}
	}
	w.notes.into(h)
	h.audit = w.audit()
	t.Log(told(n, h, settled))
	for _, s := range h.truth {
		if s.Kind == ecp.KindOperation && s.State == string(ecp.PhaseFailed) {
			t.Logf("%s failed: %s", s.Key, s.Object)
		}
	}
	for _, what := range h.check() {
		t.Error(what)
	}
	if t.Failed() {
		t.Log(strings.Join(n.lines, "\n"))
	}
}

// told is a run in a few lines.
func told(n *nemesis, h *history, settled time.Duration) string {
	outcomes, whys := map[outcome]int{}, map[string]int{}
	var slowest time.Duration
	again := 0
	for _, o := range h.ops {
		outcomes[o.outcome]++
		if o.why != "" {
			whys[fmt.Sprintf("%v: %.60s", o.outcome, o.why)]++
		}
		slowest = max(slowest, o.ended.Sub(o.began))
		if o.attempts > 1 {
			again++
		}
	}
	return fmt.Sprintf("%d faults; %d ops (%v), %d of them asked for more than once, the slowest after %v; "+
		"%v; %d events for each of %d readers; %d writes and %d calls of passes; %d looks at the books; "+
		"settled %v after the last fault",
		len(n.lines), len(h.ops), outcomes, again, slowest.Round(time.Millisecond), whys, len(h.truth),
		len(h.readers), len(h.stored), len(h.calls), len(h.end.books),
		settled.Round(time.Millisecond))
}

// look reads the books again and again.
func (w *world) look(ctx context.Context) (all []books) {
	for ctx.Err() == nil {
		if b, err := w.books(ctx); err == nil {
			all = append(all, b)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return all
}

// books are those of one snapshot.
func (w *world) books(ctx context.Context) (b books, _ error) {
	err := w.direct.Read(ctx, func(tx ecp.Tx) error {
		b = books{}
		var err error
		if b.seq, err = tx.Seq(); err != nil {
			return err
		}
		for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			b.clusters++
			b.booked += r.Booked()
		}
		pool, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
		if err != nil {
			return err
		}
		quota, _, err := ecp.Get[ecp.Quota](tx, project)
		if errors.Is(err, ecp.ErrNotFound) {
			err = nil // nothing is booked there
		}
		b.pool, b.poolClusters, b.poolLimit = pool.UsedConnections, pool.UsedClusters, pool.Connections
		b.quota, b.quotaLimit = quota.UsedConnections, quota.Connections
		return err
	})
	return b, err
}

// settle waits until nothing is left to do.
func (w *world) settle() {
	w.t.Helper()
	w.until("all has settled", func() (ok bool, saw string) {
		err := w.direct.Read(w.t.Context(), func(tx ecp.Tx) error {
			for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
				if err != nil {
					return err
				}
				settled := ecp.ConditionOf(r.Status.Conditions, ecp.CondSettled)
				if r.Deleting || r.Status.Operation != "" || settled.Status != ecp.True ||
					settled.Generation != r.Generation {
					saw += fmt.Sprintf("%s is %s (%s), operation %q, settled %+v; ", r.ID, r.Status.State,
						r.Status.Message, r.Status.Operation, settled)
				}
			}
			return nil
		})
		return err == nil && saw == "", fmt.Sprint(saw, err)
	})
}

// endOf is what is there now.
func (w *world) endOf(looked []books) (e end) {
	w.t.Helper()
	b, err := w.books(w.t.Context())
	require.NoError(w.t, err)
	e.books, e.lastSeq, e.clusters = append(looked, b), b.seq, map[ecp.ID]settledCluster{}
	require.NoError(w.t, w.direct.Read(w.t.Context(), func(tx ecp.Tx) error {
		for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if w.sim == nil {
				e.clusters[r.ID] = settledCluster{name: r.Name, description: r.Description,
					operation: string(r.Status.Operation)}
				continue
			}
			found, err := w.sim.Observe(w.t.Context(), r.ID)
			if err != nil {
				return err
			}
			wanted := r.Spec.Hosted.Nodes
			if r.Spec.Hosted.Power == ecp.PowerOff {
				wanted = 0
			}
			e.clusters[r.ID] = settledCluster{name: r.Name, description: r.Description, booked: r.Booked(),
				nodes: len(found.Nodes), wanted: wanted, operation: string(r.Status.Operation)}
		}
		return nil
	}))
	next := int64(1)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for c, err := range w.direct.Changes(ctx, 0) {
		require.NoError(w.t, err)
		for ; next < c.Seq; next++ {
			e.gaps = append(e.gaps, next)
		}
		next = c.Seq + 1
		if c.Seq >= e.lastSeq {
			break
		}
	}
	return e
}

// stream reads all events at one daemon, up to a change that is made for it.
func (w *world) stream() (all []seen) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	c := w.doors(rand.New(rand.NewPCG(0, 0))).all[0]
	_, err := c.Do(ctx, client.Request{Method: "PATCH", Path: "/api/v1/projects/" + project,
		Keyless: true, Body: map[string]any{"description": "the last event"}}, nil)
	require.NoError(w.t, err)
	for e, err := range c.Events(ctx, client.EventOptions{Since: "0"}) {
		require.NoError(w.t, err)
		if e.Kind != "" {
			all = append(all, seen{e.Seq, e.Kind, e.Key, e.State, e.Deleted, e.Object})
		}
		if e.Kind == ecp.KindProject && strings.Contains(string(e.Object), "the last event") {
			break
		}
	}
	return all
}

// audit reads the audit of what was asked of clusters.
func (w *world) audit() (all []audited) {
	w.t.Helper()
	require.NoError(w.t, w.direct.Read(w.t.Context(), func(tx ecp.Tx) error {
		for e, err := range ecp.List[change.AuditEntry](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if e.Outcome == change.OutcomeDone && e.Kind == ecp.KindCluster {
				all = append(all, audited{e.Action, ecp.ID(e.Key)})
			}
		}
		return nil
	}))
	return all
}
