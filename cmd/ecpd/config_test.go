package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// configOf gives what arguments and environment come to.
func configOf(t *testing.T, args, environ []string) (c config, strangers []string, err error) {
	t.Helper()
	cmd := &cobra.Command{Use: "x", RunE: func(cmd *cobra.Command, _ []string) (err error) {
		strangers, err = c.fromEnvironment(cmd.Flags(), environ)
		return err
	}, SilenceErrors: true, SilenceUsage: true}
	c.define(cmd.Flags())
	cmd.SetArgs(args)
	err = cmd.Execute()
	return c, strangers, err
}

func TestEveryFlagIsAVariable(t *testing.T) {
	for _, o := range options {
		key := "ECPD_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
		c, strangers, err := configOf(t, nil, []string{key + "=from variable"})
		require.NoError(t, err)
		assert.Empty(t, strangers)
		assert.Equal(t, "from variable", *o.field(&c), key)

		c, _, err = configOf(t, []string{"--" + o.name, "from flag"}, []string{key + "=from variable"})
		require.NoError(t, err)
		assert.Equal(t, "from flag", *o.field(&c), "the flag wins")

		c, _, err = configOf(t, nil, nil)
		require.NoError(t, err)
		assert.Equal(t, o.value, *o.field(&c), "default of "+o.name)
	}
	c, _, err := configOf(t, nil, []string{"ECPD_DEV=true", "ECPD_BOOTSTRAP_TOKEN=0123456789abcdef"})
	require.NoError(t, err)
	assert.True(t, c.dev)
	assert.Equal(t, "0123456789abcdef", string(c.token))
	_, _, err = configOf(t, nil, []string{"ECPD_DEV=perhaps"})
	assert.ErrorContains(t, err, "ECPD_DEV: ")
}

func TestUnknownVariables(t *testing.T) {
	links := []string{"ECPD_SERVICE_HOST=10.0.0.1", "ECPD_PORT=tcp://10.0.0.1:80", "ECPD_PORT_80_TCP_ADDR=10.0.0.1"}
	_, strangers, err := configOf(t, nil, append(links, "ECPD_LISTENN=x", "PATH=/bin", "ECPDX=1"))
	require.NoError(t, err)
	assert.Equal(t, []string{"ECPD_LISTENN", "ECPD_PORT", "ECPD_PORT_80_TCP_ADDR", "ECPD_SERVICE_HOST"}, strangers)

	_, strangers, err = configOf(t, nil, append(links, "ECPD_LISTENN=x", "KUBERNETES_SERVICE_HOST=10.0.0.1"))
	require.NoError(t, err)
	assert.Equal(t, []string{"ECPD_LISTENN"}, strangers, "what Kubernetes sets for a Service named ecpd is left out")
}

func TestCheck(t *testing.T) {
	good := config{listen: "127.0.0.1:0", logLevel: "info", logFormat: "text", dev: true}
	c := good
	require.NoError(t, c.check())
	assert.Equal(t, ".cache/dev", c.dataDir)
	c = good
	c.dev = false
	require.NoError(t, c.check())
	assert.Equal(t, "/var/lib/ecpd", c.dataDir)

	for _, row := range []struct {
		name string
		with func(*config)
		want string // part of the complaint; "" = none
	}{
		{"no port", func(c *config) { c.listen = "127.0.0.1" }, "--listen"},
		{"port too high", func(c *config) { c.listen = "127.0.0.1:65536" }, "65536"},
		{"port by name", func(c *config) { c.listen = "127.0.0.1:http" }, `"http"`},
		{"dev on all addresses", func(c *config) { c.listen = ":18180" }, "loopback"},
		{"dev on another address", func(c *config) { c.listen = "192.0.2.1:18180" }, "loopback"},
		{"dev on a name", func(c *config) { c.listen = "example.org:18180" }, "loopback"},
		{"dev on IPv6 loopback", func(c *config) { c.listen = "[::1]:0" }, ""},
		{"dev on localhost", func(c *config) { c.listen = "localhost:0" }, ""},
		{"all addresses", func(c *config) { c.listen, c.dev = ":18180", false }, ""},
		{"dev metrics on all addresses", func(c *config) { c.metricsListen = ":9090" }, "--metrics-listen"},
		{"dev and kubeconfig", func(c *config) { c.kubeconfig = "x" }, "--kubeconfig"},
		{"reach", func(c *config) { c.reach = "proxy" }, "--kubernetes-reach"},
		{"level", func(c *config) { c.logLevel = "trace" }, "--log-level"},
		{"format", func(c *config) { c.logFormat = "xml" }, "--log-format"},
		{"short token", func(c *config) { c.token = "123456789012345" }, "has 15 characters"},
		{"shortest token", func(c *config) { c.token = "1234567890123456" }, ""},
		{"token with a line end", func(c *config) { c.token = "1234567890123456\n" }, "line end"},
		{"certificate alone", func(c *config) { c.tlsCert = "x" }, "belong together"},
		{"key alone", func(c *config) { c.tlsKey = "x" }, "belong together"},
		{"no certificate there", func(c *config) { c.tlsCert, c.tlsKey = "/nowhere/c", "/nowhere/k" }, "/nowhere/c"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := good
			row.with(&c)
			err := c.check()
			if row.want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
			if c.token != "" {
				assert.NotContains(t, err.Error(), strings.TrimSpace(string(c.token)), "the token shows")
			}
		})
	}

	c = config{listen: "x", logLevel: "y", logFormat: "z"}
	err := c.check()
	for _, flag := range []string{"--listen", "--log-level", "--log-format"} {
		assert.ErrorContains(t, err, flag, "everything wrong is said at once")
	}
}

func TestRunSaysOneLine(t *testing.T) {
	for _, row := range []struct {
		args []string
		env  []string
		code int
		want string
	}{
		{args: []string{"--nonsense"}, code: exitUsage, want: "--nonsense"},
		{args: []string{"nonsense"}, code: exitUsage, want: "nonsense"},
		{args: []string{"serve", "nonsense"}, code: exitUsage, want: "nonsense"},
		{args: []string{"version", "nonsense"}, code: exitUsage, want: "nonsense"},
		{args: []string{"--dev=perhaps"}, code: exitUsage, want: "perhaps"},
		{args: []string{"--log-level", "a", "--log-format", "b"}, code: exitFailed, want: "--log-format"},
		{env: []string{"ECPD_DEV=perhaps"}, code: exitFailed, want: "ECPD_DEV"},
	} {
		t.Run(strings.Join(append(row.args, row.env...), " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, row.code, run(t.Context(), row.args, &stdout, &stderr, row.env))
			assert.Empty(t, stdout.String())
			assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
			assert.True(t, strings.HasPrefix(stderr.String(), "ecpd: "), stderr.String())
			assert.Contains(t, stderr.String(), row.want)
		})
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		newLogger(config{logFormat: format}, &out).Info("x", "token", secret("hidden"))
		assert.Contains(t, out.String(), "[redacted]")
		assert.NotContains(t, out.String(), "hidden")
	}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", secret("hidden"), secret("hidden"), secret("hidden"), secret("hidden")), "hidden")
}

func TestWriteSecret(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	for _, content := range []string{"first\n", "second\n"} {
		require.NoError(t, writeSecret(name, content))
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, content, string(got))
	}
	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.Error(t, writeSecret(filepath.Join(name, "below"), "x"))
}
