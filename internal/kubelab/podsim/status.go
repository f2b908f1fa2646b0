package podsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// found is the status of a pod's first container. Times are Unix seconds, as in
// the API, so that two values can be compared with ==.
type found struct {
	started, ready bool
	restarts       int32
	since          int64  // of running
	waiting        string // reason; empty while it runs
	message        string // why it waits
	resources      string // CPU and memory that it has, as JSON; empty before it has started
	pending        string // why it is not given those of the pod's spec: a reason, ": " and a message
	exit           int32  // exit code of the last run, or zero before the first one has ended
	exitAt         int64
}

// foundIn reads the status of a pod.
func foundIn(pod *corev1.Pod) found {
	s := pod.Status.ContainerStatuses[0]
	f := found{started: s.Started != nil && *s.Started, ready: s.Ready, restarts: s.RestartCount}
	if s.Resources != nil {
		f.resources = encoded(*s.Resources)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == resizePending && c.Status == corev1.ConditionTrue {
			f.pending = c.Reason + ": " + c.Message
		}
	}
	if s.State.Running != nil {
		f.since = s.State.Running.StartedAt.Unix()
	}
	if s.State.Waiting != nil {
		f.waiting, f.message = s.State.Waiting.Reason, s.State.Waiting.Message
	}
	if t := s.LastTerminationState.Terminated; t != nil {
		f.exit, f.exitAt = t.ExitCode, t.FinishedAt.Unix()
	}
	return f
}

// container returns the status of the first container for the API.
func (f found) container(was corev1.ContainerStatus) corev1.ContainerStatus {
	was.Ready, was.Started, was.RestartCount = f.ready, &f.started, f.restarts
	was.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(f.since, 0)}}
	if f.waiting != "" {
		was.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: f.waiting, Message: f.message}}
	}
	if f.resources != "" {
		r := corev1.ResourceRequirements{}
		if err := json.Unmarshal([]byte(f.resources), &r); err == nil { // it is our own
			was.Resources, was.AllocatedResources = &r, r.Requests
		}
	}
	was.LastTerminationState = corev1.ContainerState{}
	if f.exit != 0 {
		at := metav1.Unix(f.exitAt, 0)
		was.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: f.exit, Reason: "Error", StartedAt: at, FinishedAt: at,
		}
	}
	return was
}

// phase is Pending while the container has never run.
func (f found) phase() corev1.PodPhase {
	if f.waiting != "" && f.restarts == 0 && f.exit == 0 {
		return corev1.PodPending
	}
	return corev1.PodRunning
}

// patch returns the strategic merge patch from one status to another. It contains
// the pod's uid, so that it cannot hit a successor, and only the conditions that
// change, so that the times of the others stay.
func patch(pod *corev1.Pod, from, to found, now time.Time) ([]byte, error) {
	containers := append([]corev1.ContainerStatus{}, pod.Status.ContainerStatuses...)
	containers[0] = to.container(containers[0])
	others := true
	for _, c := range containers[1:] {
		others = others && c.Ready
	}
	status := map[string]any{"containerStatuses": containers}
	if from.phase() != to.phase() {
		status["phase"] = to.phase()
	}
	var conditions []any
	if was, is := from.ready && others, to.ready && others; was != is {
		conditions = append(conditions, condition(corev1.ContainersReady, is, containers[0].Name, now),
			condition(corev1.PodReady, is, containers[0].Name, now))
	}
	if from.pending != to.pending {
		conditions = append(conditions, pendingCondition(to.pending, now))
	}
	if len(conditions) > 0 {
		status["conditions"] = conditions
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
}

// resizePending is the condition of a pod whose resize the kubelet has not begun.
const resizePending corev1.PodConditionType = "PodResizePending"

// pendingCondition returns the condition of a resize that is pending; an empty string
// takes it away.
func pendingCondition(pending string, now time.Time) map[string]any {
	if pending == "" {
		return map[string]any{"$patch": "delete", "type": resizePending}
	}
	reason, message, _ := strings.Cut(pending, ": ")
	return map[string]any{"type": resizePending, "status": corev1.ConditionTrue, "reason": reason, "message": message,
		"lastTransitionTime": metav1.NewTime(now)}
}

// encoded returns resources as JSON, which is the same for the same ones.
func encoded(r corev1.ResourceRequirements) string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // quantities always encode
	}
	return string(b)
}

// condition returns a map, because a merge removes a field that is null and keeps
// one that is absent.
func condition(kind corev1.PodConditionType, ok bool, container string, now time.Time) map[string]any {
	c := map[string]any{
		"type": kind, "status": corev1.ConditionTrue, "reason": nil, "message": nil,
		"lastTransitionTime": metav1.NewTime(now),
	}
	if !ok {
		c["status"], c["reason"] = corev1.ConditionFalse, "ContainersNotReady"
		c["message"] = fmt.Sprintf("containers with unready status: [%s]", container)
	}
	return c
}
