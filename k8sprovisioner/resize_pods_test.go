package k8sprovisioner

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ofMemory are the resources of a container with a CPU and so much memory.
func ofMemory(amount string) corev1.ResourceRequirements {
	l := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"),
		corev1.ResourceMemory: resource.MustParse(amount)}
	return corev1.ResourceRequirements{Requests: l, Limits: l.DeepCopy()}
}

// A pod that differs from the template in its resources alone is resized, is waited for,
// or is replaced, as the kubelet and Kubernetes have answered.
func TestDifferenceInResources(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	asked := func(ago time.Duration) resizeAttempt {
		return resizeAttempt{to: textOf(ofMemory("2Gi")), since: now.Add(-ago), tries: 1}
	}
	pending := func(kind corev1.PodConditionType, reason string) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: "words"}}
	}
	for name, c := range map[string]struct {
		spec, status string // memory
		conditions   []corev1.PodCondition
		notReady     bool
		obstacle     string
		last         resizeAttempt
		outdated     bool
		resize       ecp.ResizeState
		reason       string
	}{
		"as it should be": {spec: "2Gi", status: "2Gi"},
		"in another unit": {spec: "2048Mi", status: "2Gi"},
		"due":             {spec: "1Gi", status: "1Gi", outdated: true, resize: ecp.ResizeDue},
		"not ready":       {spec: "1Gi", status: "1Gi", notReady: true, outdated: true},
		"an obstacle": {spec: "1Gi", status: "1Gi", obstacle: "no", outdated: true,
			resize: ecp.ResizeRefused, reason: "no"},
		"just asked for": {spec: "1Gi", status: "1Gi", last: asked(time.Second), outdated: true,
			resize: ecp.ResizeWaiting, reason: "it has just been asked for"},
		"undone by somebody": {spec: "1Gi", status: "1Gi", last: asked(time.Hour), outdated: true,
			resize: ecp.ResizeDue},
		"refused at once": {spec: "1Gi", status: "1Gi", last: resizeAttempt{to: textOf(ofMemory("2Gi")),
			since: now, tries: 1, why: "quota"},
			outdated: true, resize: ecp.ResizeRefused, reason: "quota"},
		"refused for another size": {spec: "1Gi", status: "1Gi",
			last:     resizeAttempt{to: textOf(ofMemory("9Gi")), since: now, why: "quota"},
			outdated: true, resize: ecp.ResizeDue},
		"undone again and again": {spec: "1Gi", status: "1Gi",
			last:     resizeAttempt{to: textOf(ofMemory("2Gi")), tries: resizeTries},
			outdated: true, resize: ecp.ResizeRefused,
			reason: "it was asked for 3 times, and somebody else on Kubernetes undoes it"},
		"the kubelet has not begun": {spec: "2Gi", status: "1Gi", last: asked(time.Second), outdated: true,
			resize: ecp.ResizeWaiting, reason: "its machine has not begun"},
		"in progress": {spec: "2Gi", status: "1Gi", conditions: pending(conditionResizeInProgress, ""),
			last:     asked(time.Second),
			outdated: true, resize: ecp.ResizeWaiting, reason: "its machine is at it: words"},
		"deferred": {spec: "2Gi", status: "1Gi", conditions: pending(conditionResizePending, "Deferred"),
			last:     asked(time.Second),
			outdated: true, resize: ecp.ResizeWaiting, reason: "Deferred: words"},
		"deferred for long": {spec: "2Gi", status: "1Gi", conditions: pending(conditionResizePending,
			"Deferred"), last: asked(resizePatience),
			outdated: true, resize: ecp.ResizeRefused, reason: "it has waited for 2m0s: Deferred: words"},
		"infeasible": {spec: "2Gi", status: "1Gi", conditions: pending(conditionResizePending,
			"Infeasible"), last: asked(time.Second),
			outdated: true, resize: ecp.ResizeRefused, reason: "Infeasible: words"},
		"infeasible, and taken back": {spec: "4Gi", status: "2Gi",
			conditions: pending(conditionResizePending, "Infeasible"),
			last:       resizeAttempt{to: textOf(ofMemory("4Gi"))}, outdated: true, resize: ecp.ResizeDue},
	} {
		t.Run(name, func(t *testing.T) {
			has := ofMemory(c.status)
			ready := corev1.ConditionTrue
			if c.notReady {
				ready = corev1.ConditionFalse
			}
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{annotationResized: "true"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{
					{Name: container, Resources: ofMemory(c.spec)}}},
				Status: corev1.PodStatus{
					Conditions:        append(c.conditions, corev1.PodCondition{Type: corev1.PodReady, Status: ready}),
					ContainerStatuses: []corev1.ContainerStatus{{Name: container, Resources: &has}},
				},
			}
			require.Equal(t, podDifference{c.outdated, c.resize, c.reason},
				differenceIn(pod, ofMemory("2Gi"), c.obstacle, c.last, now))
		})
	}
}

// Two revisions are the same but for CPU and memory of EMQX's own container, and for
// nothing else.
func TestHashWithoutResources(t *testing.T) {
	revision := func(image, memory, beside string) []byte {
		return []byte(`{"spec":{"template":{"$patch":"replace","spec":{"containers":[
			{"name":"emqx","image":"` + image + `","resources":{"limits":{"memory":"` + memory + `","cpu":"1"}}},
			{"name":"beside","resources":{"limits":{"memory":"` + beside + `"}}}]}}}}`)
	}
	hash := func(b []byte) string {
		h, err := hashWithoutResources(b)
		require.NoError(t, err)
		return h
	}
	first := hash(revision("a", "1Gi", "1Gi"))
	require.Equal(t, first, hash(revision("a", "2Gi", "1Gi")))
	require.NotEqual(t, first, hash(revision("b", "1Gi", "1Gi")))
	require.NotEqual(t, first, hash(revision("a", "1Gi", "2Gi")), "of another container")
	_, err := hashWithoutResources([]byte("no JSON"))
	require.Error(t, err)
}

// A mark in our caches says that a pod was resized; its managed fields are dropped.
func TestMarkOfResizedPods(t *testing.T) {
	for subresource, marked := range map[string]string{"resize": "true", "status": "", "": ""} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x", Subresource: subresource}}}}
		out, err := slim(pod)
		require.NoError(t, err)
		require.Equal(t, marked, out.(*corev1.Pod).Annotations[annotationResized], subresource)
		require.Empty(t, out.(*corev1.Pod).ManagedFields)
	}
}
