// Package podsim is what kubelab's nodes lack: a process behind every pod's
// own address, and the readiness probe that is really run against it.
//
// What holds, for every pod that carries the label and that kwok made Running:
//
//   - A [Factory] makes its process from what the container would see: its
//     variables and the files mounted from ConfigMaps and Secrets, resolved as
//     the kubelet resolves them. A pod that refers to something missing waits
//     with the kubelet's reason and starts when it is there.
//   - The process listens on the pod's address, nowhere else. Every address of
//     a lab leads to this machine; see package kubelab.
//   - The pod is Ready when its start-up and readiness probes have said so over
//     the network, counted by their thresholds, and not Ready when they say
//     otherwise. Its status is written when it changes, and only then.
//   - [Sim.Kill] closes listeners and resets connections before it returns. The
//     container stays "running": the probe finds out. Only [Sim.Restart] or
//     [Config.RestartAfter] count as a restart.
//   - A deleted pod's process ends before its successor of the same name begins.
//   - [Sim.Run] returns when the last goroutine has ended.
//
// Not simulated: variables of services, resource fields, readiness gates,
// liveness probes, commands run as probes, and a pod's containers after the
// first, which are taken to be well.
package podsim
