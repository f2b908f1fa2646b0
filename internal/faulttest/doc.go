// Package faulttest injects faults between EMQX, its agent and the daemon. It runs the real
// programs on hosts with networks of their own, and compares what the daemon shows with a
// table: the state, the reason, the time, and whether the cluster recovers by itself. It
// contains tests only.
package faulttest
