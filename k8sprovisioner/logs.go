package k8sprovisioner

import (
	"context"
	"fmt"
	"io"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Logs implements [ecp.LogReader]. It returns what the container emqx of a node's pod has
// written since it was started last, as far as the pod's machine keeps it.
func (p *Provisioner) Logs(ctx context.Context, id ecp.ID, node string, o ecp.LogOptions) (io.ReadCloser, error) {
	op := "read log of " + node
	f, err := p.objectsOf(ctx, id, op, true)
	if err != nil {
		return nil, err
	}
	pod := p.podNamed(f, node)
	if pod == nil {
		return nil, &ecp.Error{Code: ecp.CodeNotFound, Op: op, Message: "there is no pod of that node now"}
	}
	if why := unstarted(pod); why != "" {
		return nil, unavailable(op, why)
	}
	body, err := core(p.client).Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("log").
		VersionedParams(logOptions(o), parameterCodec).Stream(ctx)
	// the answer for a container that has not started yet
	if err = failure(op, err); ecp.CodeOf(err) == ecp.CodeInvalid {
		return nil, unavailable(op, ecp.MessageOf(err))
	}
	return body, err
}

// logOptions returns the options for the API server, which takes whole seconds.
func logOptions(o ecp.LogOptions) *corev1.PodLogOptions {
	out := &corev1.PodLogOptions{Container: container, Follow: o.Follow, Timestamps: true}
	if !o.Since.IsZero() {
		out.SinceTime = &metav1.Time{Time: o.Since}
	}
	if o.Tail > 0 {
		n := int64(o.Tail)
		out.TailLines = &n
	}
	return out
}

// podNamed returns the pod of an EMQX node in any state, or nil if there is none.
func (p *Provisioner) podNamed(f clusterObjects, node string) *corev1.Pod {
	if f.namespace == nil || f.foreign != "" {
		return nil
	}
	for _, pod := range f.podsByName() {
		if node == (names{id: f.id}).node(pod.Name, p.network(f).ClusterDomain) {
			return pod
		}
	}
	return nil
}

// unstarted returns the reason why there is no log: no process was ever started in the
// pod. It returns an empty string if there may be a log.
func unstarted(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name != container {
			continue
		}
		if w := c.State.Waiting; w != nil && c.LastTerminationState.Terminated == nil {
			return fmt.Sprintf("the container of pod %s has not started: %s", pod.Name, w.Reason)
		}
		return ""
	}
	if pod.Spec.NodeName == "" {
		return fmt.Sprintf("pod %s has no machine yet", pod.Name)
	}
	return ""
}
