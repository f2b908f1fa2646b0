package main

import (
	"runtime"
	"runtime/debug"

	"github.com/openecp/openecp/httpapi"
)

// buildInfo says which build this is, as the Go tool has recorded it.
func buildInfo() httpapi.BuildInfo {
	b := httpapi.BuildInfo{Version: "(unknown)", Commit: "(unknown)", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}
