//go:build unix

package main

import (
	"context"
	"log/slog"
	"syscall"
)

// enoughFiles is how many open files a daemon gets by with: connections of
// clients, brokers and the API server, each of which is one.
const enoughFiles = 1024

// warnOfFewFiles tells of a limit under which connections fail one by one, with
// nobody to say why. agents is how many are registered: each keeps a connection.
func warnOfFewFiles(ctx context.Context, agents int, log *slog.Logger) {
	var limit syscall.Rlimit
	if enough := uint64(enoughFiles + agents); syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && uint64(limit.Cur) < enough { //nolint:unconvert // it has another type elsewhere
		log.WarnContext(ctx, "few files may be open at once, and every connection is one: raise the limit (ulimit -n, or LimitNOFILE of the unit)", "limit", limit.Cur, "enough", enough, "agents", agents)
	}
}
