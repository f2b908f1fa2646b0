package ecptest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// wakes counts what a Watch said.
type wakes struct {
	mu    sync.Mutex
	count map[ecp.ID]int // guarded by mu
	some  chan struct{}  // guarded by mu; closed by the next wake
}

func newWakes() *wakes { return &wakes{count: map[ecp.ID]int{}, some: make(chan struct{})} }

func (w *wakes) wake(id ecp.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count[id]++
	close(w.some)
	w.some = make(chan struct{})
}

// of says how often a cluster was woken, and gives what is closed by the next
// wake of any. No wakes, no news: nil is never closed.
func (w *wakes) of(id ecp.ID) (int, <-chan struct{}) {
	if w == nil {
		return 0, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count[id], w.some
}

// maxWait is the longest time between two observations while something is awaited.
const maxWait = 100 * time.Millisecond

// until tries until try says nothing, or fails the test with what it said
// last. It looks when woken, and now and then.
func (b *bench) until(what string, try func(ctx context.Context) string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
	defer cancel()
	wait := time.Millisecond
	for {
		_, woken := b.wakes.of(b.id)
		why := try(ctx)
		if why == "" {
			return
		}
		timer := time.NewTimer(wait)
		wait = min(2*wait, maxWait)
		select {
		case <-woken:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			b.Fatalf("after %v still not %s: %s", b.suite.Ready, what, why)
		}
		timer.Stop()
	}
}

// seen waits until an observation of the case's cluster has nothing missing.
func (b *bench) seen(what string, missing func(o ecp.Observation) string) ecp.Observation {
	b.Helper()
	return b.seenOf(b.id, what, missing)
}

func (b *bench) seenOf(id ecp.ID, what string, missing func(o ecp.Observation) string) (found ecp.Observation) {
	b.Helper()
	b.until(what, func(ctx context.Context) string {
		o, err := b.p.Observe(ctx, id)
		if err != nil {
			return "Observe: " + err.Error()
		}
		found = o
		if why := missing(o); why != "" {
			return why + "; seen: " + describe(o)
		}
		return ""
	})
	return found
}

// describe says in a few words what an observation holds.
func describe(o ecp.Observation) string {
	var s strings.Builder
	fmt.Fprintf(&s,
		"exists %v, terminating %v, foreign %q, replicas %d, converged %v, generation %d, auth there %v, drift %q",
		o.Exists, o.Terminating, o.ForeignOwner, o.Replicas, o.Converged, o.Generation, o.Auth != "", o.Drift)
	for _, n := range o.Nodes {
		fmt.Fprintf(&s, ", node %d (ready %v, going %v, broken %v %s, %s, outdated %v)", n.Ordinal, n.Ready,
			n.Terminating, n.Broken, n.Reason, n.Revision, n.Outdated)
	}
	for _, v := range o.Volumes {
		fmt.Fprintf(&s, ", volume %d (bound %v, going %v)", v.Ordinal, v.Bound, v.Terminating)
	}
	return s.String()
}

// running is what is missing until n nodes run as asked for.
func running(n int) func(o ecp.Observation) string {
	return func(o ecp.Observation) string {
		ready := 0
		for _, node := range o.Nodes {
			if node.Ready && !node.Terminating {
				ready++
			}
		}
		switch {
		case !o.Exists || o.Terminating || o.ForeignOwner != "":
			return "it does not exist"
		case o.Replicas != n:
			return "other replicas"
		case ready != n || len(o.Nodes) != n:
			return fmt.Sprintf("%d of %d nodes are ready", ready, n)
		case !o.Converged:
			return "not converged"
		case len(outdated(o)) > 0:
			return "converged, although nodes are outdated"
		case len(o.Drift) > 0:
			return "drift"
		}
		return ""
	}
}

// outdated are the ordinals of nodes that would be made anew in another way.
func outdated(o ecp.Observation) (ordinals []int) {
	for _, n := range o.Nodes {
		if n.Outdated {
			ordinals = append(ordinals, n.Ordinal)
		}
	}
	return ordinals
}

// stopped is what is missing until no node is left.
func stopped(o ecp.Observation) string {
	switch {
	case o.Replicas != 0:
		return "other replicas"
	case len(o.Nodes) > 0:
		return "nodes are left"
	case !o.Converged:
		return "not converged"
	}
	return ""
}

// gone is what is missing until nothing is left.
func gone(o ecp.Observation) string {
	if o.Exists {
		return "it exists"
	}
	return ""
}

// apply must succeed. A platform that has not come into sight yet is waited for.
func (b *bench) apply(d ecp.Desired) {
	b.Helper()
	b.until("applied", func(ctx context.Context) string {
		err := b.p.Apply(ctx, d)
		if err != nil && !errors.Is(err, ecp.ErrUnavailable) {
			b.Fatalf("Apply: %v", err)
		}
		if err != nil {
			return err.Error()
		}
		return ""
	})
}

// refused says that an Apply must be a conflict, and gives the error.
func (b *bench) refused(d ecp.Desired) (refusal error) {
	b.Helper()
	return b.fails(d, ecp.ErrConflict)
}

// fails demands that an Apply fails in one way, and gives the error.
func (b *bench) fails(d ecp.Desired, want *ecp.Error) (failure error) {
	b.Helper()
	b.until("refused", func(ctx context.Context) string {
		err := b.p.Apply(ctx, d)
		if errors.Is(err, ecp.ErrUnavailable) {
			return err.Error()
		}
		if !errors.Is(err, want) {
			b.Fatalf("Apply gave %v, want %s", err, want.Code)
		}
		failure = err
		return ""
	})
	return failure
}

// lost says that an Apply must be refused for a loss.
func (b *bench) lost(d ecp.Desired, reason ecp.Reason) {
	b.Helper()
	d.Create = false
	err := b.refused(d)
	var loss *ecp.Loss
	if !errors.As(err, &loss) {
		b.Fatalf("Apply gave %v, whose cause is no *ecp.Loss", err)
	}
	if loss.Reason != reason || loss.What == "" {
		b.Fatalf("Apply gave the loss %+v, want reason %s and what has gone", *loss, reason)
	}
}

// create makes a cluster of n nodes and waits until it runs.
func (b *bench) create(n int) (ecp.Desired, ecp.Observation) {
	b.Helper()
	d := b.desired(n)
	b.apply(d)
	o := b.seen("running", running(n))
	d.Create = false
	return d, o
}
