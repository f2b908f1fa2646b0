package k8sprovisioner

import (
	"log/slog"

	"k8s.io/klog/v2"
)

// LogClientTo lets client-go, which logs through a logger of the whole process,
// log through this one. For main, before anything else of this package is used;
// a library leaves it alone.
func LogClientTo(log *slog.Logger) { klog.SetSlogLogger(log.With("component", "client-go")) }
