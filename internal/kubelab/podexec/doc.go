// Package podexec runs the containers of pods on kubelab as processes of this
// machine, for pods whose own programs are under test.
//
// What holds, for every pod that its selector selects:
//
//   - The init containers run one after the other, once, and then the first
//     container, with the command, the arguments and the variables of the manifest.
//     One that fails is started again, with growing pauses.
//   - Each has a root of its own: the programs of this machine, the volumes that it
//     mounts and nothing else of it, read-only where the manifest says so. It is
//     process 1, has the pod's host name, and runs with the user, the groups, the
//     capabilities and the privileges of the security context. The image is not looked
//     at: it must be one whose programs this machine has, too.
//   - Volumes are folders: of an emptyDir one that lives as long as the pod, of a claim
//     the one that the lab's own provisioner has made. The group of fsGroup gets them
//     as from the kubelet, which also changes the mode of every file.
//   - The names of services in the pod's namespace lead to a pod behind them; there is
//     no DNS and no address of a service.
//   - [Runner.Log] returns what a container prints. The API server has no logs of it.
//   - A pod that is deleted gets SIGTERM, and SIGKILL when its grace period is over.
//
// Not simulated: limits of memory and processor, seccomp, images, network policies,
// and containers after the first. It takes root's rights; see [Available].
package podexec
