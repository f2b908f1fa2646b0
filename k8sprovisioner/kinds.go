package k8sprovisioner

// The kinds of objects we write.
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
