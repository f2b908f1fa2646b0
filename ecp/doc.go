// Package ecp has the words and contracts for managing fleets of EMQX clusters:
// what a cluster is, which states it can be in, which commands move it, who may do
// what, and the interfaces behind which brokers, platforms and databases stand. The
// Manager, which makes clusters what they are asked to be, is in package fleet.
//
// # The rooms
//
// The packages below this one are rooms that import one another in one direction:
//
//   - change makes every change: one transaction with its audit entry
//   - catalog keeps what clusters are made from, and tenancy keeps who may do what
//   - monitor, logs, agents and access read clusters and lead to them
//   - fleet has the Manager, which joins all of these and hands out [Cluster] handles
//   - memstore is a [Store] in memory, and ecptest has the tests that every
//     implementation of an interface of this package passes
//
// This package compiles the standard library and pure helpers only.
//
// # Clusters
//
// A [ClusterRecord] is all that is stored of a cluster: its [Spec] and its [Status].
// The Manager shows it as an [Info], together with what was observed last. A
// [Command] changes it; what takes time becomes an [Operation].
//
// A [StateMachine], one for each [Mode], says where a command leads and which states
// follow each other. Everything else follows from what is observed: nothing is
// remembered between two observations that is not in the record, so that a missed
// event or a crash between any two lines loses nothing. People read the [State];
// programs wait on [Condition] values.
//
// # What to implement
//
//   - [Provisioner] makes hosted clusters on a platform
//   - [Adapter] opens a [Broker], an EMQX cluster of one major version
//   - [Link] leads to adopted clusters through their agents
//   - [Store] keeps records of any [Payload]; kinds of one's own come with a [Codec]
//
// Each is small. What an implementation can do beyond it says with further
// interfaces, which are found by assertion.
//
// # Actors, rights and errors
//
// Every call needs an [Actor] in its context, see [WithActor]; a call without one is
// denied. Programs that authorize by themselves use [System]. A [Grant] is a [Role]
// and what it reaches, and [RoleTable] lists the rights of each role. What an actor
// may not read does not exist for it.
//
// Every error that leaves the rooms is an [Error]. Its [Code] says who has to act, and
// its text is fit for users; the cause is for the log.
//
//go:generate go test -run TestStatesDocument|TestRolesDocument . -update
package ecp
