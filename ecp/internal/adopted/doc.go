// Package adopted computes what follows from the record of an adopted cluster and from what
// its agents show: its state and conditions, and the next step towards its connection limit.
// It has no clock, keeps nothing, and does no I/O, just as package derive, which does this for
// hosted clusters.
package adopted
