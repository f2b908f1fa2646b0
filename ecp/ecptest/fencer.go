package ecptest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// FencerSuite says how an [ecp.Fencer] is tested.
type FencerSuite struct {
	// New makes two Provisioners of one platform, as two daemons with copies of
	// one database have them. Nobody has asked either for the lease; what else
	// they need, such as Watch, runs.
	New func(t *testing.T) (a, b ecp.Provisioner)
	// Suspend stops what stands for the process of a Provisioner, or lets it go
	// on; nil = the case is skipped.
	Suspend func(t *testing.T, p ecp.Provisioner, stopped bool)
	// Remove removes a cluster when its case has ended and the Provisioners do not
	// work any more; nil = the platform goes with them.
	Remove func(t *testing.T, id ecp.ID)
	// Within is how long a take-over may take, the life of a lease included; 0 =
	// 30 s.
	Within time.Duration
	// Run runs a case, e.g. in a bubble of testing/synctest; nil = as it is.
	Run   func(t *testing.T, run func(t *testing.T))
	Image ecp.Image // what clusters are made of; zero = the first 5.x of the default catalogue
}

// TestFencer holds two Provisioners of one platform to every sentence on
// [ecp.Fencer].
func TestFencer(t *testing.T, s FencerSuite) {
	if s.Within == 0 {
		s.Within = 30 * time.Second
	}
	if s.Image.Version == "" {
		s.Image = firstImage(5)
	}
	if s.Run == nil {
		s.Run = func(t *testing.T, run func(*testing.T)) { run(t) }
	}
	for name, run := range map[string]func(*duel){
		"the second waits, and takes over from the first that ends": (*duel).handOver,
		"one that is stopped loses the lease, and does not write":   (*duel).stopped,
		"both write as one group, each what it owns":                (*duel).together,
		"what one has seen in an earlier epoch does not count":      (*duel).remembered,
	} {
		t.Run(name, func(t *testing.T) {
			s.Run(t, func(t *testing.T) {
				d := &duel{T: t, s: s, id: NewID()}
				d.a, d.b = s.New(t)
				run(d)
			})
		})
	}
}

// duel is one case.
type duel struct {
	*testing.T
	s    FencerSuite
	a, b ecp.Provisioner
	id   ecp.ID
}

// together is for those that several programs with one Store can work on.
func (d *duel) together() {
	a, b := d.a, d.b
	if _, ok := a.(ecp.GroupFencer); !ok {
		d.Skip("it is no GroupFencer")
	}
	last := atomic.Bool{}
	group := ecp.LeaseGroup{Incarnation: "0123456789abcdef", Last: last.Load}
	stopA := d.join(a, group)
	first := d.until(a, "held by the first", held)
	stopB := d.join(b, group)
	second := d.until(b, "held by both", held)
	if first.Holder.Incarnation != group.Incarnation || second.Holder.Incarnation != group.Incarnation ||
		first.Epoch != second.Epoch {
		d.Errorf("the lease is not that of the group: %+v and %+v", first, second)
	}
	of := func(epoch int64, err error) context.Context {
		return ecp.WithOwnership(d.Context(), 7, epoch, func() error { return err })
	}
	lost := func(p ecp.Provisioner, ctx context.Context, generation int64) {
		d.Helper()
		want := d.wanted(generation, false)
		want.Replicas, want.Spec.Nodes = 3, 3
		if err := p.Apply(ctx, want); !errors.Is(err, ecp.ErrLostOwnership) || ecp.CodeOf(err) != ecp.CodeUnavailable {
			d.Errorf("Apply after the ownership was lost: %v", err)
		}
		if err := p.Delete(ctx, d.id); !errors.Is(err, ecp.ErrLostOwnership) {
			d.Errorf("Delete after the ownership was lost: %v", err)
		}
	}
	if err := a.Apply(of(1, nil), d.wanted(1, true)); err != nil {
		d.Fatalf("Apply by the first owner: %v", err)
	}
	if d.s.Remove != nil {
		d.Cleanup(func() { d.s.Remove(d.T, d.id) })
	}
	d.sees(b, 1)
	lost(b, of(2, ecp.ErrLostOwnership), 2)
	two := d.wanted(2, false)
	two.Replicas, two.Spec.Nodes = 2, 2
	if err := b.Apply(of(2, nil), two); err != nil {
		d.Fatalf("Apply by the next owner: %v", err)
	}
	d.sees(a, 2)
	lost(a, of(1, nil), 3)
	d.sees(b, 2)
	stopA()
	d.until(b, "held by the other", held)
	last.Store(true)
	stopB()
	stopA = d.join(a, ecp.LeaseGroup{Incarnation: "fedcba9876543210", Last: last.Load})
	next := d.until(a, "held by another group", held)
	if next.Epoch <= first.Epoch || next.Holder.Incarnation == group.Incarnation {
		d.Errorf("another group has the lease as %+v, the first had it as %+v", next, first)
	}
	three := d.wanted(3, false)
	three.Replicas, three.Spec.Nodes = 3, 3
	if err := a.Apply(of(1, nil), three); err != nil {
		d.Errorf("epochs of shards are those of one group: %v", err)
	}
	d.join(b, group)
	d.until(b, "waiting for the other group", waitsFor(next.Holder.Incarnation))
	d.refused(b, 4)
	stopA()
}

