package k8sprovisioner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Since Kubernetes 1.33 the subresource resize changes CPU and memory of a pod that runs.
// The template of the StatefulSet is changed all the same, for pods that come anew, so
// that the revision of a resized pod is an old one for ever. What it is outdated in is
// found by comparing the two revisions without CPU and memory, and these with its own.

const (
	// resizePatience is how long a resize may wait, for room on the machine or for less
	// memory in use, before the pod is made anew.
	resizePatience = 2 * time.Minute
	resizeTries    = 3 // of one resize that is undone, or that admission changes
)

// The conditions by which the kubelet says how far it is with a resize.
const (
	conditionResizePending    corev1.PodConditionType = "PodResizePending"
	conditionResizeInProgress corev1.PodConditionType = "PodResizeInProgress"
	reasonInfeasible                                  = "Infeasible" // it can never be done on this machine
)

// resizeAttempt is the last resize of a pod. The zero value means none.
type resizeAttempt struct {
	to    string // the resources that were asked for
	since time.Time
	tries int
	why   string // refusal of Kubernetes; empty if it was accepted
}

// podDifference is what a pod differs in from what would be made now.
type podDifference struct {
	outdated bool
	resize   ecp.ResizeState
	reason   string // of resize, for people
}

// difference compares a pod with the template. The error says that it cannot be told now.
func (p *Provisioner) difference(ctx context.Context, f clusterObjects, pod *corev1.Pod,
	now time.Time) (podDifference, error) {
	if !f.controllerCaughtUp() {
		return podDifference{}, unavailable("compare pods",
			"Kubernetes has not taken up the newest StatefulSet yet; it is tried again")
	}
	revision, newest := pod.Labels[appsv1.StatefulSetRevisionLabel], f.workload.Status.UpdateRevision
	if revision == newest && pod.Annotations[annotationResized] == "" {
		return podDifference{}, nil
	}
	if revision != newest {
		same, err := p.sameButResources(ctx, f, revision, newest)
		if err != nil || !same {
			return podDifference{outdated: err == nil}, err
		}
	}
	obstacle, err := p.resizeObstacle(pod)
	if err != nil {
		return podDifference{}, err
	}
	want, has := resourcesOf(f.workload.Spec.Template.Spec), resourcesOf(pod.Spec)
	var last resizeAttempt
	p.withMemo(f.id, func(m *memo) {
		last = m.resizes[pod.UID]
		if last.to != textOf(want) && textOf(has) == textOf(want) {
			last = resizeAttempt{to: textOf(want), since: now} // asked for by another process
			m.resizes[pod.UID] = last
		}
	})
	return differenceIn(pod, want, obstacle, last, now), nil
}

// differenceIn compares the CPU and memory of a pod with those of the template, from which
// it differs in nothing else. obstacle is why it cannot be resized at all, and last the
// last attempt to do so.
func differenceIn(pod *corev1.Pod, want corev1.ResourceRequirements, obstacle string, last resizeAttempt,
	now time.Time) podDifference {
	has, asked := resourcesOf(pod.Spec), last.to == textOf(want)
	refused := func(why string) podDifference { return podDifference{true, ecp.ResizeRefused, why} }
	differs := textOf(has) != textOf(want)
	progress, infeasible := kubeletProgress(pod)
	switch {
	case !differs && progress == "":
		return podDifference{}
	case obstacle != "":
		return refused(obstacle)
	case asked && last.why != "":
		return refused(last.why)
	case differs && !ready(pod):
		return podDifference{outdated: true}
	case differs && asked && now.Sub(last.since) < writeCacheLife: // the watch does not show it yet
		return podDifference{true, ecp.ResizeWaiting, "it has just been asked for"}
	case differs && asked && last.tries >= resizeTries:
		return refused(fmt.Sprintf("it was asked for %d times, and somebody else on Kubernetes undoes it", last.tries))
	case differs:
		if why := sizeOf(has).ResizeObstacle(sizeOf(want)); why != "" {
			return refused(why)
		}
		return podDifference{true, ecp.ResizeDue, ""}
	case infeasible:
		return refused(progress)
	case asked && now.Sub(last.since) >= resizePatience:
		return refused(fmt.Sprintf("it has waited for %s: %s", resizePatience, progress))
	}
	return podDifference{true, ecp.ResizeWaiting, progress}
}

// kubeletProgress returns what the kubelet says of a resize that it has not done; an empty
// string if there is none. infeasible: it never will.
func kubeletProgress(pod *corev1.Pod) (progress string, infeasible bool) {
	if c := condition(pod, conditionResizePending); c != nil && c.Status == corev1.ConditionTrue {
		return prefixed(c.Reason, c.Message), c.Reason == reasonInfeasible
	}
	if c := condition(pod, conditionResizeInProgress); c != nil && c.Status == corev1.ConditionTrue {
		return prefixed("its machine is at it", joinParts(c.Reason, c.Message)), false
	}
	c := statusOf(pod)
	if pod.Annotations[annotationResized] != "" && c != nil && c.Resources != nil &&
		textOf(*c.Resources) != textOf(resourcesOf(pod.Spec)) {
		return "its machine has not begun", false
	}
	return "", false
}

