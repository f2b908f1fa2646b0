package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func runs(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err, nil)
	return code, out.String(), err.String()
}

// Each command finds the data directory by itself.
func TestDataDirectoryOfEveryCommand(t *testing.T) {
	for _, row := range []struct{ args, want string }{{"", "/var/lib/ecpd"}, {"--dev", ".cache/dev"}} {
		c, _, err := configOf(t, append([]string{}, flagsOf(row.args)...), nil)
		require.NoError(t, err)
		require.Equal(t, row.want, c.dataDir)
	}
	code, _, stderr := runs(t, "token", "create", "--role", "system", "--config",
		settingsFile(t, "dataDir: "+t.TempDir()+"\n"))
	require.Equal(t, exitFailed, code)
	require.NotContains(t, stderr, "directory  yet")
}

func flagsOf(arg string) []string {
	if arg == "" {
		return nil
	}
	return []string{arg}
}

// The file that ships has nothing wrong in it.
func TestShippedFilePassesTheCheck(t *testing.T) {
	code, stdout, stderr := runs(t, "config", "check", "--config", exampleFile)
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "dataDir: /var/lib/ecpd")
	require.Contains(t, stderr, "--kubeconfig")
	code, _, _ = runs(t, "config", "check", "--kubeconfig", "/nowhere/at/all")
	require.Equal(t, exitFailed, code, "a file that is named has to be there")
}

func TestVersionFlag(t *testing.T) {
	_, flag, _ := runs(t, "--version")
	_, command, _ := runs(t, "version")
	require.Equal(t, command, flag)
	require.Contains(t, flag, "ecpd ")
}

// The help of a command has the flags that it takes and no others.
func TestHelpListsOwnFlags(t *testing.T) {
	_, help, _ := runs(t, "token", "create", "--help")
	for _, flag := range []string{"--role", "--org", "--project", "--expires", "--name", "--data-dir", "--config",
		"--dev"} {
		require.Contains(t, help, flag+" ")
	}
	require.NotContains(t, help, "--tls-cert")
	code, _, stderr := runs(t, "token", "create", "--tls-cert", "x")
	require.Equal(t, exitUsage, code, stderr)
}
