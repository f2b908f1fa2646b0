// Package kubelab runs a real Kubernetes control plane for tests: etcd,
// kube-apiserver, kube-controller-manager and kube-scheduler as built from
// their Go modules, with kwok in the place of every node's kubelet. Nothing but
// the Go toolchain and the ip command is needed: no container runtime, no
// image, no cluster.
//
// What holds:
//
//   - Objects, controllers, scheduling, volumes, RBAC, admission and API errors
//     are Kubernetes' own. Processes are not: no container is run, and no probe.
//     Package podsim runs a process behind every pod's own address and really
//     probes it.
//   - Every pod address leads to this machine (a local route to a /16 that no
//     other lab has), so a program can listen on a pod's address, and
//     `kubectl port-forward` reaches it there.
//   - Pods with the label openecp.io/cluster run but are not Ready until
//     somebody says so; other pods are Ready at once; an image with the tag
//     "bad" is never pulled; a deleted pod goes at once; a LoadBalancer service
//     gets an address.
//   - A lab listens on loopback addresses of its own and on its own /16 only.
//     Labs run side by side.
//   - No process outlives the one that called Start, however that one ends.
//     What a killed run leaves (its route, its folder) is removed by the next
//     Start.
//
// The programs are built once per content of the tools folder and Go version
// into a cache outside the tree. A cold build takes minutes; see Build.
//
// The package uses the standard library only. Linux only: see Available.
package kubelab