// remembered: one has seen the volumes of a cluster before the other one owned it, scaled it
// in and out again, and so replaced one of them.
func (d *duel) remembered() {
	if _, ok := d.a.(ecp.GroupFencer); !ok {
		d.Skip("it is no GroupFencer")
	}
	for _, p := range []ecp.Provisioner{d.a, d.b} {
		d.join(p, ecp.LeaseGroup{Incarnation: "0123456789abcdef"})
		d.until(p, "held", held)
	}
	of := func(epoch int64) context.Context { return ecp.WithOwnership(d.Context(), 7, epoch, nil) }
	want := d.wanted(0, true)
	apply := func(p ecp.Provisioner, epoch int64, nodes int, drop ...int) {
		d.Helper()
		want.Generation, want.Replicas, want.Spec.Nodes, want.Drop = want.Generation+1, nodes, nodes, drop
		if err := p.Apply(of(epoch), want); err != nil {
			d.Fatalf("Apply with %d nodes in epoch %d: %v", nodes, epoch, err)
		}
		want.Create = false
	}
	volume := func(o ecp.Observation) string { return identity(o, false)["claim 1"] }

	apply(d.a, 1, 2)
	if d.s.Remove != nil {
		d.Cleanup(func() { d.s.Remove(d.T, d.id) })
	}
	before := volume(d.awaits(of(1), d.a, "two volumes", bound(2)))
	d.awaits(of(2), d.b, "two volumes", bound(2))
	apply(d.b, 2, 1)
	d.awaits(of(2), d.b, "one node", running(1))
	d.awaits(of(2), d.b, "one volume", func(o ecp.Observation) string {
		if why := withoutClaim(1)(o); why != "" {
			apply(d.b, 2, 1, 1)
			return why
		}
		return bound(1)(o)
	})
	apply(d.b, 2, 2)
	d.awaits(of(2), d.b, "two nodes", running(2))
	after := volume(d.awaits(of(2), d.b, "two volumes again", bound(2)))
	if after == before {
		d.Fatalf("the volume of the second node is still %s", before)
	}
	d.awaits(of(3), d.a, "the other volume", func(o ecp.Observation) string {
		if o.Replicas != 2 || volume(o) != after {
			return "it sees what was before"
		}
		return ""
	})
	apply(d.a, 3, 2)
	d.awaits(of(3), d.a, "two nodes", running(2))
	apply(d.a, 3, 3)
	o := d.awaits(of(3), d.a, "three volumes", bound(3))
	if volume(o) != after {
		d.Errorf("the volume of the second node was %s and is %s", after, volume(o))
	}
}

// join runs HoldFor until the function it gives is called, which waits for its end.
func (d *duel) join(p ecp.Provisioner, g ecp.LeaseGroup) (stop func()) {
	d.Helper()
	return d.holdBy(func(ctx context.Context) error { return p.(ecp.GroupFencer).HoldFor(ctx, g, func() {}) })
}

// sees waits until a Provisioner sees how many nodes are wanted.
func (d *duel) sees(p ecp.Provisioner, replicas int) {
	d.Helper()
	d.awaits(d.Context(), p, fmt.Sprint(replicas, " nodes are wanted"), func(o ecp.Observation) string {
		if !o.Exists || o.Replicas != replicas {
			return "other replicas"
		}
		return ""
	})
}

// awaits waits until a Provisioner observes what is wanted: until missing returns "".
func (d *duel) awaits(ctx context.Context, p ecp.Provisioner, what string,
	missing func(ecp.Observation) string) ecp.Observation {
	d.Helper()
	ctx, cancel := context.WithTimeout(ctx, d.s.Within)
	defer cancel()
	tick := time.NewTicker(maxWait)
	defer tick.Stop()
	for {
		o, err := p.Observe(ctx, d.id)
		why := ""
		if err == nil {
			if why = missing(o); why == "" {
				return o
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.Fatalf("after %v still not seen: %s: %s; seen: %s (%v)", d.s.Within, what, why, describe(o), err)
		}
	}
}

// hold runs Hold until the function it gives is called, which waits for its end.
func (d *duel) hold(p ecp.Provisioner) (stop func()) {
	d.Helper()
	return d.holdBy(func(ctx context.Context) error { return p.(ecp.Fencer).Hold(ctx, func() {}) })
}

func (d *duel) holdBy(hold func(context.Context) error) (stop func()) {
	d.Helper()
	ctx, cancel := context.WithCancel(d.Context())
	done := make(chan error, 1)
	go func() { done <- hold(ctx) }()
	ended := false
	stop = func() {
		cancel()
		if ended {
			return
		}
		ended = true
		if err := <-done; err != nil {
			d.Errorf("Hold: %v", err)
		}
	}
	d.Cleanup(stop)
	return stop
}

func (d *duel) until(p ecp.Provisioner, what string, is func(ecp.Lease) bool) ecp.Lease {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), d.s.Within)
	defer cancel()
	tick := time.NewTicker(maxWait)
	defer tick.Stop()
	for {
		l := p.(ecp.Fencer).Lease()
		if is(l) {
			return l
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.Fatalf("after %v still not %s: %+v", d.s.Within, what, l)
		}
	}
}

