package ecptest

import (
	"fmt"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// replicantCases: nodes without volumes beside the others.
var replicantCases = []provisionerCase{{name: "replicants come and go beside core nodes", test: replicants}}

// replicants: they are made, sent clients, scaled, replaced and taken away, and core nodes
// and their claims stay as they are all the while.
func replicants(b *bench) {
	m, ok := b.p.(ecp.ReplicantMaker)
	version, _ := ecp.ParseVersion(b.image.Version)
	if !ok || !m.MakesReplicants() || version.Major < 5 {
		b.Skip("it is no ecp.ReplicantMaker, or the version has no replicants")
	}
	n := b.suite.Nodes
	d, before := b.create(n)
	claims := identity(b.seen("bound", bound(n)), true)
	step := func(what string, count int, missing func(o ecp.Observation) string) ecp.Observation {
		b.Helper()
		d.Generation++
		b.apply(d)
		o := b.seen(what, func(o ecp.Observation) string {
			cores, own := byRole(o)
			switch why := running(n)(cores); {
			case len(own) != count || o.Replicants != count:
				return fmt.Sprintf("%d replicants are there, %d are asked for", len(own), o.Replicants)
			case why != "":
				return why
			}
			return missing(o)
		})
		cores, _ := byRole(o)
		b.same(claims, identity(cores, true))
		return o
	}
	serve := func(o ecp.Observation) string {
		_, own := byRole(o)
		for _, r := range own {
			if !r.Ready || r.Outdated {
				return r.Pod + " is not ready, or outdated"
			}
		}
		return ""
	}
	d.Spec.Replicants.Nodes = 2
	d.Replicants = ecp.DesiredReplicants{Replicas: 2, Size: d.Size}
	o := step("with replicants", 2, serve)
	_, own := byRole(o)
	b.replicantsAreNodes(before, o)

	d.Replicants.Front = true
	step("in front", 2, func(o ecp.Observation) string {
		if !o.ReplicantsInFront {
			return "clients are sent to core nodes"
		}
		return serve(o)
	})
	writes := b.writes()
	b.apply(d)
	if now := b.writes(); now != writes {
		b.Errorf("an Apply that changes nothing wrote %d times", now-writes)
	}
	d.Replicants.Replicas, d.Spec.Replicants.Nodes = 3, 3
	step("scaled out", 3, serve)

	if r, ok := b.p.(ecp.Rehearser); ok {
		b.taken(r, ecp.RoleReplicant, 3)
		if b.suite.RefusePods != nil {
			b.refuse(r, ecp.RoleReplicant)
			b.suite.RefusePods(b.T, b.p, b.id, false)
		}
	}
	d.Replicants.Size.CPU.Request = "150m"
	step("outdated", 3, func(o ecp.Observation) string {
		_, own := byRole(o)
		if slices.ContainsFunc(own, func(r ecp.NodeObservation) bool { return !r.Outdated }) {
			return "the new revision is not taken up"
		}
		return ""
	})
	for i := 2; i >= 0; i-- {
		d.Replicants.Roll = []int{i}
		step(fmt.Sprintf("replaced at %d", i), 3, func(o ecp.Observation) string {
			_, own := byRole(o)
			for _, r := range own {
				if !r.Ready || r.Outdated != (r.Ordinal < i) {
					return r.Pod + " is not as it should be"
				}
			}
			return ""
		})
		d.Replicants.Roll = nil
	}
	d.Replicants.Replicas, d.Spec.Replicants.Nodes = 1, 1
	step("scaled in", 1, serve)
	d.Replicants, d.Spec.Replicants = ecp.DesiredReplicants{Size: d.Replicants.Size}, ecp.Replicants{}
	step("without replicants", 0, func(o ecp.Observation) string {
		if o.ReplicantsInFront {
			return "clients are sent to replicants, and there are none"
		}
		return ""
	})
	if len(own) != 2 {
		b.Errorf("%d replicants were there at first, want 2", len(own))
	}
}

// replicantsAreNodes: they have names of their own, no volumes, and can be reached.
func (b *bench) replicantsAreNodes(before, o ecp.Observation) {
	b.Helper()
	names := map[string]bool{}
	for _, node := range o.Nodes {
		names[node.Name] = true
	}
	_, own := byRole(o)
	if len(names) != len(o.Nodes) || len(o.Volumes) != len(before.Volumes) {
		b.Errorf("there are %d names and %d volumes: %s", len(names), len(o.Volumes), describe(o))
	}
	access, ok := b.p.(ecp.Accessor)
	for i, r := range own {
		if r.Ordinal != i || r.Volume != "" || r.Name == "" || o.Nodes[len(before.Nodes)+i].Pod != r.Pod {
			b.Errorf("replicant %d is %+v", i, r)
		}
		if !ok {
			continue
		}
		if e, err := access.Endpoint(b.Context(), b.id, r.Name); err != nil || e.Node != r.Name {
			b.Errorf("the way to %s leads to %q: %v", r.Name, e.Node, err)
		}
	}
}

// byRole returns an observation without its replicants, and those.
func byRole(o ecp.Observation) (cores ecp.Observation, replicants []ecp.NodeObservation) {
	is := func(n ecp.NodeObservation) bool { return n.Role == ecp.RoleReplicant }
	for _, n := range o.Nodes {
		if is(n) {
			replicants = append(replicants, n)
		}
	}
	converged := o.Converged
	cores = o
	cores.Nodes = slices.DeleteFunc(slices.Clone(o.Nodes), is)
	if !converged && slices.ContainsFunc(replicants,
		func(n ecp.NodeObservation) bool { return n.Outdated || !n.Ready }) {
		cores.Converged = len(outdated(cores)) == 0 // it is the replicants' fault
	}
	return cores, replicants
}
