package k8sprovisioner

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var hintNow = time.Date(2026, 11, 28, 17, 0, 0, 0, time.UTC)

func warned(kind, name, reason, message string, ago time.Duration) corev1.Event {
	return corev1.Event{
		InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, UID: uid(name)}, Reason: reason,
		Message:       message,
		LastTimestamp: metav1.NewTime(hintNow.Add(-ago)),
	}
}

// The controller's refusals are told once for each cause, for pods that are
// missing now.
func TestRefusals(t *testing.T) {
	const quota = `exceeded quota: project-quota, requested: pods=1, used: pods=3, limited: pods=3`
	const scc = `ValidatingAdmissionPolicy 'uid-range' with binding 'uid-range' denied request: unable to validate against any security context constraint: runAsUser 1000 is not in [1000650000, 1000659999]`
	created := func(pod, cause string) string {
		return `create Pod ` + pod + ` in StatefulSet emqx-1a2b3c4d-emqx failed error: pods "` + pod +
			`" is forbidden: ` + cause
	}
	three, four, forty := "emqx-1a2b3c4d-emqx-3", "emqx-1a2b3c4d-emqx-4", "emqx-1a2b3c4d-emqx-40"
	for name, c := range map[string]struct {
		notes   []corev1.Event
		missing []string
		want    []string
	}{
		"one cause for several": {
			[]corev1.Event{warned(kindStatefulSet, "w", "FailedCreate", created(four, quota), 0),
				warned(kindStatefulSet, "w", "FailedCreate", created(three, quota), time.Second)},
			[]string{three, four}, []string{"Kubernetes refuses to make " + three + ", " + four + ": " + quota},
		},
		"admission of somebody else": {
			[]corev1.Event{warned(kindStatefulSet, "w", "FailedCreate", created(three, scc), 0)},
			[]string{three}, []string{"Kubernetes refuses to make " + three + ": " + scc},
		},
		"the newest counts": {
			[]corev1.Event{warned(kindStatefulSet, "w", "FailedCreate", created(three, scc), 0),
				warned(kindStatefulSet, "w", "FailedCreate", created(three, quota), time.Minute)},
			[]string{three}, []string{"Kubernetes refuses to make " + three + ": " + scc},
		},
		"another pod's name": {[]corev1.Event{warned(kindStatefulSet, "w", "FailedCreate", created(forty, quota), 0)},
			[]string{four}, nil},
		"no news any more": {[]corev1.Event{warned(kindStatefulSet, "w", "FailedCreate", created(three, quota),
			time.Hour)}, []string{three}, nil},
		"nothing is missing": {[]corev1.Event{warned(kindStatefulSet, "w", "FailedCreate", created(three, quota), 0)},
			nil, nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, refusedPods(c.notes, c.missing, hintNow)) })
	}
}

// A pod that does not begin says what its machine and its claim are refused.
func TestEventsOfPendingPods(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "p"}, Spec: corev1.PodSpec{NodeName: "m"}}
	n := ecp.NodeObservation{Pod: "p", Volume: "data-p", Reason: "ContainerCreating"}
	addEventTo(&n, pod, []corev1.Event{warned(kindPod, "q", "FailedMount", "of another", 0),
		warned(kindPod, "p", "FailedMount", "secret not found", 0)})
	require.Equal(t, "FailedMount", n.Reason)
	require.Equal(t, "secret not found", n.Message)

	pod.Spec.NodeName, n.Reason = "", "Unschedulable"
	addEventTo(&n, pod, []corev1.Event{warned(kindPod, "p", "FailedScheduling", "unbound claims", 0),
		warned(kindClaim, "data-p", "ProvisioningFailed", "no such class", 0)})
	require.Equal(t, "ProvisioningFailed", n.Reason)
	require.Equal(t, "claim data-p: no such class", n.Message)
}

