package podsim

import (
	"encoding/json"
	"fmt"
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
	exit           int32  // exit code of the last run, or zero before the first one has ended
	exitAt         int64
}

// foundIn reads the status of a pod.
func foundIn(pod *corev1.Pod) found {
	s := pod.Status.ContainerStatuses[0]
	f := found{started: s.Started != nil && *s.Started, ready: s.Ready, restarts: s.RestartCount}
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
	if was, is := from.ready && others, to.ready && others; was != is {
		status["conditions"] = []any{
			condition(corev1.ContainersReady, is, containers[0].Name, now),
			condition(corev1.PodReady, is, containers[0].Name, now),
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
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
