// Package faulttest breaks what connects EMQX, its agent and the daemon, with the
// real programs on hosts of their own, and holds what is shown against a table:
// which state, which reason, within which time, and whether it mends by itself.
// It holds tests only.
package faulttest
