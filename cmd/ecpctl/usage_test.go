package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// called runs the program without a server, and returns the exit code and what it said.
func called(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	home := t.TempDir()
	env := map[string]string{"HOME": home, "ECPCTL_CONFIG": home + "/contexts.yaml"}
	code = run(t.Context(), append([]string{"ecpctl"}, args...), terminal{
		in: strings.NewReader(""), out: &stdout, err: &stderr,
	}, func(name string) string { return env[name] })
	return code, stdout.String(), stderr.String()
}

// argument is one in a usage, such as CLUSTER; in brackets it may be left out.
var argument = regexp.MustCompile(`\[?[A-Z][A-Z/]*(\.\.\.)?\]?`)

// arguments counts those of a usage. most is -1 where there may be any number.
func arguments(use string) (least, most int) {
	use = regexp.MustCompile(` -\S+ [A-Z]+`).ReplaceAllString(use, "") // values of flags
	for _, word := range argument.FindAllString(use, -1) {
		if !strings.HasPrefix(word, "[") {
			least++
		}
		most++
		if strings.Contains(word, "...") {
			return least, -1
		}
	}
	return least, most
}

// TestWrongUsage calls every command wrongly: it exits with 2, says what is wrong and how it
// is called, prints nothing else, and asks no server.
func TestWrongUsage(t *testing.T) {
	root := newRoot(&app{terminal: terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}})
	n := 0
	eachCommand(root, func(c *cobra.Command) {
		n++
		path := strings.Fields(c.CommandPath())[1:]
		code, out, said := called(t, append(path, "--nonsense")...)
		require.Equal(t, exitUsage, code, c.CommandPath())
		require.Empty(t, out)
		usage := strings.TrimSuffix(c.UseLine(), " [flags]") // which stands there when flags were defined
		require.Contains(t, said, "ecpctl: unknown flag: --nonsense: "+usage)

		if c.Annotations[onlyHolds] != "" {
			code, _, said = called(t, append(path, "nonsense")...)
			require.Equal(t, exitUsage, code, c.CommandPath())
			require.Equal(t, "ecpctl: "+c.CommandPath()+" has no command \"nonsense\"; see --help\n", said)
			return
		}
		least, most := arguments(c.Use)
		if least > 0 {
			code, out, said = called(t, append(path, make([]string, least-1)...)...)
			require.Equal(t, exitUsage, code, c.CommandPath())
			require.Empty(t, out)
			require.Contains(t, said, c.CommandPath()+" wants more: "+usage, "of %d arguments", least)
		}
		if most >= 0 {
			surplus := strings.Fields(strings.Repeat("x ", most) + "surplus")
			code, out, said = called(t, append(path, surplus...)...)
			require.Equal(t, exitUsage, code, c.CommandPath())
			require.Empty(t, out)
			require.Contains(t, said, `takes no argument "surplus"`, c.CommandPath())
		}
		code, _, said = called(t, append(path, "--timeout", "soon")...)
		require.Equal(t, exitUsage, code, c.CommandPath())
		require.Contains(t, said, `invalid argument "soon" for "--timeout"`)
	})
	require.Greater(t, n, 120, "all commands")
}

// Without a server, every command that needs one says how to name it.
func TestNoServerIsNamed(t *testing.T) {
	for _, args := range [][]string{
		{"cluster", "list"}, {"cluster", "api", "sensors", "/api/v5/nodes"}, {"roles"}, {"overview"}, {"password"},
		{"unrecorded", "list"}, {"registration", "list", "plant"}, {"org", "quota", "acme"},
		{"cluster", "settings", "drift", "sensors"}, {"audit", "export"}, {"doctor"}, {"daemon", "list"},
	} {
		code, out, said := called(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, out)
		require.Equal(t, "ecpctl: it is not known where the server is: log in with ecpctl login SERVER, or set "+
			"--server; see --help\n", said)
	}
}
