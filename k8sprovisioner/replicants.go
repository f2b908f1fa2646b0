package k8sprovisioner

import (
	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Replicants are a second StatefulSet without volume claims. Its pods have the label of the
// cluster, so that what is for all pods (the network policy, the management Service) is for
// them, too, and another [labelApp]. What is for core nodes only says so by that label, where
// there are replicants: their budget, and the headless Service, in which nodes look for
// others to join. The selector of the StatefulSet of core nodes cannot be changed and matches
// replicants as well; its controller takes pods by their owner and name.
//
// When a cluster has no replicants any more its StatefulSet stays with none.

// MakesReplicants implements [ecp.ReplicantMaker].
func (p *Provisioner) MakesReplicants() bool { return true }

var _ ecp.ReplicantMaker = (*Provisioner)(nil)

// ofReplicants returns the input for rendering what is for replicants.
func (in input) ofReplicants() input {
	in.role, in.Replicas, in.Size = ecp.RoleReplicant, in.Replicants.Replicas, in.Replicants.Size
	return in
}

func (in input) workload() string {
	if in.role == ecp.RoleReplicant {
		return in.names.replicants()
	}
	return in.names.workload()
}

func (in input) headless() string {
	if in.role == ecp.RoleReplicant {
		return in.names.replicantHeadless()
	}
	return in.names.headless()
}

// pods returns the labels by which a StatefulSet knows its pods.
func (in input) pods() map[string]string {
	s := selector(in.ID)
	if in.role == ecp.RoleReplicant {
		s[labelApp] = appReplicant
	}
	return s
}

// ownPods returns the labels that select the pods of one role only. Without replicants they
// are those of every earlier release.
func (in input) ownPods() map[string]string {
	s := in.pods()
	if in.replicants && in.role == ecp.RoleCore {
		s[labelApp] = appCore
	}
	return s
}

// ofReplicants returns the same objects seen from the replicants: workload and pods are
// theirs.
func (f clusterObjects) ofReplicants() clusterObjects {
	f.role, f.workload = ecp.RoleReplicant, f.replicants
	return f
}

// eachRole returns the objects as seen from the core nodes, and from the replicants if there
// are any.
func (f clusterObjects) eachRole() []clusterObjects {
	if f.replicants == nil {
		return []clusterObjects{f}
	}
	return []clusterObjects{f, f.ofReplicants()}
}

func (f clusterObjects) lookupReplicants() *appsv1.StatefulSet {
	s, _ := f.informers.get(kindStatefulSet, string(f.id), names{id: f.id}.replicants()).(*appsv1.StatefulSet)
	return s
}

// podsByName returns the pods of all roles.
func (f clusterObjects) podsByName() map[string]*corev1.Pod {
	out := map[string]*corev1.Pod{}
	for _, r := range f.eachRole() {
		for _, pod := range r.pods() {
			out[pod.Name] = pod
		}
	}
	return out
}

// replicantsInFront reports whether the access Service selects replicants only.
func (f clusterObjects) replicantsInFront() bool {
	s := f.access()
	return s != nil && s.Spec.Selector[labelApp] == appReplicant
}
