package k8sprovisioner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rehearse implements [ecp.Rehearser]. It asks the API server, by a dry run, whether it
// would accept the pod that is to replace the one of an ordinal. The pod has the old
// one's name, so that rules by name apply: "already exists" comes after every other
// refusal, and means that the pod would be accepted.
func (p *Provisioner) Rehearse(ctx context.Context, id ecp.ID, role ecp.NodeRole, ordinal int) error {
	op := fmt.Sprintf("rehearse %s node %d of cluster %s", role, ordinal, id)
	f, err := p.objectsOf(ctx, id, op, true)
	if err != nil {
		return err
	}
	if role == ecp.RoleReplicant {
		f = f.ofReplicants()
	}
	if f.workload == nil || f.foreign != "" {
		return unavailable(op, "nothing of the cluster runs")
	}
	if p.rights.lacks(createPods) {
		return &ecp.Error{Code: ecp.CodeUnsupported, Op: op,
			Message: "the account has no right to create pods, not even as a dry run"}
	}
	pod := podOfTemplate(f.workload, ordinal)
	err = p.send(ctx, dryRunPod(p, pod), nil)
	switch {
	case err == nil, apierrors.IsAlreadyExists(err):
		return nil
	case unauthorized(err), apierrors.IsBadRequest(err): // the second: somebody's webhook that takes no dry runs
		return &ecp.Error{Code: ecp.CodeUnsupported, Op: op, Message: "Kubernetes takes no dry run of a pod",
			Cause: err}
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		if full, sure := p.quotaFull(ctx, f, ordinal, pod); full == "" {
			return nil
		} else if sure {
			return podRefused(op, pod.Name, full, err)
		}
	case !refusesPod(err):
		return failure(op, err)
	}
	return podRefused(op, pod.Name, refusalCause(err, pod.Name), err)
}

// refusesPod reports whether an answer is about the pod, and not due to a server that is
// busy or does not answer.
func refusesPod(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) }

func podRefused(op, pod, cause string, err error) error {
	return conflict(op, fmt.Sprintf("Kubernetes would not take the pod that is to replace %s: %s", pod, cause), err)
}

func refusalCause(err error, pod string) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return shortCause(status.Status().Message, pod)
	}
	return err.Error()
}

// podOfTemplate returns the pod as the StatefulSet controller would create it, but
// without an owner, which takes rights that a dry run must not need.
func podOfTemplate(w *appsv1.StatefulSet, ordinal int) *corev1.Pod {
	name := w.Name + "-" + strconv.Itoa(ordinal)
	t := w.Spec.Template.DeepCopy()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.Namespace, Labels: t.Labels,
		Annotations: t.Annotations}, Spec: t.Spec}
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[appsv1.StatefulSetPodNameLabel] = name
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal)
	pod.Labels[appsv1.ControllerRevisionHashLabelKey] = w.Status.UpdateRevision
	pod.Spec.Hostname, pod.Spec.Subdomain = name, w.Spec.ServiceName
	for _, c := range w.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: c.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name + "-" + name}}})
	}
	return pod
}

// quotaFull counts a quota without the pod that is to be replaced, since an exhausted
// quota has room for its successor. full names what is exceeded and may be empty. sure
// is false if the quotas cannot be read.
func (p *Provisioner) quotaFull(ctx context.Context, f clusterObjects, ordinal int, next *corev1.Pod) (full string,
	sure bool) {
	if p.rights.lacks(listQuotas) {
		return "", true // it is as likely that there is room
	}
	list := new(corev1.ResourceQuotaList)
	if err := p.send(ctx, core(p.client).Get().Namespace(string(f.id)).Resource("resourcequotas"), list); err != nil {
		return "unknown", false
	}
	return exceededQuota(list.Items, f.pods()[ordinal], next), true
}

// exceededQuota names the quota that a pod would exceed in place of another one. It
// returns an empty string if there is none.
func exceededQuota(quotas []corev1.ResourceQuota, old, next *corev1.Pod) string {
	before, after := quotaUsage(old), quotaUsage(next)
	for _, q := range quotas {
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue // both pods are of the same kind: what one has left, the other takes
		}
		for name, hard := range q.Status.Hard {
			need, counted := after[name]
			if !counted {
				continue
			}
			sum := q.Status.Used[name].DeepCopy()
			sum.Sub(before[name])
			sum.Add(need)
			if sum.Cmp(hard) > 0 {
				used, was := q.Status.Used[name], before[name]
				return fmt.Sprintf("exceeded quota: %s: it wants %s=%s, the one it replaces has %s; %s of %s are used",
					q.Name, name, need.String(), was.String(), used.String(), hard.String())
			}
		}
	}
	return ""
}

// quotaUsage returns what a pod counts in quotas, by the names of resources. A nil pod
// counts nothing. Containers run at the same time, and init containers before them.
func quotaUsage(pod *corev1.Pod) map[corev1.ResourceName]resource.Quantity {
	out := map[corev1.ResourceName]resource.Quantity{}
	if pod == nil {
		return out
	}
	out[corev1.ResourcePods], out["count/pods"] = resource.MustParse("1"), resource.MustParse("1")
	add := func(prefix string, of func(corev1.Container) corev1.ResourceList) {
		sum := corev1.ResourceList{}
		for _, c := range pod.Spec.Containers {
			for name, q := range of(c) {
				s := sum[name]
				s.Add(q)
				sum[name] = s
			}
		}
		for _, c := range pod.Spec.InitContainers {
			for name, q := range of(c) {
				if q.Cmp(sum[name]) > 0 {
					sum[name] = q
				}
			}
		}
		for name, q := range sum {
			out[corev1.ResourceName(prefix)+name] = q
			if prefix == "requests." {
				out[name] = q
			}
		}
	}
	add("requests.", func(c corev1.Container) corev1.ResourceList { return c.Resources.Requests })
	add("limits.", func(c corev1.Container) corev1.ResourceList { return c.Resources.Limits })
	return out
}

var _ ecp.Rehearser = (*Provisioner)(nil)
