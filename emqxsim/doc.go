// Package emqxsim simulates EMQX: a cluster that answers over HTTP as the real
// brokers do, and a platform that runs such clusters.
//
//   - [Cluster] and [Node] are the broker: the management API of EMQX 4.4 or
//     5.x, with the bodies, statuses and content types that running brokers
//     gave. Nodes can be killed, slowed down, made to leave, partitioned.
//   - [Provisioner] is the platform: an [ecp.Provisioner] that behaves as the
//     one on Kubernetes does, with pods that take time to come and go, volume
//     claims that outlive them, and hooks for everything that goes wrong.
//
// Nothing here opens a socket or starts a goroutine. Everything that is seen
// follows from what was stored and from the clock, so that the same clock
// gives the same answers, and a restart between any two lines changes nothing.
//
// It is a simulation for development and tests. What it does not simulate
// answers 404, as a broker that lacks the call does.
package emqxsim
