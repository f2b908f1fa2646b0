package main

import (
	"os"
	"runtime/debug"
)

// collectAt is how much garbage, in percent of what is in use, makes the runtime
// collect it. Go's own 100 leaves a daemon with many agents on twice the memory: what
// lives long is allocated between what a handshake throws away, so that few pages are
// ever empty. Collecting twice as often costs some tenths of a percent of a core.
const collectAt = 50

// tuneCollector sets when garbage is collected, unless whoever runs the program has
// said so with GOGC.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}
