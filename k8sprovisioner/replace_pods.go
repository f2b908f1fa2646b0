package k8sprovisioner

import (
	"context"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replaceOutdated replaces the pods of the given ordinals that are not of the newest
// revision. A pod that can run is evicted, which respects the disruption budget: if that
// refuses, the error is unavailable. A pod that cannot start is deleted. A pod whose
// machine is known to run nothing any more, or does not answer and is abandoned by its UID,
// is deleted without waiting for the machine, whatever its revision. A claim that is
// abandoned by its UID goes with its pod, if its volume is lost.
func (p *Provisioner) replaceOutdated(
	ctx context.Context, f clusterObjects, ordinals []int, abandoned []string,
) error {
	if len(ordinals) == 0 {
		return nil
	}
	f.workload = f.lookupWorkload() // as it is after our writes
	if !f.controllerCaughtUp() {
		return unavailable("replace pods", "Kubernetes has not taken up the newest StatefulSet yet; it is tried again")
	}
	pods, claims := f.pods(), f.claims()
	for _, i := range ordinals {
		pod := pods[i]
		if c := claims[i]; pod != nil && c != nil && slices.Contains(abandoned, string(c.UID)) {
			if err := p.giveUpVolume(ctx, f, i, pod, c); err != nil {
				return err
			}
			continue
		}
		if pod != nil && !ready(pod) && p.machineEnded(ctx, pod, abandoned) {
			if err := p.forceDelete(ctx, f.id, pod); err != nil {
				return err
			}
			continue
		}
		if pod == nil || pod.DeletionTimestamp != nil {
			continue
		}
		if d, err := p.difference(ctx, f, pod, time.Now()); err != nil || !d.outdated {
			if err != nil {
				return err
			}
			continue
		}
		if err := p.evictOrDelete(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// machineEnded reports whether nobody is to wait for the machine of a pod.
func (p *Provisioner) machineEnded(ctx context.Context, pod *corev1.Pod, abandoned []string) bool {
	if pod.Spec.NodeName == "" {
		return false
	}
	state := p.machine(ctx, pod.Spec.NodeName, time.Now()).state
	return state == ecp.MachineGone || state == ecp.MachineUnanswered && slices.Contains(abandoned, string(pod.UID))
}

// forceDelete deletes the pod with the UID that was seen, without waiting for its
// machine. It does so once, since a finalizer may hold the pod nevertheless.
func (p *Provisioner) forceDelete(ctx context.Context, id ecp.ID, pod *corev1.Pod) error {
	again := false
	p.withMemo(id, func(m *memo) {
		again = m.forceDeleted == string(pod.UID)
		m.forceDeleted = string(pod.UID)
	})
	if again {
		return nil
	}
	none, very := int64(0), only(pod)
	very.GracePeriodSeconds = &none
	err := p.sendWrite(ctx, core(p.client).Delete().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).Body(very),
		nil)
	if err != nil && !apierrors.IsNotFound(err) { // it is tried again, with the pod as it is then
		p.withMemo(id, func(m *memo) { m.forceDeleted = "" })
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// replaceNamed replaces the pods with the given UIDs, whatever their revision.
func (p *Provisioner) replaceNamed(ctx context.Context, f clusterObjects, uids map[int]string) error {
	pods := f.pods()
	for ordinal, uid := range uids {
		pod := pods[ordinal]
		if pod == nil || pod.DeletionTimestamp != nil || string(pod.UID) != uid {
			continue
		}
		if err := p.evictOrDelete(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provisioner) evictOrDelete(ctx context.Context, pod *corev1.Pod) error {
	r := core(p.client).Delete().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).Body(only(pod))
	if !stuck(pod) {
		r = core(p.client).Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("eviction").
			Body(&policyv1.Eviction{
				ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
				DeleteOptions: only(pod),
			})
	}
	err := p.sendWrite(ctx, r, nil)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // it went by itself, or is looked at again
		return nil
	}
	return err
}
