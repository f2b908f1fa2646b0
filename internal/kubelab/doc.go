// Package kubelab runs a real Kubernetes control plane for tests: etcd,
// kube-apiserver, kube-controller-manager and kube-scheduler as built from their Go
// modules, with kwok in place of every node's kubelet. It needs the Go toolchain and
// the ip command, and no container runtime, image or cluster.
//
// What holds:
//
//   - Objects, controllers, scheduling, volumes, RBAC, admission and API errors
//     are Kubernetes' own. Processes are not: no container is run, and no probe.
//     Package podsim runs a process behind every pod's own address and really
//     probes it; package podexec runs the containers' own programs.
//   - Every pod address leads to this machine (a local route to a /16 that no
//     other lab has), so a program can listen on a pod's address, and
//     `kubectl port-forward` reaches it there.
//   - Pods with the label openecp.io/cluster, and those of the agent, run but are not
//     Ready until somebody says so; other pods are Ready at once; an image with the tag
//     "bad" is never pulled; a deleted pod goes at once; a LoadBalancer service
//     gets an address.
//   - A lab listens on loopback addresses of its own and on its own /16 only, so
//     that several labs can run at the same time.
//   - No process outlives the one that called Start, however that one ends. The
//     next Start removes what a killed run leaves: its route and its folder.
//
// [Build] builds the programs once for each content of the tools folder and Go
// version, into a cache outside the tree. A cold build takes minutes.
//
// The package uses the standard library only, and works on Linux only;
// [Available] checks that a lab can be started.
package kubelab
