// Package derive computes what follows from the record of a hosted cluster and a [Snapshot]
// of it: its state and conditions, the next step of an operation, and what a Provisioner
// should make. It has no clock, keeps nothing, and does no I/O: the same input leads to the
// same result, also after a crash. What follows for adopted clusters is computed by package
// adopted beside it, by the same lines where it is the same.
package derive
