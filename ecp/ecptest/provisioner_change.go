package ecptest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// changeCases: a cluster whose nodes are made anew, or fewer.
var changeCases = []provisionerCase{
	{name: "pods are replaced only when asked", test: func(b *bench) {
		rolling(b, func(d *ecp.Desired) { d.Size.CPU.Request = "150m" })
	}},
	{
		name: "a restart is a change of all pods",
		test: func(b *bench) { rolling(b, func(d *ecp.Desired) { d.Restarts++ }) },
	},
	{name: "a pod that is named is replaced, that very one", test: replacedByName},
	{name: "a change taken back outdates none", test: takenBack},
	{name: "what is around pods outdates none", test: aroundPods},
	{
		name:  "a change by somebody else outdates all and replaces none",
		hook:  "ChangeTemplate",
		given: func(s ProvisionerSuite) bool { return s.ChangeTemplate != nil },
		test:  templateChanged,
	},
	{name: "claims stay until they are dropped", test: dropping},
	{name: "claims are dropped while stopped", test: droppingStopped},
	{name: "claims that are meant to be there stay", test: droppingTooMuch},
	{name: "a claim in use stays", test: droppingInUse},
	{
		name:  "what the platform will never take",
		hook:  "Refused",
		given: func(s ProvisionerSuite) bool { return s.Refused != nil },
		test:  neverTaken,
	},
	{
		name:  "a claim lost that was left behind",
		hook:  "DeleteClaim",
		given: func(s ProvisionerSuite) bool { return s.DeleteClaim != nil },
		test:  leftoverLost,
	},
}

// neverTaken: a definite refusal of one object is told as one, in the
// platform's words, and what does not depend on it goes on.
func neverTaken(b *bench) {
	d := b.desired(b.suite.Nodes)
	b.suite.Refused(&d, false)
	b.apply(d)
	b.seen("running", running(b.suite.Nodes))
	d.Create = false
	taken := d
	b.suite.Refused(&d, true)
	d.Generation, d.Replicas = 2, b.suite.Nodes-1
	d.Spec.Nodes = d.Replicas
	for range 2 {
		err := b.fails(d, ecp.ErrInvalid)
		r := ecp.RefusalOf(err)
		if r == nil || !r.Rest || r.What == "" || r.Why == "" || !strings.Contains(ecp.MessageOf(err), r.Why) {
			b.Fatalf(
				"Apply gave %v with the refusal %+v; want what was refused, in the platform's words, and the rest done",
				err,
				r,
			)
		}
	}
	b.seen("one node less all the same", func(o ecp.Observation) string {
		if o.Generation != 2 || len(o.Nodes) != d.Replicas {
			return "the rest is not done"
		}
		return ""
	})
	taken.Generation, taken.Replicas, taken.Spec.Nodes = 3, d.Replicas, d.Spec.Nodes
	b.apply(taken)
	b.seen("running", running(d.Replicas))
}

// rolling: new contents of a pod wait until its ordinal is named. Until then
// its node is outdated, and no other one is.
func rolling(b *bench, change func(*ecp.Desired)) {
	n := b.suite.Nodes
	d, before := b.create(n)
	change(&d)
	d.Generation = 2
	b.apply(d)
	o := b.seen("outdated", func(o ecp.Observation) string {
		if o.Generation != 2 || o.Converged || len(outdated(o)) != n {
			return "the new revision is not taken up"
		}
		return ""
	})
	writes := b.writes()
	b.apply(d)
	if now := b.writes(); now != writes {
		b.Errorf("an Apply that changes nothing wrote %d times", now-writes)
	}
	b.same(identity(before, true), identity(o, true))
	for i := n - 1; i >= 0; i-- {
		d.Roll = []int{i}
		b.apply(d)
		d.Roll = nil
		o = b.seen(fmt.Sprintf("replaced at %d", i), replaced(before, i, n))
	}
	b.seen("running", running(n))
	b.same(identity(before, false), identity(o, false))
}

// replacedByName: a pod is replaced although it is of the newest revision, once,
// and no other; a pod that has taken its place stays.
func replacedByName(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	last := before.Nodes[n-1]
	d.Replace = map[int]string{last.Ordinal: "another-uid"}
	b.apply(d)
	b.same(identity(before, true), identity(b.seen("running", running(n)), true))
	d.Replace = map[int]string{last.Ordinal: last.PodUID}
	b.apply(d)
	o := b.seen("replaced", func(o ecp.Observation) string {
		if len(o.Nodes) != n || o.Nodes[n-1].PodUID == last.PodUID {
			return "the pod that was named is still there"
		}
		return running(n)(o)
	})
	for i := range n - 1 {
		if o.Nodes[i].PodUID != before.Nodes[i].PodUID {
			b.Errorf("node %d was replaced, and was not named", i)
		}
	}
	if len(outdated(o)) > 0 || o.Nodes[n-1].Revision != last.Revision {
		b.Errorf("the new pod is of another revision: %s", describe(o))
	}
	b.same(identity(before, false), identity(o, false))
	b.apply(d)
	b.same(identity(o, true), identity(b.seen("running", running(n)), true))
}

