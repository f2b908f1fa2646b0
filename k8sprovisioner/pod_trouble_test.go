package k8sprovisioner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func runningSince(t time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t)}}
}

func ended(reason string, code int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code,
		Message: message}}
}

// The cause is told, whichever container of the pod it is in, and restarts are
// those of EMQX.
func TestTroubleOfPods(t *testing.T) {
	began := time.Date(2026, 11, 28, 17, 0, 0, 0, time.UTC)
	notReady := func(at time.Time) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse,
			Reason: "ContainersNotReady", Message: "unready: [emqx]", LastTransitionTime: metav1.NewTime(at)}}
	}
	const more = "exit code 137: it used more memory than its limit; a size with more memory, or less load, helps"
	const elsewhere = "the image has no variant for the processors of this machine: name its architectures in the " +
		"catalogue, so that nodes are placed on such machines only, or take an image that has one"
	type containers = []corev1.ContainerStatus
	for name, c := range map[string]struct {
		init, main      containers
		conditions      []corev1.PodCondition
		reason, message string
		broken          bool
		restarts        int
	}{
		"an init container of somebody else crashes": {
			init: containers{{Name: "istio-init", RestartCount: 7, State: waiting("CrashLoopBackOff",
				"back-off 5m0s"), LastTerminationState: ended("Error", 1, "no iptables")}},
			main:   containers{{Name: "emqx", State: waiting("PodInitializing", "")}},
			reason: "CrashLoopBackOff", message: "init container istio-init: back-off 5m0s; it last ended with exit " +
				"code 1; no iptables", broken: true,
		},
		"an init container runs still": {
			init: containers{{Name: "first", State: ended("Completed", 0, "")},
				{Name: "istio-init", State: runningSince(began)}},
			main:       containers{{Name: "emqx", State: waiting("PodInitializing", "")}},
			conditions: notReady(began), reason: "PodInitializing",
		},
		"a proxy restarts, EMQX was short of memory": {
			main: containers{
				{Name: "aaa-proxy", RestartCount: 41, Ready: true, State: runningSince(began)},
				{Name: "emqx", RestartCount: 1, State: runningSince(began),
					LastTerminationState: ended("OOMKilled", 137, "")},
			},
			conditions: notReady(began.Add(-time.Second)),
			reason:     "OOMKilled", message: more + "; it has been started again", restarts: 1,
		},
		"EMQX is short of memory again and again": {
			main: containers{{Name: "emqx", RestartCount: 9, State: waiting("CrashLoopBackOff", "back-off 5m0s"),
				LastTerminationState: ended("OOMKilled", 137, "")}},
			reason: "OOMKilled", message: more + "; back-off 5m0s", broken: true, restarts: 9,
		},
		"EMQX ends by itself": {
			main: containers{{Name: "emqx", RestartCount: 2, State: waiting("CrashLoopBackOff", "back-off 20s"),
				LastTerminationState: ended("Error", 1, "")}},
			reason: "CrashLoopBackOff", message: "back-off 20s; it last ended with exit code 1", broken: true,
			restarts: 2,
		},
		"what ended long ago is not why": {
			main: containers{{Name: "emqx", RestartCount: 1, State: runningSince(began),
				LastTerminationState: ended("OOMKilled", 137, "")}},
			conditions: notReady(began.Add(time.Hour)),
			reason:     "ContainersNotReady", message: "unready: [emqx]", restarts: 1,
		},
		"the image is for other processors": {
			main: containers{{Name: "emqx", State: waiting("ErrImagePull",
				"no match for platform in manifest: not found")}},
			reason: "ErrImagePull", message: elsewhere + "; no match for platform in manifest: not found", broken: true,
		},
		"the program is for other processors": {
			main: containers{{Name: "emqx", RestartCount: 2, State: waiting("CrashLoopBackOff", "back-off 20s"),
				LastTerminationState: ended("StartError", 128,
					"exec /usr/bin/docker-entrypoint.sh: exec format error")}},
			reason: "CrashLoopBackOff", message: elsewhere +
				"; back-off 20s; it last ended with exit code 128; exec /usr/bin/docker-entrypoint.sh: exec format " +
				"error", broken: true, restarts: 2,
		},
		"only the proxy fails": {
			main: containers{
				{Name: "emqx", Ready: true, State: runningSince(began)},
				{Name: "istio-proxy", RestartCount: 3, State: waiting("ImagePullBackOff", "no such image")},
			},
			reason: "ImagePullBackOff", message: "container istio-proxy: no such image", broken: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: c.conditions,
				InitContainerStatuses: c.init, ContainerStatuses: c.main}}
			n := node(0, pod, testID, "cluster.local")
			require.Equal(t, c.reason, n.Reason)
			require.Equal(t, c.message, n.Message)
			require.Equal(t, c.broken, n.Broken)
			require.Equal(t, c.restarts, n.Restarts)
		})
	}
}
