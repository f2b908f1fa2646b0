// Package derive computes what follows from the record of a cluster and a [Snapshot] of it:
// its state and conditions, the next step of an operation, and what a Provisioner should
// make. It has no clock, keeps nothing, and does no I/O: the same input leads to the same
// result, also after a crash.
package derive
