// Package fleet manages clusters: its [Manager] takes commands, and while its Run runs, it
// makes what is found agree with what is wanted. It is made from a Store, Provisioners,
// Adapters and a Link, and has the catalogue and the directory within.
//
// A pass over a cluster looks at it, does the one thing that is due, and stores what was
// learned. What a look means is decided by pure functions; nothing is remembered between
// looks that is not in the record, so that a missed event or a crash between any two lines
// loses nothing.
//
// Every call needs an [ecp.Actor] in its context.
package fleet