// replaced is what is missing until the pods from ordinal i up are other ones
// than before, and those below are not, and are outdated.
func replaced(before ecp.Observation, i, n int) func(o ecp.Observation) string {
	return func(o ecp.Observation) string {
		if len(o.Nodes) != n {
			return "nodes are missing"
		}
		for _, node := range o.Nodes {
			old, fresh := before.Nodes[node.Ordinal], node.Ordinal >= i
			if !node.Ready || (node.PodUID != old.PodUID) != fresh || (node.Revision != old.Revision) != fresh ||
				node.Outdated == fresh {
				return fmt.Sprintf("node %d is not as it should be", node.Ordinal)
			}
		}
		return ""
	}
}

// takenBack: from the moment a change is taken back, nodes are as they should be.
func takenBack(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	was := d.Size.CPU.Request
	for range 3 {
		d.Size.CPU.Request, d.Generation = "150m", d.Generation+1
		b.apply(d)
		b.seen("outdated", func(o ecp.Observation) string {
			if len(outdated(o)) != n {
				return "the new revision is not taken up"
			}
			return ""
		})
		d.Size.CPU.Request, d.Generation = was, d.Generation+1
		b.apply(d)
		o := b.seen("running", func(o ecp.Observation) string {
			if wrong := outdated(o); len(wrong) > 0 {
				b.Fatalf("nodes %v are outdated, although they are what is wanted: %s", wrong, describe(o))
			}
			return running(n)(o)
		})
		b.same(identity(before, true), identity(o, true))
	}
}

// aroundPods: what pods are not made from outdates none, at no time.
func aroundPods(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	b.seen("bound", bound(n))
	steps := []struct {
		name   string
		change func()
		nodes  int
		open   bool
	}{
		{"open", func() { d.Spec.Network.Type = ecp.NodePort }, n, true},
		{"open, with another limit", func() { d.Spec.Connections = 200 }, n, true},
		{"scaled out", func() { d.Replicas, d.Spec.Nodes = n+1, n+1 }, n + 1, true},
		{"scaled in", func() { d.Replicas, d.Spec.Nodes = n, n }, n, true},
		{"closed", func() { d.Spec.Network.Type = ecp.ClusterIP }, n, false},
	}
	var ports []ecp.ExternalEndpoint
	for _, s := range steps {
		s.change()
		d.Generation++
		b.apply(d)
		o := b.seen(s.name, func(o ecp.Observation) string {
			if wrong := outdated(o); len(wrong) > 0 {
				b.Fatalf("when it was to be %s, nodes %v were outdated: %s", s.name, wrong, describe(o))
			}
			if o.Generation != d.Generation || (len(o.Endpoints.External) > 0) != s.open {
				return fmt.Sprintf("not taken up; outside: %v", o.Endpoints.External)
			}
			return running(s.nodes)(o)
		})
		b.same(identity(before, true), identity(o, true))
		if o.Endpoints.Internal.Host != before.Endpoints.Internal.Host {
			b.Errorf("when it was %s, the address inside was %q; before, %q", s.name, o.Endpoints.Internal.Host,
				before.Endpoints.Internal.Host)
		}
		if ports != nil && s.open && !slices.Equal(ports, o.Endpoints.External) {
			b.Errorf("when it was %s, the ports outside were %v; before, %v", s.name, o.Endpoints.External, ports)
		}
		ports = o.Endpoints.External
	}
}

// templateChanged: what somebody else does to the pod template is seen, and
// waits for Roll whatever else is applied meanwhile.
func templateChanged(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	b.suite.ChangeTemplate(b.T, b.p, b.id)
	all := func(o ecp.Observation) string {
		if len(outdated(o)) != n || o.Converged || len(o.Drift) > 0 {
			return "not all nodes are outdated, or it is called a drift"
		}
		return ""
	}
	b.seen("outdated", all)
	d.Spec.Network.Type, d.Generation = ecp.NodePort, 2
	b.apply(d)
	o := b.seen("open, and outdated", func(o ecp.Observation) string {
		if len(o.Endpoints.External) == 0 {
			return "it is not open"
		}
		return all(o)
	})
	b.same(identity(before, true), identity(o, true))
	for i := n - 1; i >= 0; i-- {
		d.Roll = []int{i}
		b.apply(d)
		b.seen(fmt.Sprintf("replaced at %d", i), replaced(before, i, n))
	}
	b.seen("running", running(n))
}

