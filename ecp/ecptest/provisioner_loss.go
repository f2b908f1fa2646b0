package ecptest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// lossCases: what people and accidents do to a cluster.
var lossCases = []provisionerCase{
	{
		name:  "a deleted pod comes back",
		hook:  "DeletePod",
		given: func(s ProvisionerSuite) bool { return s.DeletePod != nil },
		test:  podDeleted,
	},
	{
		name:  "a dead node is seen",
		hook:  "KillNode",
		given: func(s ProvisionerSuite) bool { return s.KillNode != nil },
		test:  nodeKilled,
	},
	{
		name:  "a scaling by hand is seen and undone",
		hook:  "ScaleByHand",
		given: func(s ProvisionerSuite) bool { return s.ScaleByHand != nil },
		test:  scaledByHand,
	},
	{
		name:  "a deleted Service comes back",
		hook:  "DeleteService",
		given: func(s ProvisionerSuite) bool { return s.DeleteService != nil },
		test:  serviceDeleted,
	},
	{
		name:  "a claim lost while stopped",
		hook:  "DeleteClaim",
		given: func(s ProvisionerSuite) bool { return s.DeleteClaim != nil },
		test:  claimLostStopped,
	},
	{
		name:  "a claim lost while running",
		hook:  "DeleteClaim",
		given: func(s ProvisionerSuite) bool { return s.DeleteClaim != nil },
		test:  claimLostRunning,
	},
	{
		name:  "a lost volume is given up when that is asked for",
		hook:  "RemoveMachine",
		given: func(s ProvisionerSuite) bool { return s.RemoveMachine != nil },
		test:  volumeLost,
	},
	{
		name:  "keys lost",
		hook:  "DeleteAuth",
		given: func(s ProvisionerSuite) bool { return s.DeleteAuth != nil },
		test:  authLost,
	},
	{
		name:  "keys lost, and all nodes stopped before others are made",
		hook:  "DeleteAuth",
		given: func(s ProvisionerSuite) bool { return s.DeleteAuth != nil },
		test:  authReplaced,
	},
	{
		name:  "a namespace lost",
		hook:  "DeleteNamespace",
		given: func(s ProvisionerSuite) bool { return s.DeleteNamespace != nil },
		test:  namespaceLost,
	},
	{name: "nothing is made unasked", test: notUnasked},
	{
		name:  "what is somebody else's",
		hook:  "MakeForeign",
		given: func(s ProvisionerSuite) bool { return s.MakeForeign != nil },
		test:  foreign,
	},
	{
		name:  "a platform that is away",
		hook:  "SetUnreachable",
		given: func(s ProvisionerSuite) bool { return s.SetUnreachable != nil },
		alone: true,
		test:  unreachable,
	},
}

func podDeleted(b *bench) {
	n := b.suite.Nodes
	b.create(n)
	before := b.seen("bound", bound(n))
	b.suite.DeletePod(b.T, b.p, b.id, 1)
	o := b.seen("running with another pod", func(o ecp.Observation) string {
		if why := running(n)(o); why != "" {
			return why
		}
		if o.Nodes[1].PodUID == before.Nodes[1].PodUID {
			return "the pod is the same"
		}
		return ""
	})
	if o.Nodes[1].Name != before.Nodes[1].Name {
		b.Errorf("the node was %q and is %q", before.Nodes[1].Name, o.Nodes[1].Name)
	}
	b.same(identity(before, false), identity(o, false))
}

func nodeKilled(b *bench) {
	n := b.suite.Nodes
	_, before := b.create(n)
	b.suite.KillNode(b.T, b.p, b.id, 0)
	o := b.seen("one node short", func(o ecp.Observation) string {
		i := slices.IndexFunc(o.Nodes, func(node ecp.NodeObservation) bool { return node.Ordinal == 0 })
		if i >= 0 && o.Nodes[i].Ready && o.Nodes[i].Since.Equal(before.Nodes[0].Since) {
			return "the node is ready as before"
		}
		return ""
	})
	for _, node := range o.Nodes {
		if node.Ordinal > 0 && !node.Ready {
			b.Errorf("node %d is not ready: %+v", node.Ordinal, node)
		}
		if !node.Ready && node.Reason == "" {
			b.Errorf("node %d does not say why it is not ready", node.Ordinal)
		}
	}
}

func scaledByHand(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	before := b.seen("bound", bound(n))
	b.suite.ScaleByHand(b.T, b.p, b.id, 0)
	b.seen("scaled by hand", func(o ecp.Observation) string {
		if o.Replicas != 0 || len(o.Nodes) > 0 {
			return "nodes are asked for"
		}
		return ""
	})
	b.apply(d)
	b.same(identity(before, false), identity(b.seen("running again", running(n)), false))
}

