package k8sprovisioner

import (
	"context"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// claimCount returns how many ordinals are meant to have claims.
func claimCount(d ecp.Desired) int { return max(d.Replicas, d.Spec.Nodes) }

// expect records that the ordinals below a number are meant to have claims. It forgets
// the claims of the others, whose end is not a loss.
func (m *memo) expect(below int) {
	m.expected = below
	maps.DeleteFunc(m.claims, func(i int, _ string) bool { return i >= below })
}

// deleteClaims deletes the claims of ordinals whose nodes have left for good. It keeps
// the claim of an ordinal that is meant to have one, and a claim that a pod uses. The
// caller names those again in its next call.
func (p *Provisioner) deleteClaims(ctx context.Context, f clusterObjects, d ecp.Desired) error {
	if len(d.Drop) == 0 {
		return nil
	}
	f.workload = f.lookupWorkload() // as it is after our writes
	claims, keep := f.claims(), max(claimCount(d), replicas(f))
	for _, i := range d.Drop {
		c := claims[i]
		if i < keep || c == nil || c.DeletionTimestamp != nil || p.deletionRequested(f.id, i, c) ||
			f.mountsClaim(c.Name) {
			continue
		}
		if err := p.deleteClaim(ctx, f.id, i, c); err != nil {
			return err
		}
	}
	return nil
}

// mountsClaim reports whether a pod uses a claim, or is about to.
func (f clusterObjects) mountsClaim(name string) bool {
	return slices.ContainsFunc(f.informers.list(kindPod, string(f.id)), func(o any) bool {
		pod, ok := o.(*corev1.Pod)
		return ok && slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
			return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == name
		})
	})
}

// deletionRequested reports whether the deletion of this claim was requested. The watch
// may not show it yet.
func (p *Provisioner) deletionRequested(id ecp.ID, ordinal int, c *corev1.PersistentVolumeClaim) (was bool) {
	p.withMemo(id, func(m *memo) { was = m.deletedClaims[ordinal] == string(c.UID) })
	return was
}

// deleteClaim deletes the claim with the UID and version that were seen.
func (p *Provisioner) deleteClaim(ctx context.Context, id ecp.ID, ordinal int, c *corev1.PersistentVolumeClaim) error {
	err := p.sendWrite(ctx, core(p.client).Delete().Namespace(string(id)).Resource("persistentvolumeclaims").
		Name(c.Name).Body(only(c)), nil)
	if apierrors.IsConflict(err) { // it has changed since: it is looked at again
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) { // else somebody was faster
		return err
	}
	p.withMemo(id, func(m *memo) { m.deletedClaims[ordinal] = string(c.UID) })
	return nil
}