// resizeObstacle returns why a pod cannot be resized, whatever its size is to be; an empty
// string if it can.
func (p *Provisioner) resizeObstacle(pod *corev1.Pod) (string, error) {
	for _, r := range []*right{resizePods, getRevisions} {
		if p.rights.lacks(r) {
			return "the account has no right to " + r.name + "; see deploy/kubernetes/rights.yaml", nil
		}
	}
	p.mu.Lock()
	support := p.resizeSupport
	p.mu.Unlock()
	c := statusOf(pod)
	switch {
	case !support.known:
		return "", unavailable("compare pods",
			"whether this Kubernetes resizes pods is not known yet; it is tried again")
	case support.obstacle != "":
		return support.obstacle, nil
	case c == nil || c.Resources == nil:
		return "the kubelet of its machine does not report CPU and memory of containers, which it does since " +
			"Kubernetes 1.33", nil
	}
	return "", nil
}

// resizePods asks for the CPU and memory of the template in the pods of the given ordinals,
// where that is due. A refusal is remembered, and shown by the next observation.
func (p *Provisioner) resizePods(ctx context.Context, f clusterObjects, ordinals []int) error {
	if len(ordinals) == 0 {
		return nil
	}
	f.workload = f.lookupWorkload() // as it is after our writes
	pods := f.pods()
	for _, i := range ordinals {
		pod := pods[i]
		if pod == nil || pod.DeletionTimestamp != nil {
			continue
		}
		now := time.Now()
		d, err := p.difference(ctx, f, pod, now)
		if err != nil {
			return err
		}
		if d.resize != ecp.ResizeDue {
			continue
		}
		want, why := resourcesOf(f.workload.Spec.Template.Spec), ""
		answer := new(corev1.Pod)
		err = p.sendWrite(ctx, resizeRequest(p, pod, want), answer)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsConflict(err): // it is looked at again
			continue
		case err == nil && textOf(resourcesOf(answer.Spec)) != textOf(want):
			why = "an admission rule of this Kubernetes changes what is asked for"
		case err == nil:
		case !errors.As(err, new(apierrors.APIStatus)) || !refusesPod(err) && !apierrors.IsMethodNotSupported(err) &&
			!apierrors.IsBadRequest(err):
			return err
		default:
			why = refusalCause(err, pod.Name)
			p.cfg.Logger.InfoContext(ctx, "a pod is not resized in place", "pod", pod.Name, "reason", why)
		}
		p.withMemo(f.id, func(m *memo) {
			last := m.resizes[pod.UID]
			if last.to != textOf(want) {
				last = resizeAttempt{to: textOf(want)}
			}
			last.since, last.why, last.tries = now, why, last.tries+1
			m.resizes[pod.UID] = last
		})
	}
	return nil
}

// resizeRequest returns the request that gives the pod of this UID and version other CPU and memory.
// What it has and is not to have is taken away, which Kubernetes may refuse.
func resizeRequest(p *Provisioner, pod *corev1.Pod, want corev1.ResourceRequirements) *rest.Request {
	has := resourcesOf(pod.Spec)
	list := func(has, want corev1.ResourceList) map[string]any {
		out := map[string]any{}
		for name := range has {
			out[string(name)] = nil
		}
		for name, q := range want {
			out[string(name)] = q.String()
		}
		return out
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID, "resourceVersion": pod.ResourceVersion},
		"spec": map[string]any{"containers": []any{map[string]any{"name": container, "resources": map[string]any{
			"requests": list(has.Requests, want.Requests), "limits": list(has.Limits, want.Limits)}}}},
	})
	if err != nil {
		panic(err) // texts always encode
	}
	return core(p.client).Patch(types.StrategicMergePatchType).Namespace(pod.Namespace).Resource("pods").Name(pod.Name).
		SubResource("resize").
		VersionedParams(&metav1.PatchOptions{FieldManager: fieldManager}, parameterCodec).Body(body)
}

// resourcesOf returns the CPU and memory of EMQX's own container, with the requests that
// the API server sets where there are only limits.
func resourcesOf(spec corev1.PodSpec) corev1.ResourceRequirements {
	for _, c := range spec.Containers {
		if c.Name == container {
			return completed(c.Resources)
		}
	}
	return corev1.ResourceRequirements{}
}

func completed(r corev1.ResourceRequirements) corev1.ResourceRequirements {
	out := corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		limit, limited := r.Limits[name]
		request, requested := r.Requests[name]
		if limited {
			out.Limits[name] = limit
		}
		switch {
		case requested:
			out.Requests[name] = request
		case limited:
			out.Requests[name] = limit
		}
	}
	return out
}

// textOf returns a text that is the same for the same amounts of CPU and memory.
func textOf(r corev1.ResourceRequirements) string {
	r = completed(r)
	amount := func(l corev1.ResourceList, name corev1.ResourceName) string {
		q, ok := l[name]
		if !ok {
			return "-"
		}
		return resource.NewMilliQuantity(q.MilliValue(), resource.DecimalSI).String()
	}
	return fmt.Sprintf("cpu %s of %s, memory %s of %s",
		amount(r.Requests, corev1.ResourceCPU), amount(r.Limits, corev1.ResourceCPU),
		amount(r.Requests, corev1.ResourceMemory), amount(r.Limits, corev1.ResourceMemory))
}

// sizeOf returns CPU and memory as an entry of the size catalogue.
func sizeOf(r corev1.ResourceRequirements) ecp.Size {
	amount := func(l corev1.ResourceList, name corev1.ResourceName) string {
		if q, ok := l[name]; ok {
			return fmt.Sprintf("%dm", q.MilliValue())
		}
		return ""
	}
	of := func(name corev1.ResourceName) ecp.Resource {
		return ecp.Resource{Request: amount(r.Requests, name), Limit: amount(r.Limits, name)}
	}
	return ecp.Size{CPU: of(corev1.ResourceCPU), Memory: of(corev1.ResourceMemory)}
}