func serviceDeleted(b *bench) {
	d, before := b.create(1)
	b.suite.DeleteService(b.T, b.p, b.id)
	b.seen("drifted", func(o ecp.Observation) string {
		if len(o.Drift) == 0 {
			return "no drift"
		}
		return ""
	})
	b.apply(d)
	o := b.seen("healed", running(1))
	if in := o.Endpoints.Internal; in.Host != before.Endpoints.Internal.Host || !slices.Equal(in.Ports,
		before.Endpoints.Internal.Ports) {
		b.Errorf("endpoints were %+v and are %+v", before.Endpoints, o.Endpoints)
	}
	b.same(identity(before, true), identity(o, true))
}

// claimLostStopped: the claim goes at once, and stays away until a person says
// that the node may come up empty.
func claimLostStopped(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	before := b.seen("bound", bound(n))
	d.Replicas, d.Generation = 0, 2
	b.apply(d)
	b.seen("stopped", stopped)
	b.suite.DeleteClaim(b.T, b.p, b.id, 1)
	b.seen("without the claim", withoutClaim(1))
	d.Replicas, d.Generation = n, 3
	b.lost(d, ecp.ReasonDataLost)
	o := b.seen("still without the claim", withoutClaim(1))
	if len(o.Nodes) > 0 {
		b.Errorf("a refused Apply started nodes: %s", describe(o))
	}
	d.Create, d.Replicas = true, 0 // accepted while stopped
	b.apply(d)
	b.seen("still stopped", stopped)
	d.Create, d.Replicas, d.Generation = false, n, 4
	b.apply(d)
	b.seen("running again", running(n))
	after := identity(b.seen("bound", bound(n)), false)
	was := identity(before, false)
	if after["claim 1"] == was["claim 1"] {
		b.Errorf("the new claim has the UID of the lost one, %s", was["claim 1"])
	}
	delete(was, "claim 1")
	b.same(was, after)
}

// withoutClaim is what is missing until an ordinal has no claim.
func withoutClaim(ordinal int) func(o ecp.Observation) string {
	return func(o ecp.Observation) string {
		if slices.ContainsFunc(o.Volumes, func(v ecp.VolumeObservation) bool { return v.Ordinal == ordinal }) {
			return "the claim is there"
		}
		return ""
	}
}

// claimLostRunning: the claim goes with the pod that uses it; until then it
// shows that its end was asked for.
func claimLostRunning(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	b.seen("bound", bound(n))
	b.suite.DeleteClaim(b.T, b.p, b.id, 1)
	b.seen("losing the claim", func(o ecp.Observation) string {
		if slices.ContainsFunc(o.Volumes,
			func(v ecp.VolumeObservation) bool { return v.Ordinal == 1 && !v.Terminating }) {
			return "the claim stays"
		}
		return ""
	})
	d.Generation = 2
	b.lost(d, ecp.ReasonDataLost)
	o := b.seen("observed", func(ecp.Observation) string { return "" })
	b.same(map[string]string{"auth": before.Auth}, identity(o, false))
}

// volumeLost: the volume of a removed machine is told, and goes only when its very claim is named, which the
// node then gets another in place of. One that is named and not lost stays.
func volumeLost(b *bench) {
	n := b.suite.Nodes
	last := n - 1
	d, _ := b.create(n)
	before := b.seen("bound", bound(n))
	was := identity(before, false)
	named := func(claim string) {
		b.Helper()
		d.Generation++
		d.Roll, d.Abandon = []int{last}, []string{claim}
		b.apply(d)
	}
	named(claimOf(before, last))
	b.same(was, identity(b.seen("running as before", running(n)), false))

	b.suite.RemoveMachine(b.T, b.p, b.id, last)
	lost := func(o ecp.Observation) string {
		if len(o.Nodes) != n || !o.Nodes[last].VolumeLost {
			return "the volume is not told to be lost"
		}
		return ""
	}
	b.seen("lost", lost)
	named("another-" + claimOf(before, last))
	b.same(was, identity(b.seen("lost as before", lost), false))

	named(claimOf(before, last))
	b.seen("running again", running(n))
	is := identity(b.seen("bound", bound(n)), false)
	claim := fmt.Sprint("claim ", last)
	if is[claim] == was[claim] {
		b.Errorf("the claim %s is there", was[claim])
	}
	delete(was, claim)
	delete(is, claim)
	b.same(was, is)
	d.Roll, d.Abandon, d.Generation = nil, nil, d.Generation+1
	b.apply(d) // it is no loss
}

// claimOf returns the UID of the claim of an ordinal.
func claimOf(o ecp.Observation, ordinal int) string {
	for _, v := range o.Volumes {
		if v.Ordinal == ordinal {
			return v.UID
		}
	}
	return ""
}

func authLost(b *bench) {
	d, before := b.create(1)
	b.suite.DeleteAuth(b.T, b.p, b.id)
	without := func(o ecp.Observation) string {
		if o.Auth != "" {
			return "the Secret is there"
		}
		return ""
	}
	b.seen("without keys", without)
	b.lost(d, ecp.ReasonSecretLost)
	b.seen("still without keys", without)
	d.Create = true
	b.apply(d)
	o := b.seen("with keys", func(o ecp.Observation) string {
		if o.Auth == "" {
			return "the Secret is not there"
		}
		return ""
	})
	if o.Auth == before.Auth {
		b.Error("the new Secret is identified as the lost one was")
	}
}

