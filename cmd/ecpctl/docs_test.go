package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/ecpctl.md anew")

const docsFile = "../../docs/ecpctl.md"

// docsHead is what no command says of itself.
const docsHead = `# ecpctl

This page is made from the commands themselves by a test: ` + "`go test ./cmd/ecpctl -run TestDocs -update`" + `.

`

// TestDocs holds the page to the commands, and every command to having an example.
func TestDocs(t *testing.T) {
	a := &app{terminal: terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, env: func(string) string { return "" }}
	root := newRoot(a)
	var b strings.Builder
	b.WriteString(docsHead + root.Long + "\n\n## Flags of every command\n\n```\n" +
		root.PersistentFlags().FlagUsages() + "```\n")
	eachCommand(root, func(c *cobra.Command) {
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.NotEmpty(t, c.Example, c.CommandPath())
		if c.Annotations[onlyHolds] != "" {
			return
		}
		long := c.Long
		if long == "" {
			long = strings.ToUpper(c.Short[:1]) + c.Short[1:] + "."
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n", c.CommandPath(), long, strings.TrimSpace(c.UseLine()))
		fmt.Fprintf(&b, "\n%s\n", c.Example)
		if flags := c.LocalNonPersistentFlags().FlagUsages(); flags != "" {
			b.WriteString("\n" + flags)
		}
		b.WriteString("```\n")
	})
	if *update {
		require.NoError(t, os.WriteFile(docsFile, []byte(b.String()), 0o600))
		require.NoError(t, os.Chmod(docsFile, 0o644)) //nolint:gosec // it is a page for everybody
	}
	page, err := os.ReadFile(docsFile)
	require.NoError(t, err)
	require.Equal(t, string(page), b.String(), "run it with -update")
}

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	do(c)
	for _, below := range c.Commands() {
		eachCommand(below, do)
	}
}
