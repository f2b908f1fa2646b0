package k8sprovisioner

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
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
	client   func(kubernetes.Interface) rest.Interface
	informer func(informers.SharedInformerFactory) cache.SharedIndexInformer
}

type (
	clientset = kubernetes.Interface
	factory   = informers.SharedInformerFactory
	informer  = cache.SharedIndexInformer
)

func core(c clientset) rest.Interface       { return c.CoreV1().RESTClient() }
func apps(c clientset) rest.Interface       { return c.AppsV1().RESTClient() }
func policies(c clientset) rest.Interface   { return c.PolicyV1().RESTClient() }
func networking(c clientset) rest.Interface { return c.NetworkingV1().RESTClient() }
func classes(c clientset) rest.Interface    { return c.StorageV1().RESTClient() }

var kinds = map[string]kindRow{
	kindNamespace: {"namespaces", func() live { return new(corev1.Namespace) }, core,
		func(f factory) informer { return f.Core().V1().Namespaces().Informer() }},
	kindConfigMap: {"configmaps", func() live { return new(corev1.ConfigMap) }, core,
		func(f factory) informer { return f.Core().V1().ConfigMaps().Informer() }},
	kindService: {"services", func() live { return new(corev1.Service) }, core,
		func(f factory) informer { return f.Core().V1().Services().Informer() }},
	kindStatefulSet: {"statefulsets", func() live { return new(appsv1.StatefulSet) }, apps,
		func(f factory) informer { return f.Apps().V1().StatefulSets().Informer() }},
	kindBudget: {"poddisruptionbudgets", func() live { return new(policyv1.PodDisruptionBudget) }, policies,
		func(f factory) informer { return f.Policy().V1().PodDisruptionBudgets().Informer() }},
	kindPolicy: {"networkpolicies", func() live { return new(networkingv1.NetworkPolicy) }, networking,
		func(f factory) informer { return f.Networking().V1().NetworkPolicies().Informer() }},
	kindPod: {"pods", func() live { return new(corev1.Pod) }, core,
		func(f factory) informer { return f.Core().V1().Pods().Informer() }},
	kindClaim: {"persistentvolumeclaims", func() live { return new(corev1.PersistentVolumeClaim) }, core,
		func(f factory) informer { return f.Core().V1().PersistentVolumeClaims().Informer() }},
}
