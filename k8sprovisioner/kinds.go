package k8sprovisioner

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// The kinds of objects that are watched. All but pods and claims are written by
// server-side apply. Pods and claims are deleted, and claims grow.
const (
	kindNamespace   = "Namespace"
	kindConfigMap   = "ConfigMap"
	kindService     = "Service"
	kindStatefulSet = "StatefulSet"
	kindBudget      = "PodDisruptionBudget"
	kindPolicy      = "NetworkPolicy"
	kindPod         = "Pod"
	kindClaim       = "PersistentVolumeClaim"
)

// Kinds that are neither listed nor watched have no row in kinds.
const (
	kindSecret = "Secret"
	kindClass  = "StorageClass"
)

// live is an object as the API server has it. It is shared and must not be changed.
type live interface {
	metav1.Object
	runtime.Object
}

// kindRow tells how objects of one kind are written and watched.
type kindRow struct {
	resource string // in URLs
	empty    func() live
	client   func(clients) rest.Interface
}

var kinds = map[string]kindRow{
	kindNamespace:   {"namespaces", func() live { return new(corev1.Namespace) }, core},
	kindConfigMap:   {"configmaps", func() live { return new(corev1.ConfigMap) }, core},
	kindService:     {"services", func() live { return new(corev1.Service) }, core},
	kindStatefulSet: {"statefulsets", func() live { return new(appsv1.StatefulSet) }, apps},
	kindBudget:      {"poddisruptionbudgets", func() live { return new(policyv1.PodDisruptionBudget) }, policies},
	kindPolicy:      {"networkpolicies", func() live { return new(networkingv1.NetworkPolicy) }, networking},
	kindPod:         {"pods", func() live { return new(corev1.Pod) }, core},
	kindClaim:       {"persistentvolumeclaims", func() live { return new(corev1.PersistentVolumeClaim) }, core},
}
