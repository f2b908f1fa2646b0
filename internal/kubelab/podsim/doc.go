// Package podsim is what kubelab's nodes lack: a process behind every pod's
// own address, and the readiness probe that is really run against it.
//
// What holds, for every selected pod that kwok made Running:
//
//   - A [Factory] makes its process from what the container would see: its
//     variables and the files mounted from ConfigMaps and Secrets, resolved as
//     the kubelet resolves them. A pod that refers to something missing waits
//     with the kubelet's reason and starts when it is there.
//   - The process listens on the pod's address and nowhere else: in a lab of
//     package kubelab every address of a pod leads to this machine.
//   - The pod is Ready after its start-up and readiness probes have succeeded over
//     the network as often as their thresholds want, and not Ready after they have
//     failed as often. Its status is written only when it changes.
//   - [Sim.Kill] closes listeners and resets connections before it returns. The
//     container stays "running": the probe finds out. Only [Sim.Restart] or
//     [Config.RestartAfter] count as a restart.
//   - A container has the CPU and memory of its spec, and soon those of a new one, as a
//     kubelet with room that resizes pods in place; [Sim.HoldResizes] is one that does not.
//   - A deleted pod's process ends before its successor of the same name begins.
//   - [Sim.Run] returns when the last goroutine has ended.
//
// Not simulated: variables of services, resource fields, readiness gates,
// liveness probes, commands run as probes, and a pod's containers after the
// first, which count as ready.
package podsim
