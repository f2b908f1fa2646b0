// Package k8sprovisioner makes hosted EMQX clusters on Kubernetes. It is an
// [ecp.Provisioner] and an [ecp.Watcher], [ecp.Accessor] and [ecp.Renderer].
//
// # What a cluster is made of
//
// One namespace, named by the cluster's id and labelled openecp.io/cluster,
// holds a Secret with its keys, a ConfigMap, three Services, a StatefulSet, a
// PodDisruptionBudget and a NetworkPolicy, and, where they are wanted, a Secret
// with EMQX's licence and one with a registry's credentials. Objects are
// rendered by pure functions and written by server-side apply.
//
// # What holds
//
//   - A pass that changes nothing sends no request at all: what is there is
//     known from watches on objects with our label, and from the answers to
//     our own writes. Secrets are neither listed nor watched: the ConfigMap is
//     owned by them, so the garbage collector tells of their loss, and keyed
//     hashes on it tell what is in them.
//   - Objects changed by hand come back; what is changed inside of a Secret,
//     which leaves no trace, with the next generation. What holds data or identity (the
//     namespace, volume claims, the auth Secret) is never made anew unless the
//     call says so; see [ecp.Loss].
//   - A namespace without our label is never touched.
//   - Objects are rendered in the version they were last rendered in, so that
//     a newer build of this package rolls nothing by itself.
//   - Pods are replaced only when asked, through the Eviction API; a pod that
//     cannot start is deleted.
//   - A volume claim is deleted only when asked, of an ordinal that is meant to
//     have none, and while no pod uses it.
//   - While the API server does not answer, every call is refused as
//     unavailable: what was seen last is not passed off as what is.
//
// The rights it needs are in deploy/kubernetes.
package k8sprovisioner
