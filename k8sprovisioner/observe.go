package k8sprovisioner

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
)

// Observe implements [ecp.Provisioner]. It reads the informers, and asks the API server
// only if something is missing there.
func (p *Provisioner) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	none := ecp.Observation{Replicas: -1}
	f, err := p.objectsOf(ctx, id, "observe cluster "+string(id), true)
	if err != nil {
		return none, err
	}
	if f.foreign != "" {
		none.ForeignOwner = f.foreign
		return none, nil
	}
	if f.namespace == nil {
		p.forget(id)
		return none, nil
	}
	o := ecp.Observation{
		Exists: true, Terminating: f.namespace.DeletionTimestamp != nil, Replicas: replicas(f), Auth: f.auth,
		Generation: f.generation(),
		ChangeID:   f.annotation(annotationChange), Manifest: f.annotation(annotationManifest),
		Volumes: p.volumes(f), Endpoints: endpoints(f, p.network(f).ClusterDomain),
	}
	current := true
	for _, r := range f.eachRole() {
		nodes, are := p.nodes(ctx, r)
		o.Nodes, current = append(o.Nodes, nodes...), current && are
	}
	p.forgetResizes(f.id, o.Nodes)
	o.EvictionsHeld, o.MachinesSeen = f.evictionsHeld(), p.cordons.mark(o.Nodes)
	if f.replicants != nil {
		o.Replicants, o.ReplicantsInFront = replicas(f.ofReplicants()), f.replicantsInFront()
	}
	if o.Terminating {
		o.Obstacles = terminationObstacles(f.namespace)
		p.observeMachines(ctx, f, &o, time.Now())
		return o, nil
	}
	o.Drift, o.Contested = p.drift(f)
	o.Converged = current && !slices.ContainsFunc(o.Drift,
		func(name string) bool { return strings.HasPrefix(name, kindStatefulSet+" ") })
	o.Obstacles = f.labelObstacles()
	o.AddressPending = p.addressPending(ctx, f)
	p.addPodEvents(ctx, f, &o)
	p.observeStranded(ctx, f, &o, time.Now())
	return o, nil
}

// drift returns the objects that the next Apply would write or delete, and those that
// another writer keeps changing.
func (p *Provisioner) drift(f clusterObjects) ([]string, []ecp.Contest) {
	var rendered []object
	var want resource.Quantity
	below := 0
	p.withMemo(f.id, func(m *memo) { rendered, want, below = m.rendered, m.want, m.expected })
	var out []string
	for _, o := range rendered {
		if differs, fields := p.differs(f, o); differs && !p.contestOf(f.id, o).paused(time.Now(), o.hash(), fields) {
			out = append(out, o.String())
		}
	}
	for _, c := range p.claimsToGrow(f, want, below) {
		out = append(out, kindClaim+" "+c.Name)
	}
	return append(out, p.unusedSecrets(f)...), p.activeContests(f.id, rendered)
}

// nodes describes the pods by ordinal. current: the controller has seen the newest
// StatefulSet, and every pod of it exists, is ready, and is as it would be made now.
func (p *Provisioner) nodes(ctx context.Context, f clusterObjects) (out []ecp.NodeObservation, current bool) {
	pods, domain := f.pods(), p.network(f).ClusterDomain
	out = make([]ecp.NodeObservation, 0, len(pods))
	current = f.controllerCaughtUp() && len(pods) == replicas(f)
	for _, i := range slices.Sorted(maps.Keys(pods)) {
		n := node(i, pods[i], f.id, domain)
		n.Role = f.role
		d, err := p.difference(ctx, f, pods[i], time.Now())
		n.Outdated, n.Resize, n.ResizeReason = d.outdated, d.resize, d.reason
		why, unknown := p.resizeObstacle(pods[i])
		n.Resizable, n.NoResize = why == "" && unknown == nil, why
		current = current && err == nil && n.Ready && !n.Outdated
		out = append(out, n)
	}
	return out, current
}

// forgetResizes forgets the resizes of pods that are not there any more.
func (p *Provisioner) forgetResizes(id ecp.ID, nodes []ecp.NodeObservation) {
	p.withMemo(id, func(m *memo) {
		maps.DeleteFunc(m.resizes, func(uid types.UID, _ resizeAttempt) bool {
			return !slices.ContainsFunc(nodes, func(n ecp.NodeObservation) bool { return n.PodUID == string(uid) })
		})
	})
}

// volumes describes the claims by ordinal, and remembers those that contain data.
func (p *Provisioner) volumes(f clusterObjects) []ecp.VolumeObservation {
	claims, mayAsk := f.claims(), !p.rights.lacks(patchClaims)
	out := make([]ecp.VolumeObservation, 0, len(claims))
	p.withMemo(f.id, func(m *memo) {
		for _, i := range slices.Sorted(maps.Keys(claims)) {
			c := claims[i]
			v := ecp.VolumeObservation{
				Ordinal: i, Name: c.Name, UID: string(c.UID), Bound: c.Status.Phase == corev1.ClaimBound,
				Terminating: c.DeletionTimestamp != nil || m.deletedClaims[i] == string(c.UID), Capacity: capacity(c),
			}
			if i < m.expected {
				v.Pending = m.growthAttempts[c.UID].pending(c, m.want, mayAsk)
			}
			if _, known := m.claims[i]; !known && v.Bound && !v.Terminating && (m.expected < 0 || i < m.expected) {
				m.claims[i] = v.UID
			}
			out = append(out, v)
		}
	})
	return out
}
