// Package ecp manages fleets of EMQX clusters: what they are, which states
// they can be in, which commands move them, and the [Manager] that makes what
// is found agree with what is wanted.
//
// # The parts
//
// Users hold a *[Manager] and the [Cluster] handles it gives out. Implementers
// write a [Provisioner] (makes hosted clusters), an [Adapter] (speaks to a
// running EMQX of one major version), a [Store] (keeps records) or a [Link]
// (leads to adopted clusters). The package imports nothing but the standard
// library; ready-made parts are in the packages beside it, and ecptest has the
// suites every implementation passes.
//
// # How a cluster moves
//
// Commands go through the tables of a [StateMachine], one for each mode. Everything
// else is learned by looking: [Judge] is a pure function from a record and a [Look]
// to the state the cluster should show, and the engine walks the edges of the
// machine there one hop a write, each hop a [Change] on the stream. Nothing is
// remembered between looks that is not in the record, so a missed event or a crash
// between any two lines loses nothing.
//
// # Actors
//
// Every call needs an [Actor] in its context ([WithActor]); a call without one
// is denied. Programs that authorise by themselves use [System]. An actor has
// one or more grants: a role and what it reaches. [RoleTable] says which rights
// a role holds there. What an actor may not read does not exist for it.
//
// [Manager.Authenticate] gives the actor of an API token or of a session, which
// [Manager.Login] gives to who knows a user's password; a [PasswordHasher] is
// brought along in the [Config].
//
// # Changes
//
// Every change that an actor asks for is one transaction: what is written, what
// the ledger books, the audit entry that says who, what, from where
// ([WithOrigin]) and how it was before, and the answer for whoever asks again
// with the same key ([WithIdempotencyKey]). A revision, where one is given, has
// to be the one that is stored. Where any of it fails nothing has happened.
//
// # Catalogues
//
// What a cluster is made from (images, sizes, registries, licenses, profiles)
// is copied to it when it is made, so that a change of a catalogue touches no
// cluster, and what a cluster was made from cannot be deleted. Secrets stand in
// records of their own, encrypted by a [Sealer] and bound to their entry; no
// call gives them back. Kubernetes targets that are added at run time are made
// by [Config].NewProvisioner, and worked with by Run.
//
//go:generate go test -run TestStatesDocument|TestRolesDocument . -update
package ecp
