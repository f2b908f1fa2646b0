package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// The linker sets these (-X main.version=…); a build without them is told by what
// the Go tool has recorded.
var (
	version string
	built   string // RFC 3339
)

// build is which program this is.
type build struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit,omitempty"`
	Built   time.Time `json:"built,omitzero"` // of the commit, so that the same source makes the same program
	Go      string    `json:"go"`
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	b.Built, _ = time.Parse(time.RFC3339, built) // zero if not set
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			if b.Built.IsZero() {
				b.Built, _ = time.Parse(time.RFC3339, s.Value) // zero if it is none
			}
		}
	}
	return b
}

func (b build) String() string {
	text := b.Version
	if b.Commit != "" {
		text += " commit " + b.Commit
	}
	return fmt.Sprintf("%s %s %s/%s", text, b.Go, b.OS, b.Arch)
}

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "print which build this is", Args: noArguments,
		Long: "Prints version, commit, Go and platform of this program. What runs may be an older\none until " +
			"emqxee-agent restart: status shows its version.\n\n" + exitHelp,
		Example: "  emqxee-agent version\n  emqxee-agent version --json | jq -r .version",
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return p.printJSON(thisBuild())
			}
			p.say("emqxee-agent %s", thisBuild())
			return nil
		},
	}
	defineSwitch(cmd.Flags(), &asJSON, "json", "print JSON")
	return cmd
}

func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
