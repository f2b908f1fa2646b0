// Package derive says, from the record of a cluster and from what was found of it, what is
// the case and what is due: its state and conditions, the next step of an operation, what
// a Provisioner should make. It has no clock, keeps nothing, and does no I/O.
package derive