func TestHoldingNamespace(t *testing.T) {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "emqx-1a2b3c4d"},
		Status: corev1.NamespaceStatus{Conditions: []corev1.NamespaceCondition{
			{Type: corev1.NamespaceDeletionDiscoveryFailure, Status: corev1.ConditionFalse,
				Message: "All resources successfully discovered"},
			{Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue,
				Message: "backup.example.com/hold in 1 resource instances"},
		}}}
	require.Equal(t, []string{"the namespace emqx-1a2b3c4d cannot end: backup.example.com/hold in 1 resource " +
		"instances"}, terminationObstacles(n))
}

// Whether a machine is dead is said only where somebody knows.
func TestMachineOf(t *testing.T) {
	ready := func(s corev1.ConditionStatus, taints ...corev1.Taint) *corev1.Node {
		return &corev1.Node{Spec: corev1.NodeSpec{Taints: taints},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: s, Reason: "NodeStatusUnknown",
					Message: "Kubelet stopped posting node status.", LastTransitionTime: metav1.NewTime(hintNow)},
			}}}
	}
	for name, c := range map[string]struct {
		node  *corev1.Node
		state ecp.MachineState
		says  string
	}{
		"removed": {nil, ecp.MachineGone, "m has been removed from Kubernetes"},
		"out of service": {ready(corev1.ConditionUnknown, corev1.Taint{Key: corev1.TaintNodeOutOfService,
			Effect: corev1.TaintEffectNoExecute}), ecp.MachineGone, "out of service"},
		"silent": {ready(corev1.ConditionUnknown), ecp.MachineUnanswered,
			"not ready since 2026-11-28T17:00:00Z (NodeStatusUnknown; Kubelet stopped posting node status.); if it " +
				"is off for good, say so: kubectl taint node m " +
				"node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"},
		"tainted": {ready(corev1.ConditionTrue, corev1.Taint{Key: "dead", Value: "true",
			Effect: corev1.TaintEffectNoExecute}), ecp.MachineThere, "dead=true:NoExecute"},
		"well": {ready(corev1.ConditionTrue), ecp.MachineThere, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := machineOf("m", c.node)
			require.Equal(t, c.state, m.state)
			require.Contains(t, m.reason, c.says)
			require.Equal(t, c.says == "", m.reason == "")
		})
	}
}

// A full quota has room for a pod in another's place, unless it wants more.
func TestQuotaWithoutThePodThatIsReplaced(t *testing.T) {
	pod := func(memory string, init ...string) *corev1.Pod {
		of := func(m string) corev1.Container {
			limits := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(m)}
			return corev1.Container{Resources: corev1.ResourceRequirements{Limits: limits}}
		}
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{of(memory)}}}
		for _, m := range init {
			p.Spec.InitContainers = append(p.Spec.InitContainers, of(m))
		}
		return p
	}
	quota := func(name, used, hard string) []corev1.ResourceQuota {
		list := func(v string) corev1.ResourceList {
			return corev1.ResourceList{corev1.ResourceName(name): resource.MustParse(v)}
		}
		return []corev1.ResourceQuota{{ObjectMeta: metav1.ObjectMeta{Name: "q"},
			Status: corev1.ResourceQuotaStatus{Used: list(used), Hard: list(hard)}}}
	}
	for name, c := range map[string]struct {
		quotas    []corev1.ResourceQuota
		old, next *corev1.Pod
		full      bool
	}{
		"as many pods":             {quota("pods", "3", "3"), pod("1Gi"), pod("1Gi"), false},
		"a pod more":               {quota("pods", "3", "3"), nil, pod("1Gi"), true},
		"the quota has shrunk":     {quota("count/pods", "3", "2"), pod("1Gi"), pod("1Gi"), true},
		"more memory fits":         {quota("limits.memory", "3Gi", "5Gi"), pod("1Gi"), pod("3Gi"), false},
		"more memory does not fit": {quota("limits.memory", "3Gi", "4Gi"), pod("1Gi"), pod("3Gi"), true},
		"an init container's":      {quota("limits.memory", "3Gi", "4Gi"), pod("1Gi"), pod("1Gi", "3Gi"), true},
		"of something else":        {quota("services", "3", "1"), pod("1Gi"), pod("1Gi"), false},
	} {
		t.Run(name, func(t *testing.T) {
			got := exceededQuota(c.quotas, c.old, c.next)
			require.Equal(t, c.full, got != "", got)
		})
	}
}