// authReplaced: one Apply makes the keys anew and ends the nodes that have the former ones, the
// next one starts them, with the names and the data that they had.
func authReplaced(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	before := b.seen("bound", bound(n))
	b.suite.DeleteAuth(b.T, b.p, b.id)
	b.seen("without keys", func(o ecp.Observation) string {
		if o.Auth != "" {
			return "the Secret is there"
		}
		return ""
	})
	d.Replicas, d.Generation, d.Create = 0, 2, true
	b.apply(d)
	b.seen("with keys and no node", func(o ecp.Observation) string {
		if o.Auth == "" || o.Auth == before.Auth || len(o.Nodes) > 0 {
			return describe(o)
		}
		return ""
	})
	d.Replicas = n
	b.apply(d)
	b.seen("running again", running(n))
	o := b.seen("bound", bound(n))
	for i, node := range o.Nodes {
		if was := before.Nodes[i]; node.Name != was.Name || node.PodUID == was.PodUID {
			b.Errorf("node %d was %s in the pod %s and is %s in %s", i, was.Name, was.PodUID, node.Name, node.PodUID)
		}
	}
	was, is := identity(before, false), identity(o, false)
	delete(was, "auth")
	delete(is, "auth")
	b.same(was, is)
}

func namespaceLost(b *bench) {
	d, before := b.create(1)
	b.suite.DeleteNamespace(b.T, b.p, b.id)
	b.seen("gone", gone)
	b.lost(d, ecp.ReasonDataLost)
	b.seen("still gone", gone)
	d.Create = true
	b.apply(d)
	o := b.seen("running again", running(1))
	if o.Auth == before.Auth {
		b.Error("the new Secret is identified as the lost one was")
	}
}

// notUnasked: a Provisioner that never saw the cluster does not make it either.
func notUnasked(b *bench) {
	b.lost(b.desired(1), ecp.ReasonDataLost)
	b.seen("absent", gone)
}

func foreign(b *bench) {
	b.suite.MakeForeign(b.T, b.p, b.id)
	theirs := func(o ecp.Observation) string {
		if o.ForeignOwner == "" {
			return "nobody else's"
		}
		return ""
	}
	_ = b.refused(b.desired(1))
	o := b.seen("somebody else's", theirs)
	if o.Exists || o.Auth != "" || len(o.Nodes)+len(o.Volumes) > 0 {
		b.Errorf("what is somebody else's was looked into: %s", describe(o))
	}
	if err := b.p.Delete(b.Context(), b.id); err != nil && !errors.Is(err, ecp.ErrConflict) {
		b.Errorf("Delete of somebody else's: %v; want nil or a conflict", err)
	}
	b.seen("still somebody else's", theirs)
}

// unreachable: what is not seen is not said to be gone.
func unreachable(b *bench) {
	d, before := b.create(1)
	back := b.away()
	defer back()
	if err := b.p.Apply(b.Context(), d); !errors.Is(err, ecp.ErrUnavailable) {
		b.Error(describeErr("Apply", err) + ", want unavailable")
	}
	if err := b.p.Delete(b.Context(), b.id); !errors.Is(err, ecp.ErrUnavailable) {
		b.Error(describeErr("Delete", err) + ", want unavailable")
	}
	checkedUnobserved(b, d)
	woken := back()
	b.same(identity(before, false), identity(b.seen("running as before", running(1)), false))
	if b.wakes == nil || b.wokenBy(woken) {
		return
	}
	// The wake at the outage may have been a late one of the creation, and the
	// outage too short for Watch to see it. By now no late wake is left, so a
	// second outage is told at both ends, or never.
	woken = b.away()()
	b.wokenAgain("when the platform came back", woken)
}

// away takes the platform away and waits until that is seen and told. The
// function that it returns brings the platform back, once, and returns how
// often the cluster had been woken before.
func (b *bench) away() (back func() (woken int)) {
	b.Helper()
	woken, _ := b.wakes.of(b.id)
	b.suite.SetUnreachable(b.T, b.p, true)
	back = sync.OnceValue(func() int {
		now, _ := b.wakes.of(b.id)
		b.suite.SetUnreachable(b.T, b.p, false)
		return now
	})
	seen := false
	defer func() {
		if !seen {
			back()
		}
	}()
	b.until("unavailable", func(ctx context.Context) string {
		_, err := b.p.Observe(ctx, b.id)
		if !errors.Is(err, ecp.ErrUnavailable) {
			return describeErr("Observe", err)
		}
		return ""
	})
	b.wokenAgain("when the platform went away", woken)
	seen = true
	return back
}

func describeErr(call string, err error) string {
	if err == nil {
		return call + " succeeded"
	}
	return call + " gave " + err.Error()
}
