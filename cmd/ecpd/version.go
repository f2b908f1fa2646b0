package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/openecp/openecp/httpapi"
)

// The linker sets these for a release (-X main.version=…); a build without them is told by
// what the Go tool has recorded.
var version, commit string

// buildInfo says which build this is.
func buildInfo() httpapi.BuildInfo {
	b := httpapi.BuildInfo{Version: version, Commit: commit, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Version = cmp.Or(b.Version, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = cmp.Or(b.Commit, s.Value)
			}
		}
	}
	b.Version, b.Commit = cmp.Or(b.Version, "(unknown)"), cmp.Or(b.Commit, "(unknown)")
	return b
}

// moduleVersion is a module that the program is made of, as its replacement if there is one.
type moduleVersion struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// versionLine says which build this is, in a line.
func versionLine() string {
	b := buildInfo()
	return fmt.Sprintf("ecpd %s commit %s %s\n", b.Version, b.Commit, b.Go)
}

func versionCommand(stdout io.Writer) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "print which build this is", Args: noArgs,
		Example: "  ecpd version --json",
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return writeBuild(stdout)
			}
			_, err := io.WriteString(stdout, versionLine())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, with the modules that the program is made of")
	return cmd
}

// writeBuild writes which build this is, and what it is made of, as JSON.
func writeBuild(w io.Writer) error {
	modules := []moduleVersion{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			modules = append(modules, moduleVersion{m.Path, m.Version})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		httpapi.BuildInfo
		OS      string          `json:"os"`
		Arch    string          `json:"arch"`
		Modules []moduleVersion `json:"modules"`
	}{buildInfo(), runtime.GOOS, runtime.GOARCH, modules})
}
