package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// agentCommand is a command of the agent's in a text, as far as its line or its
// quotes go.
var agentCommand = regexp.MustCompile("emqxee-agent ([a-z]+)((?: [^`\"\n|&;#()]*)?)")

// TestDocuments: the commands and flags that documents, guides and messages name are
// there, and docs/agent.md names every command's exit code as the program has it.
func TestDocuments(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../adopt/guide/*.tmpl",
		"../../internal/agent/*.go", "../../internal/agent/broker/*.go", "../../agentproto/*.go",
		"../../ecp/adopted*.go", "*.go"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	seen := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range agentCommand.FindAllStringSubmatch(string(text), -1) {
			root := (&program{}).command()
			cmd, _, err := root.Find([]string{m[1]})
			if err != nil || cmd == root {
				continue // prose: what is a command is named in the next loop
			}
			seen[cmd.Name()] = true
			for _, word := range strings.Fields(m[2]) {
				flag, isFlag := strings.CutPrefix(word, "--")
				if flag, _, _ = strings.Cut(flag, "="); isFlag && flag != "" &&
					strings.Trim(flag, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
					known := cmd.Flags().Lookup(flag) != nil || root.PersistentFlags().Lookup(flag) != nil ||
						flag == "help"
					assert.True(t, known, "%s: emqxee-agent %s has no flag --%s", name, m[1], flag)
				}
			}
		}
	}
	for _, command := range []string{"install", "uninstall", "start", "stop", "restart", "status", "register",
		"unregister", "version", "doctor", "run"} {
		assert.True(t, seen[command], "%s stands nowhere", command)
	}
	guide, err := os.ReadFile("../../docs/agent.md")
	require.NoError(t, err)
	for _, code := range []int{exitDone, exitFailed, exitUsage, exitNotRunning, exitNotAllowed, exitTimedOut,
		exitInterrupted} {
		assert.Contains(t, string(guide), fmt.Sprintf("\n| %d | ", code))
		assert.Contains(t, exitHelp, fmt.Sprintf("\n  %d  ", code))
	}
	assert.Equal(t, 7, strings.Count(exitHelp, "\n  ")-strings.Count(exitHelp, "\n   "),
		"codes that docs/agent.md does not have")
}
