package k8sprovisioner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A volume on the disk of a machine (a "local" one) can be used there and nowhere else. When
// the machine has been removed from Kubernetes, a pod with that volume waits for ever, as if
// it were late.

// strandCheckEvery is the time between two checks of one volume, for the pod that waits for it.
const strandCheckEvery = 30 * time.Second

// strand is what is known of a volume that a pod waits for.
type strand struct {
	checkedAt time.Time
	reason    string // for people; empty if a machine could use it, or that is not known
}

// observeStranded marks the nodes that no machine takes, since their volumes are on machines
// that have been removed.
func (p *Provisioner) observeStranded(ctx context.Context, f clusterObjects, o *ecp.Observation, now time.Time) {
	pods, claims := f.podsByName(), f.claims()
	for i := range o.Nodes {
		n := &o.Nodes[i]
		pod, claim := pods[n.Pod], claims[n.Ordinal]
		if n.Role != ecp.RoleCore || pod == nil || claim == nil || !waitsWithVolume(pod, claim) {
			continue
		}
		// Most new pods wait for a moment, and a volume that was just made is on a machine that is there.
		if now.Sub(pod.CreationTimestamp.Time) < pendingAfter ||
			now.Sub(claim.CreationTimestamp.Time) < strandCheckEvery {
			continue
		}
		if why := p.strandedOf(ctx, claim, now, strandCheckEvery); why != "" {
			n.VolumeLost, n.Reason, n.Message = true, "VolumeLost", why
		}
	}
}

// giveUpVolume deletes a claim whose volume is lost, and the pod that waits for it. Both must be as they were
// seen, and that the volume is lost is asked again before.
func (p *Provisioner) giveUpVolume(ctx context.Context, f clusterObjects, ordinal int, pod *corev1.Pod,
	c *corev1.PersistentVolumeClaim) error {
	if c.Name != claim+"-"+pod.Name || c.DeletionTimestamp != nil || !waitsWithVolume(pod, c) ||
		p.strandedOf(ctx, c, time.Now(), 0) == "" {
		return nil
	}
	if err := p.deleteClaim(ctx, f.id, ordinal, c); err != nil || !p.deletionRequested(f.id, ordinal, c) {
		return err
	}
	p.withMemo(f.id, func(m *memo) { delete(m.claims, ordinal) }) // its end is no loss
	return p.evictOrDelete(ctx, pod)
}

// waitsWithVolume reports whether no machine takes a pod although its claim has a volume.
func waitsWithVolume(pod *corev1.Pod, c *corev1.PersistentVolumeClaim) bool {
	return unschedulable(pod) && c.Status.Phase == corev1.ClaimBound && c.Spec.VolumeName != ""
}

// unschedulable reports whether the scheduler has found no machine for a pod.
func unschedulable(pod *corev1.Pod) bool {
	c := condition(pod, corev1.PodScheduled)
	return pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && c != nil &&
		c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
}

// strandedOf returns why no machine can use the volume of a claim; empty if one can, or if that
// cannot be told. An answer that is younger than maxAge has to do.
func (p *Provisioner) strandedOf(ctx context.Context, claim *corev1.PersistentVolumeClaim, now time.Time,
	maxAge time.Duration) string {
	if p.rights.lacks(getVolumes) || p.rights.lacks(listNodes) {
		return ""
	}
	name := claim.Spec.VolumeName
	p.mu.Lock()
	s, known := p.strands[name]
	p.mu.Unlock()
	if known && now.Sub(s.checkedAt) < maxAge {
		return s.reason
	}
	s = strand{checkedAt: now}
	volume := new(corev1.PersistentVolume)
	if err := p.send(ctx, core(p.client).Get().Resource("persistentvolumes").Name(name), volume); err != nil {
		return "" // it is asked again
	}
	if hosts := pinnedTo(volume); len(hosts) > 0 {
		selector := corev1.LabelHostname + " in (" + strings.Join(hosts, ",") + ")"
		machines := new(corev1.NodeList)
		err := p.send(ctx, core(p.client).Get().Resource("nodes").VersionedParams(
			&metav1.ListOptions{Limit: 1, LabelSelector: selector}, parameterCodec), machines)
		if err != nil {
			return ""
		}
		if len(machines.Items) == 0 {
			s.reason = fmt.Sprintf("its volume (claim %s, volume %s) is on the machine %s, which has been removed "+
				"from Kubernetes; no other can use it", claim.Name, name, strings.Join(hosts, " or "))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, is := range p.strands { // of claims that nobody waits for any more
		if now.Sub(is.checkedAt) > time.Hour {
			delete(p.strands, other)
		}
	}
	p.strands[name] = s
	return s.reason
}

// pinnedTo returns the host names of the only machines that can use a volume. It is empty if
// the volume can be used by others, or says in another way which can: a zone without machines
// may get some.
func pinnedTo(v *corev1.PersistentVolume) (hosts []string) {
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return nil
	}
	for _, term := range v.Spec.NodeAffinity.Required.NodeSelectorTerms {
		pinned := false
		for _, e := range term.MatchExpressions {
			if e.Key == corev1.LabelHostname && e.Operator == corev1.NodeSelectorOpIn && len(e.Values) > 0 {
				pinned, hosts = true, append(hosts, e.Values...)
			}
		}
		if !pinned { // another machine may do
			return nil
		}
	}
	return hosts
}
