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
// Commands go through a table, [Next]. Everything else is learned by looking:
// [Judge] is a pure function from a record and a [Look] to the state the
// cluster should show, and the engine walks the edge table there one hop a
// write, each hop a [Change] on the stream. Nothing is remembered between
// looks that is not in the record, so a missed event or a crash between any
// two lines loses nothing.
//
// # Actors
//
// Every call needs an [Actor] in its context ([WithActor]); a call without one
// is denied. Programs that authorise by themselves use [System].
package ecp