func held(l ecp.Lease) bool { return l.Held }

// WaitsFor is a lease that another incarnation is known to have.
func waitsFor(incarnation string) func(ecp.Lease) bool {
	return func(l ecp.Lease) bool { return !l.MayWrite() && l.Holder.Incarnation == incarnation }
}

func (d *duel) wanted(generation int64, create bool) ecp.Desired {
	return ecp.Desired{
		ID: d.id, Project: "default/default", Name: "fenced", Generation: generation, Create: create, Replicas: 1,
		Image: d.s.Image, Size: ecp.DefaultSizes()[0],
		Spec: ecp.HostedSpec{Nodes: 1, Connections: 10, Power: ecp.PowerOn, Network: ecp.Network{Type: ecp.ClusterIP}},
	}
}

// makes has the cluster made by one that holds the lease.
func (d *duel) makes(p ecp.Provisioner) {
	d.Helper()
	if err := p.Apply(d.Context(), d.wanted(1, true)); err != nil {
		d.Fatalf("Apply by the holder: %v", err)
	}
	if d.s.Remove != nil {
		d.Cleanup(func() { d.s.Remove(d.T, d.id) })
	}
}

// refused demands that one that does not hold the lease changes nothing.
func (d *duel) refused(p ecp.Provisioner, generation int64) {
	d.Helper()
	if _, err := p.Observe(d.Context(), d.id); err != nil {
		d.Fatalf("Observe goes on without the lease: %v", err)
	}
	before, err := d.a.Observe(d.Context(), d.id) // the other's sight may lag behind
	if err != nil {
		d.Fatalf("Observe: %v", err)
	}
	other := d.wanted(generation, !before.Exists)
	other.Replicas, other.Spec.Nodes = 2, 2
	calls := map[string]error{"Apply": p.Apply(d.Context(), other)}
	if before.Exists { // else there is nothing to delete
		calls["Delete"] = p.Delete(d.Context(), d.id)
	}
	for what, err := range calls {
		if ecp.CodeOf(err) != ecp.CodeUnavailable {
			d.Errorf("%s without the lease: %v, wanted is unavailable", what, err)
		}
	}
	after, err := d.a.Observe(d.Context(), d.id)
	if err != nil || after.Exists != before.Exists || after.Replicas != before.Replicas || after.Terminating {
		d.Errorf("without the lease something was changed: %s, was %s (%v)", describe(after), describe(before), err)
	}
}

func (d *duel) handOver() {
	if l := d.a.(ecp.Fencer).Lease(); l.MayWrite() || l.Holder.Incarnation != "" {
		d.Errorf("nobody asked for the lease: %+v", l)
	}
	stopA := d.hold(d.a)
	first := d.until(d.a, "held by the first", held)
	d.hold(d.b)
	d.until(d.b, "waiting for the first", waitsFor(first.Holder.Incarnation))
	if first.Epoch < 1 || first.Holder.Incarnation == "" || first.Holder.Host == "" || first.Holder.Since.IsZero() {
		d.Errorf("the holder is not told: %+v", first)
	}
	d.refused(d.b, 1)
	d.makes(d.a)
	d.refused(d.b, 2)
	stopA()
	second := d.until(d.b, "held by the second", held)
	if second.Holder.Incarnation == first.Holder.Incarnation || second.Epoch <= first.Epoch {
		d.Errorf("the second has the lease as %+v, the first had it as %+v", second, first)
	}
	d.hold(d.a)
	d.until(d.a, "waiting for the second", waitsFor(second.Holder.Incarnation))
	d.refused(d.a, 3)
	if err := d.b.Apply(d.Context(), d.wanted(4, false)); err != nil {
		d.Errorf("Apply after the take-over: %v", err)
	}
}

func (d *duel) stopped() {
	if d.s.Suspend == nil {
		d.Skip("FencerSuite.Suspend is nil")
	}
	d.hold(d.a)
	first := d.until(d.a, "held by the first", held)
	d.hold(d.b)
	d.until(d.b, "waiting for the first", waitsFor(first.Holder.Incarnation))
	d.makes(d.a)
	d.s.Suspend(d.T, d.a, true)
	second := d.until(d.b, "held by the second", held)
	if second.Epoch <= first.Epoch {
		d.Errorf("the second has the epoch %d, the first had %d", second.Epoch, first.Epoch)
	}
	d.refused(d.a, 2)
	d.s.Suspend(d.T, d.a, false)
	d.until(d.a, "waiting for the second", waitsFor(second.Holder.Incarnation))
	d.refused(d.a, 2)
}
