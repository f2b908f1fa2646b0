// Package k8sprovisioner creates hosted EMQX clusters on Kubernetes. A [Provisioner]
// implements [ecp.Provisioner], and the optional interfaces of package ecp that make
// sense on Kubernetes: it watches, reads logs, forwards ports, and holds a lease.
//
// # Getting started
//
// [New] takes a [Config] with the way to an API server, which [LoadREST] reads from a
// kubeconfig file or from the service account of the pod. Give the Provisioner to a
// Manager, which calls it and runs [Provisioner.Watch] and [Provisioner.Hold]; or run
// Watch yourself, and call [Provisioner.Observe] and [Provisioner.Apply]. The account
// needs the rights in deploy/kubernetes/rights.yaml. With fewer it does without what
// they are for, and [Provisioner.Warnings] names what is missing.
//
// # The objects of a cluster
//
// A cluster has one namespace, which is named by the cluster's id and carries the label
// openecp.io/cluster. It contains:
//
//   - a StatefulSet, whose pods are the EMQX nodes, and a volume claim for each pod
//   - a ConfigMap with EMQX's configuration
//   - a Secret with the cluster's keys, and, if they are wanted, Secrets with EMQX's
//     license, its settings, and the credentials of an image registry
//   - three Services: for MQTT clients, for management, and for the nodes themselves
//   - a PodDisruptionBudget and a NetworkPolicy
//
// Pure functions render these objects (render*.go), and server-side apply writes them.
// A rendering has a version, and objects keep the version they were last rendered in:
// a newer build of this package does not replace pods by itself.
//
// # What is read
//
// Everything with the label is watched. A call of Observe or Apply that finds nothing to
// do sends no request: it uses what the watches and the answers to its own writes have
// brought. Secrets are neither listed nor watched. Instead they own the ConfigMap, so
// that the garbage collector shows that one was deleted, and the ConfigMap carries a
// keyed hash of each, which shows that it is of an older version.
//
// While the API server does not answer, every call fails with [ecp.ErrUnavailable]:
// what was seen before an outage is never reported as the present state.
//
// # What is written
//
//   - An object that somebody has changed is written again. If somebody keeps changing
//     it, the pauses between two writes grow, and the observation reports it. A change
//     inside a Secret is not seen; the next generation of the cluster undoes it.
//   - A namespace without the label, or with that of another cluster, is never written.
//   - What contains data or identity (the namespace, volume claims, the Secret with the
//     keys) is not created again after a loss unless the caller asks for it; until then
//     calls fail with an [ecp.Loss].
//   - A pod is replaced only on request, through the Eviction API, which respects the
//     disruption budget. A pod that cannot start is deleted instead.
//   - CPU and memory of a pod that runs are changed only on request, through the
//     subresource resize (Kubernetes 1.33 or newer), if it differs from the template in
//     nothing else. What Kubernetes or the kubelet refuses is reported, and so is what has
//     waited for two minutes.
//   - A volume claim is deleted only on request, if its ordinal is not meant to exist
//     and no pod uses it.
//   - A write needs the lease of the target while Hold runs, and carries its epoch: a
//     process that was suspended cannot write after its successor. Each write names the
//     UID and the version of the object that it was decided on, or that there was none,
//     so that the API server refuses one that was sent before and arrives after the
//     successor's. Secrets are read for that right before they are written. What is
//     created late is refused where there is one; where the successor has deleted it, it
//     is a namespace without anything in it, which a Manager reports as unrecorded, or a
//     Secret that nothing names.
package k8sprovisioner
