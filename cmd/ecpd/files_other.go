//go:build !unix

package main

import (
	"context"
	"log/slog"
)

// warnOfFewFiles does nothing where there is no such limit.
func warnOfFewFiles(context.Context, int, *slog.Logger) {}