// fewer makes a cluster and takes its highest node away, which leaves its claim.
func (b *bench) fewer() (d ecp.Desired, claims map[string]string) {
	b.Helper()
	n := b.suite.Nodes
	d, _ = b.create(n)
	claims = identity(b.seen("bound", bound(n)), false)
	d.Replicas, d.Spec.Nodes, d.Generation = n-1, n-1, 2
	b.apply(d)
	b.seen("scaled in", running(n-1))
	b.apply(d)
	b.same(claims, identity(b.seen("with all claims", bound(n)), false))
	return d, claims
}

// anew wants all nodes again: the highest gets a claim that it never had.
func (b *bench) anew(d ecp.Desired, claims map[string]string) {
	b.Helper()
	n := b.suite.Nodes
	d.Replicas, d.Spec.Nodes, d.Generation, d.Drop = n, n, d.Generation+1, nil
	b.apply(d)
	b.seen("running again", running(n))
	after := identity(b.seen("bound", bound(n)), false)
	highest := fmt.Sprint("claim ", n-1)
	if after[highest] == claims[highest] {
		b.Errorf("the new node has the claim %s of the one that had left", claims[highest])
	}
	delete(claims, highest)
	b.same(claims, after)
}

// dropping: an Apply with fewer replicas keeps claims; Drop takes them away,
// and nothing is then called lost.
func dropping(b *bench) {
	n := b.suite.Nodes
	d, claims := b.fewer()
	d.Drop = []int{n - 1, n + 3} // there never was a claim of the other
	b.apply(d)
	b.apply(d)
	o := b.seen("without the claim", withoutClaim(n-1))
	if why := running(n - 1)(o); why != "" {
		b.Errorf("when the claim was dropped, the cluster was not as before: %s; seen: %s", why, describe(o))
	}
	d.Drop, d.Generation = nil, 3
	b.apply(d)
	b.seen("running", running(n-1))
	b.anew(d, claims)
}

func droppingStopped(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	claims := identity(b.seen("bound", bound(n)), false)
	d.Replicas, d.Spec.Power, d.Generation = 0, ecp.PowerOff, 2
	b.apply(d)
	b.seen("stopped", stopped)
	d.Spec.Nodes, d.Generation, d.Drop = n-1, 3, []int{n - 1}
	b.apply(d)
	b.seen("without the claim", withoutClaim(n-1))
	d.Spec.Nodes, d.Generation, d.Drop = n, 4, nil // nobody has made the claim since
	b.apply(d)
	d.Spec.Power = ecp.PowerOn
	b.anew(d, claims)
}

// droppingTooMuch: whether such a Drop is refused as invalid or left out is
// the Provisioner's choice; nothing of it happens.
func droppingTooMuch(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	claims := identity(b.seen("bound", bound(n)), false)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	ask := func() {
		b.Helper()
		d.Drop = all
		if err := b.p.Apply(b.Context(), d); err != nil && ecp.CodeOf(err) != ecp.CodeInvalid {
			b.Errorf("Apply: %v, want nil or invalid", err)
		}
		d.Drop = nil
		b.same(claims, identity(b.seen("with all claims", bound(n)), false))
	}
	ask()
	d.Replicas, d.Spec.Power, d.Generation = 0, ecp.PowerOff, 2
	b.apply(d)
	b.seen("stopped", stopped)
	ask()
	d.Replicas, d.Spec.Power, d.Generation = n, ecp.PowerOn, 3
	b.apply(d)
	b.seen("running again", running(n))
	b.same(claims, identity(b.seen("with all claims", bound(n)), false))
}

// droppingInUse: a claim goes after its pod, not with it.
func droppingInUse(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	claims := identity(b.seen("bound", bound(n)), false)
	d.Replicas, d.Spec.Nodes, d.Generation, d.Drop = n-1, n-1, 2, []int{n - 1}
	b.apply(d)
	b.seen("scaled in", func(o ecp.Observation) string {
		used := slices.ContainsFunc(o.Nodes, func(node ecp.NodeObservation) bool { return node.Ordinal == n-1 })
		if kept := withoutClaim(n-1)(o) != ""; used && !kept || used && bound(n)(o) != "" {
			b.Fatalf("the claim of a node that is there goes: %s", describe(o))
		}
		return running(n - 1)(o)
	})
	b.apply(d)
	b.seen("without the claim", withoutClaim(n-1))
	b.anew(d, claims)
}

// leftoverLost: what no node is meant to have cannot be lost.
func leftoverLost(b *bench) {
	n := b.suite.Nodes
	d, claims := b.fewer()
	b.suite.DeleteClaim(b.T, b.p, b.id, n-1)
	b.seen("without the claim", withoutClaim(n-1))
	d.Generation = 3
	b.apply(d)
	b.seen("running", running(n-1))
	b.anew(d, claims)
}
