package k8sprovisioner

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A pod may have more containers than EMQX's own, which admission has added. The state of
// a node is that of EMQX's own container. The other containers count only if they keep
// the pod from being ready.

// stuckReasons are the kubelet's reasons for a container that will not start without help.
var stuckReasons = map[string]bool{
	"CrashLoopBackOff": true, "CreateContainerConfigError": true, "CreateContainerError": true,
	"ErrImageNeverPull": true,
	"ErrImagePull":      true, "ImageInspectError": true, "ImagePullBackOff": true, "InvalidImageName": true,
	"RunContainerError": true,
}

// reasonOOM is the kubelet's reason for a process that the kernel has killed because it
// used more memory than its limit.
const reasonOOM = "OOMKilled"

// statusOf returns the status of EMQX's own container, or nil if there is none yet.
func statusOf(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == container {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// stuck reports whether a pod will not start without help.
func stuck(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodFailed {
		return true
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range list {
			if c.State.Waiting != nil && stuckReasons[c.State.Waiting.Reason] {
				return true
			}
		}
	}
	return false
}

// notReadyReason returns why a pod is not ready, in Kubernetes' words: what an init
// container that has not ended waits for, what EMQX' own container waits for or
// why it ended last, what a container beside it waits for, and else the first
// condition that is false.
func notReadyReason(pod *corev1.Pod) (reason, message string) {
	if pod.Status.Reason != "" {
		return pod.Status.Reason, pod.Status.Message
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if reason, message = containerProblem(c, pod); reason != "" && !succeeded(c) {
			return reason, prefixed("init container "+c.Name, message)
		}
	}
	if c := statusOf(pod); c != nil {
		if reason, message = containerProblem(*c, pod); reason != "" {
			return reason, message
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if reason, message = containerProblem(c, pod); reason != "" && c.Name != container {
			return reason, prefixed("container "+c.Name, message)
		}
	}
	for _, t := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady,
		corev1.PodReady} {
		if c := condition(pod, t); c != nil && c.Status == corev1.ConditionFalse {
			return c.Reason, c.Message
		}
	}
	return string(pod.Status.Phase), ""
}

func succeeded(c corev1.ContainerStatus) bool {
	return c.State.Terminated != nil && c.State.Terminated.ExitCode == 0
}

// wrongPlatformTexts are in the messages of registries and kernels about an image that is
// not for the processors of a machine.
var wrongPlatformTexts = []string{"no match for platform", "no matching manifest for", "exec format error",
	"does not match the specified platform"}

// explainPlatform adds the meaning and a remedy to the message about an image that is for
// other processors.
func explainPlatform(message string) string {
	for _, words := range wrongPlatformTexts {
		if strings.Contains(message, words) {
			return joinParts("the image has no variant for the processors of this machine: name its architectures "+
				"in the catalogue, so that nodes are placed on such machines only, or take an image that has one",
				message)
		}
	}
	return message
}

// containerProblem returns why a container is not ready, or an empty reason if its status
// does not show that. If it was killed for lack of memory, that is returned in place of
// the back-off that follows.
func containerProblem(c corev1.ContainerStatus, pod *corev1.Pod) (reason, message string) {
	if c.Ready {
		return "", ""
	}
	last := c.LastTerminationState.Terminated
	switch {
	case c.State.Terminated != nil:
		return c.State.Terminated.Reason, explainPlatform(exitMessage(*c.State.Terminated))
	case c.State.Waiting != nil && last == nil:
		return c.State.Waiting.Reason, explainPlatform(c.State.Waiting.Message)
	case c.State.Waiting != nil && last.Reason == reasonOOM:
		return last.Reason, joinParts(exitMessage(*last), c.State.Waiting.Message)
	case c.State.Waiting != nil:
		return c.State.Waiting.Reason, explainPlatform(joinParts(c.State.Waiting.Message,
			"it last ended with "+exitMessage(*last)))
	case last != nil && !readySinceStart(c, pod):
		return last.Reason, joinParts(exitMessage(*last), "it has been started again")
	}
	return "", ""
}

// readySinceStart reports whether a container that runs was ready since it was
// last started: how it ended before that is not why it is not ready now.
func readySinceStart(c corev1.ContainerStatus, pod *corev1.Pod) bool {
	r := condition(pod, corev1.PodReady)
	return r != nil && c.State.Running != nil && !c.State.Running.StartedAt.IsZero() &&
		r.LastTransitionTime.After(c.State.Running.StartedAt.Time)
}

// exitMessage returns how a process ended, with a remedy if the cause is certain.
func exitMessage(t corev1.ContainerStateTerminated) string {
	out := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Reason == reasonOOM {
		out += ": it used more memory than its limit; a size with more memory, or less load, helps"
	}
	return joinParts(out, strings.TrimSpace(t.Message))
}

func joinParts(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "; ")
}

func prefixed(who, what string) string {
	if what == "" {
		return who
	}
	return who + ": " + what
}
