package k8sprovisioner

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// roll replaces the pods of the given ordinals that are not of the newest
// revision. A healthy one goes through the Eviction API, which respects the
// disruption budget: where that refuses, the error is unavailable. A broken
// one is deleted.
func (p *Provisioner) roll(ctx context.Context, f found, ordinals []int) error {
	if len(ordinals) == 0 {
		return nil
	}
	f.workload = f.findWorkload() // as it is after our writes
	if !f.takenUp() {
		return unavailable("replace pods", "Kubernetes has not taken up the newest StatefulSet yet; it is tried again")
	}
	pods := f.pods()
	for _, i := range ordinals {
		pod := pods[i]
		if pod == nil || pod.DeletionTimestamp != nil || pod.Labels[appsv1.StatefulSetRevisionLabel] == f.workload.Status.UpdateRevision {
			continue
		}
		if err := p.replace(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provisioner) replace(ctx context.Context, pod *corev1.Pod) error {
	is := metav1.Preconditions{UID: &pod.UID}
	r := core(p.client).Delete().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).Body(&metav1.DeleteOptions{Preconditions: &is})
	if !broken(pod) {
		r = core(p.client).Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("eviction").
			Body(&policyv1.Eviction{
				ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
				DeleteOptions: &metav1.DeleteOptions{Preconditions: &is},
			})
	}
	err := p.send(ctx, r, nil)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // it went by itself
		return nil
	}
	return err
}