// A missing right and a refusal of admission have one code.
func TestMissingRightAndRefusalAreToldApart(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	require.True(t, unauthorized(apierrors.NewForbidden(pods, "", nil)))
	require.False(t, unauthorized(apierrors.NewForbidden(pods, "emqx-1a2b3c4d-emqx-0", nil)))
	require.True(t, unauthorized(apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "m", nil)))
	require.False(t, unauthorized(apierrors.NewNotFound(pods, "p")))

	s := rightSet{missing: []*right{listEvents, createPods}}
	require.True(t, s.lacks(createPods))
	require.False(t, s.lacks(getNodes))
	require.Contains(t, s.warning(), "list events (to say why Kubernetes refuses a pod), create pods")
	require.Empty(t, new(rightSet).warning())
}

// The pod that is tried is the one that the controller would make.
func TestPodOfTemplate(t *testing.T) {
	w := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "w", Namespace: "n"}}
	w.Spec.ServiceName, w.Status.UpdateRevision = "h", "w-1"
	w.Spec.Template.Labels = map[string]string{"a": "b"}
	w.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
	pod := podOfTemplate(w, 2)
	require.Equal(t, "w-2", pod.Name)
	require.Equal(t, "b", pod.Labels["a"])
	require.Equal(t, "w-1", pod.Labels[appsv1.ControllerRevisionHashLabelKey])
	require.Equal(t, "w-2 h", pod.Spec.Hostname+" "+pod.Spec.Subdomain)
	require.Equal(t, "data-w-2", pod.Spec.Volumes[0].PersistentVolumeClaim.ClaimName)
	require.NotContains(t, w.Spec.Template.Labels, appsv1.PodIndexLabel, "the live object stays as it is")
}

// A back-off does not say that the image has no variant for the machine; the event
// before it does.
func TestOtherProcessors(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u"}}
	n := ecp.NodeObservation{Pod: "p", Broken: true, Reason: "ImagePullBackOff", Message: "Back-off pulling image"}
	e := warned(kindPod, "p", "Failed", "Failed to pull image: no match for platform in manifest: not found", 0)
	e.InvolvedObject.UID = "u"
	addEventTo(&n, pod, []corev1.Event{warned(kindPod, "p", "BackOff", "Back-off pulling image", 0), e})
	require.Equal(t, "ImagePullBackOff", n.Reason)
	require.Contains(t, n.Message, "name its architectures in the catalogue")
}

// Where the placement names processors it has the last word.
func TestArchitecturesOfAnImage(t *testing.T) {
	affinity := func(d ecp.Desired) any {
		return dig(rendered(t, d)[kindStatefulSet+" "+string(testID)+"-emqx"].body, "spec", "template", "spec",
			"affinity", "nodeAffinity")
	}
	require.Nil(t, affinity(desired("5.8.9")))
	d := ofArchitectures(desired("5.8.9"))
	require.NotNil(t, affinity(d))
	d.Spec.Placement.NodeSelector = map[string]string{corev1.LabelArchStable: "arm64"}
	require.Nil(t, affinity(d))
}

// A machine that does not answer is waited for, but where its very pod is abandoned.
func TestAbandonedPods(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "u1"}, Spec: corev1.PodSpec{NodeName: "m"}}
	for state, want := range map[ecp.MachineState]map[string]bool{
		ecp.MachineThere:      {"": false, "u1": false},
		ecp.MachineUnanswered: {"": false, "u1": true, "u0": false},
		ecp.MachineGone:       {"": true, "u1": true, "u0": true},
	} {
		p := &Provisioner{machines: map[string]machine{"m": {checkedAt: time.Now(), state: state}}}
		for abandoned, ended := range want {
			require.Equal(t, ended, p.machineEnded(t.Context(), pod, []string{abandoned}), "%s, %q", state, abandoned)
		}
	}
}
