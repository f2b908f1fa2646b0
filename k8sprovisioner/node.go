package k8sprovisioner

import (
	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// node describes a pod.
func node(i int, pod *corev1.Pod, id ecp.ID, domain string) ecp.NodeObservation {
	n := ecp.NodeObservation{
		Ordinal: i, Name: names{id: id}.node(pod.Name, domain), Pod: pod.Name, PodUID: string(pod.UID),
		Host: pod.Spec.NodeName, IP: pod.Status.PodIP,
		Ready: ready(pod), Terminating: pod.DeletionTimestamp != nil, Broken: stuck(pod),
		Revision: pod.Labels[appsv1.StatefulSetRevisionLabel],
	}
	if c := condition(pod, corev1.PodReady); c != nil {
		n.Since = c.LastTransitionTime.UTC()
	}
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			n.Image = c.Image
		}
	}
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil && v.Name == claim {
			n.Volume = v.PersistentVolumeClaim.ClaimName
		}
	}
	if c := statusOf(pod); c != nil {
		n.Restarts = int(c.RestartCount)
	}
	if !n.Ready {
		n.Reason, n.Message = notReadyReason(pod)
	}
	return n
}

// ready reports whether a pod passes its readiness probe and is not being deleted.
func ready(pod *corev1.Pod) bool {
	c := condition(pod, corev1.PodReady)
	return pod.DeletionTimestamp == nil && c != nil && c.Status == corev1.ConditionTrue
}

func condition(pod *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == t {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
