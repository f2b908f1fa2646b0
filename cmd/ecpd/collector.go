package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage, in percent of what is in use, starts a collection.
// With Go's own 100, a daemon with many agents uses twice the memory: long-lived objects
// are allocated between those that a handshake throws away, so that few pages are ever
// empty. Twice as many collections cost some tenths of a percent of a core.
const gcPercent = 50

// tuneCollector sets gcPercent unless GOGC is set.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
