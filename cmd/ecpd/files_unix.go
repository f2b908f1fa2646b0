//go:build unix

package main

import (
	"context"
	"log/slog"
	"syscall"
)

// enoughFiles is how many open files a daemon needs without agents: each connection of
// a client, to a broker or to the API server is one.
const enoughFiles = 1024

// warnOfFewFiles warns of a limit under which connections would fail one by one without
// a reason in the log. agents is the number of registered ones, each with a connection.
func warnOfFewFiles(ctx context.Context, agents int, log *slog.Logger) {
	var limit syscall.Rlimit
	enough := uint64(enoughFiles + agents)
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err != nil || uint64(limit.Cur) >= enough { //nolint:unconvert // it has another type elsewhere
		return
	}
	log.WarnContext(ctx, "few files may be open at once, and every connection is one: "+
		"raise the limit (ulimit -n, or LimitNOFILE of the unit)",
		"limit", limit.Cur, "enough", enough, "agents", agents)
}
