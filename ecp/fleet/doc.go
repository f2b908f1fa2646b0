// Package fleet manages clusters: its [Manager] takes commands, and while its Run runs, it
// makes what is found agree with what is wanted. It is made from a Store, Provisioners,
// Adapters and a Link, and has the catalogue and the directory within.
//
// The Manager reconciles a cluster by observing it, doing the one thing that is due, and
// storing what was learned. Pure functions derive the cluster's state from the record and
// the snapshot. Nothing is remembered from one reconciliation to the next that is not in the
// record, so that a missed event or a crash between any two lines loses nothing.
//
// Every call needs an [ecp.Actor] in its context.
package fleet
