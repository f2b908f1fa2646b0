package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// configOf returns what arguments and environment come to.
func configOf(t *testing.T, args, environ []string) (c config, warnings []string, err error) {
	t.Helper()
	cmd := &cobra.Command{Use: "x", RunE: func(cmd *cobra.Command, _ []string) (err error) {
		warnings, err = c.resolve(cmd, environ)
		return err
	}, SilenceErrors: true, SilenceUsage: true}
	c.define(cmd)
	cmd.SetArgs(args)
	err = cmd.Execute()
	return c, warnings, err
}

// samples are two values other than the default for each kind of setting, as
// texts and as YAML.
func samples(o setting) (values, yaml [2]string) {
	switch o.at.(type) {
	case *bool:
		values = [2]string{"true", "false"}
	case *int:
		values = [2]string{"7", "8"}
	case *time.Duration:
		values = [2]string{"7s", "8s"}
	default:
		return [2]string{"from one", "from another"}, [2]string{`"from one"`, "from another"}
	}
	return values, values
}

// inFile writes a file with one setting.
func inFile(t *testing.T, key, value string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ecpd.yaml")
	content := key + ": " + value + "\n"
	if section, key, nested := strings.Cut(key, "."); nested {
		content = "# a comment\n" + section + ":\n  " + key + ": " + value + "\n"
	}
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// A flag wins over a variable, a variable over the file, the file over the
// default, for every setting.
func TestPrecedence(t *testing.T) {
	for _, o := range new(config).settings() {
		t.Run(o.name, func(t *testing.T) {
			values, yaml := samples(o)
			is := func(want, place string, args, environ []string) {
				t.Helper()
				c, warnings, err := configOf(t, args, environ)
				require.NoError(t, err)
				assert.Empty(t, warnings)
				assert.Equal(t, want, c.setting(o.name).flag().String())
				assert.Equal(t, place, c.origins[o.name].place)
			}
			if o.name == "config" { // the file itself
				c, _, err := configOf(t, nil, []string{"ECPD_CONFIG=/nowhere/at-all"})
				require.ErrorContains(t, err, "/nowhere/at-all")
				assert.Equal(t, "ECPD_CONFIG", c.at("config"))
				_, _, err = configOf(t, []string{"--config", "/nowhere/else"}, []string{"ECPD_CONFIG=/nowhere/at-all"})
				require.ErrorContains(t, err, "/nowhere/else")
				return
			}
			variable := o.variable() + "=" + values[0]
			is(plainDefault(t, o), "", nil, nil)
			is(values[0], o.variable(), nil, []string{variable})
			file := inFile(t, o.key, yaml[0])
			is(values[0], placeIn(file, o.key), []string{"--config", file}, nil)
			is(values[1], o.variable(), nil, []string{"ECPD_CONFIG=" + file, o.variable() + "=" + values[1]})
			if o.hidden {
				_, _, err := configOf(t, []string{"--" + o.name, "x"}, nil)
				require.ErrorContains(t, err, "unknown flag", "others see flags")
				return
			}
			is(values[1], "--"+o.name, []string{"--config", file, "--" + o.name + "=" + values[1]}, []string{variable})
		})
	}
}

// placeIn is where inFile puts a setting.
func placeIn(file, key string) string {
	if strings.Contains(key, ".") {
		return file + ":3"
	}
	return file + ":1"
}

func plainDefault(t *testing.T, o setting) string {
	t.Helper()
	if o.name == "data-dir" { // by that of --dev
		return "/var/lib/ecpd"
	}
	o.reset()
	return o.flag().String()
}

// The bounds of a setting are values of its kind, and its default lies within.
func TestBounds(t *testing.T) {
	for _, s := range new(config).settings() {
		for _, text := range []string{s.least, s.most} {
			if text != "" {
				require.NoError(t, s.flag().Set(text), s.name)
			}
		}
		s.reset()
		require.Empty(t, s.outOfBounds(), s.name)
	}
}

// A value that cannot be parsed changes nothing: the default stays.
func TestUnusableValuesChangeNothing(t *testing.T) {
	c, _, err := configOf(t, nil, []string{"ECPD_WORKERS=many", "ECPD_DRAIN=soon", "ECPD_DEV=perhaps"})
	require.Error(t, err)
	require.Equal(t, 20, c.workers)
	require.Equal(t, time.Second, c.drain)
	require.NoError(t, c.check())
}

func TestUnknownVariables(t *testing.T) {
	links := []string{"ECPD_SERVICE_HOST=10.0.0.1", "ECPD_PORT=tcp://10.0.0.1:80", "ECPD_PORT_80_TCP_ADDR=10.0.0.1"}
	_, warnings, err := configOf(t, nil, append(links, "ECPD_LISTENN=x", "PATH=/bin", "ECPDX=1"))
	require.NoError(t, err)
	require.Len(t, warnings, 4)
	assert.Equal(t, "the variable ECPD_LISTENN is not known and not used; did you mean ECPD_LISTEN?", warnings[0])

	_, warnings, err = configOf(t, nil, append(links, "ECPD_LISTENN=x", "KUBERNETES_SERVICE_HOST=10.0.0.1"))
	require.NoError(t, err)
	assert.Len(t, warnings, 1, "what Kubernetes sets for a Service named ecpd is left out")

	_, _, err = configOf(t, nil, []string{"ECPD_DEV=perhaps", "ECPD_WORKERS=many"})
	assert.ErrorContains(t, err, `ECPD_DEV is "perhaps"; true or false is wanted`)
	assert.ErrorContains(t, err, `ECPD_WORKERS is "many"; a whole number is wanted`)
}

// someKey is 32 bytes in base64.
const someKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func TestCheck(t *testing.T) {
	good := config{listen: "127.0.0.1:0", logLevel: "info", logFormat: "text", dev: true, workers: 1,
		tlsCheck:    time.Second,
		sessionLife: time.Hour, auditKept: 24 * time.Hour, operationsKept: 24 * time.Hour, operations: 1,
		projectsPerOrg: 1, projects: 1,
		streams: 1, actorStreams: 1, databaseConnections: 3, databaseTimeout: time.Second}
	c := good
	require.NoError(t, c.check())
	assert.Equal(t, anyPort, c.dashListen)
	c = good
	c.dev = false
	require.NoError(t, c.check())
	assert.Empty(t, c.dashListen)

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
		{"metrics where the API is", func(c *config) {
			c.listen, c.metricsListen = "127.0.0.1:18180",
				"127.0.0.1:18180"
		}, "--metrics-listen is the address of the API"},
		{"both on any port", func(c *config) { c.listen, c.metricsListen = "127.0.0.1:0", "127.0.0.1:0" }, ""},
		{"no worker", func(c *config) { c.workers = 0 }, "--workers is 0"},
		{"too many workers", func(c *config) { c.workers = 1001 }, "1 to 1000"},
		{"drain without end", func(c *config) { c.drain = 6 * time.Second }, "--drain is 6s"},
		{"drain backwards", func(c *config) { c.drain = -1 }, "--drain"},
		{"certificate looked at all the time", func(c *config) { c.tlsCheck = 1 }, "--tls-check"},
		{"login for no time", func(c *config) { c.sessionLife = time.Second }, "--session-life is 1s"},
		{"audit of an hour", func(c *config) { c.auditKept = time.Hour }, "--audit-kept is 1h"},
		{"operations of an hour", func(c *config) { c.operationsKept = time.Hour }, "--operations-kept is 1h"},
		{"no stream", func(c *config) { c.streams = 0 }, "--streams is 0"},
		{"no stream of one", func(c *config) { c.actorStreams = -1 }, "--streams-per-actor is -1"},
		{"no operation", func(c *config) { c.operations = 0 }, "--operations-per-cluster is 0"},
		{"no project", func(c *config) { c.projects = 0 }, "--projects is 0"},
		{"no project of an organisation", func(c *config) { c.projectsPerOrg = 0 }, "--projects-per-org is 0"},
		{"a proxy and a network", func(c *config) { c.trustedProxies = "10.0.0.1, 192.168.0.0/24,::1" }, ""},
		{"a proxy by name", func(c *config) { c.trustedProxies = "10.0.0.1,proxy" }, `--trusted-proxies has "proxy"`},
		{"domain", func(c *config) { c.dashDomain = "dash.example.com" }, ""},
		{"domain behind a proxy", func(c *config) { c.dashDomain = "https://dash.example.com:8443" }, ""},
		{"domain of a page", func(c *config) { c.dashDomain = "https://dash.example.com/x" }, "--dashboard-domain is"},
		{"domain with a star", func(c *config) { c.dashDomain = "*.example.com" }, "--dashboard-domain is"},
		{"domain of numbers", func(c *config) { c.dashDomain = "10.0.0.1" }, "--dashboard-domain is"},
		{"domain of another scheme", func(c *config) { c.dashDomain = "ftp://x" }, "--dashboard-domain is"},
		{"domain and ports", func(c *config) { c.dashDomain, c.dashListen = "x.example", "127.0.0.1:0" },
			"exclude one another"},
		{"ports", func(c *config) { c.dashListen = "127.0.0.1:1-65535" }, ""},
		{"one port", func(c *config) { c.dashListen = "[::1]:18200" }, ""},
		{"ports backwards", func(c *config) { c.dashListen = "127.0.0.1:20-10" }, "--dashboard-listen is"},
		{"ports from none", func(c *config) { c.dashListen = "127.0.0.1:0-10" }, "--dashboard-listen is"},
		{"ports too high", func(c *config) { c.dashListen = "127.0.0.1:1-65536" }, "--dashboard-listen is"},
		{"no ports", func(c *config) { c.dashListen = "127.0.0.1" }, "--dashboard-listen is"},
		{"dev ports elsewhere", func(c *config) { c.dashListen, c.dashHost = "0.0.0.0:0", "x" }, "loopback"},
		{"ports everywhere", func(c *config) { c.dev, c.dashListen = false, "0.0.0.0:18200-18299" },
			"--dashboard-host"},
		{"ports everywhere, unnamed", func(c *config) { c.dev, c.dashListen = false, ":18200-18299" },
			"--dashboard-host"},
		{"ports everywhere under a name",
			func(c *config) { c.dev, c.dashListen, c.dashHost = false, ":18200-18299", "ecp.example.com" }, ""},
		{"host with a port", func(c *config) { c.dashHost = "ecp.example.com:80" }, "--dashboard-host is"},
		{"keys", func(c *config) { c.secretsKey = secret("b:" + someKey + "\na:" + someKey) }, ""},
		{"half a key", func(c *config) { c.secretsKey = secret("a:" + someKey + ",b:" + someKey[:8]) },
			"ECPD_SECRETS_KEY: key 2 is not well-formed"},
		{"a key without id", func(c *config) { c.secretsKey = someKey }, "ID:KEY"},
		{"two keys of one id", func(c *config) { c.secretsKey = "a:" + someKey + ",a:" + someKey }, `two keys "a"`},
		{"no key", func(c *config) { c.secretsKey = " " }, "holds no key"},
		{"no file of keys", func(c *config) { c.secretsKeyFile = "/nowhere/keys" }, "--secrets-key-file"},
		{"dev and an identity", func(c *config) { c.identity = "x" }, "--kubernetes-identity"},
		{"dev and kubeconfig", func(c *config) { c.kubeconfig = "x" }, "--kubeconfig"},
		{"reach", func(c *config) { c.reach = "proxy" }, "--kubernetes-reach"},
		{"domain of Kubernetes", func(c *config) { c.clusterDomain = "k8s.example" }, ""},
		{"domain of Kubernetes with a dot", func(c *config) { c.clusterDomain = "k8s.example." },
			"--kubernetes-cluster-domain"},
		{"family", func(c *config) { c.ipFamily = "ipv6" }, "--kubernetes-ip-family is"},
		{"policy", func(c *config) { c.ipFamily, c.ipPolicy = "IPv6", "DualStack" }, "--kubernetes-ip-family-policy"},
		{"level", func(c *config) { c.logLevel = "trace" }, "--log-level"},
		{"format", func(c *config) { c.logFormat = "xml" }, "--log-format"},
		{"short token", func(c *config) { c.token = "123456789012345" }, "has 15 characters"},
		{"shortest token", func(c *config) { c.token = "1234567890123456" }, ""},
		{"token with a line end", func(c *config) { c.token = "1234567890123456\n" }, "line end"},
		{"certificate alone", func(c *config) { c.tlsCert = "x" }, "belong together"},
		{"key alone", func(c *config) { c.tlsKey = "x" }, "belong together"},
		{"own certificate and another", func(c *config) { c.tlsAuto, c.tlsCert, c.tlsKey = true, "x", "x" },
			"--tls-auto excludes"},
		{"address for agents", func(c *config) { c.clusterAgent = "https://ecp.example.com:18180" }, ""},
		{"address for agents as the product prints it",
			func(c *config) { c.clusterAgent = "https://ecp.example.com/api" }, ""},
		{"address for agents on loopback", func(c *config) { c.clusterAgent = "http://127.0.0.1:18180" }, ""},
		{"address for agents in the clear", func(c *config) { c.clusterAgent = "http://ecp.example.com" },
			"--cluster-agent cannot be used"},
		{"address for agents without scheme", func(c *config) { c.clusterAgent = "ecp.example.com:18180" },
			"--cluster-agent cannot be used"},
		{"address for agents everywhere", func(c *config) { c.clusterAgent = "https://0.0.0.0:18180" },
			"every address"},
		{"address for agents with a query", func(c *config) { c.clusterAgent = "https://ecp.example.com?a=b" },
			"--cluster-agent cannot be used"},
		{"no folder of agents", func(c *config) { c.agentsDir = "/nowhere/agents" }, "--agents-dir is"},
		{"no authorities", func(c *config) { c.agentsCAFile = "/nowhere/ca.pem" }, "--agents-ca-file cannot be used"},
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

// What is set of the database reaches the Store.
func TestDatabaseSettings(t *testing.T) {
	c, _, err := configOf(t, []string{"--database", "postgres://u@h/x", "--database-connections", "7",
		"--database-timeout", "3s"}, nil)
	require.NoError(t, err)
	s := c.storeConfig(slog.New(slog.DiscardHandler))
	require.Equal(t, 7, s.Postgres.Connections)
	require.Equal(t, 3*time.Second, s.Postgres.Timeout)
}

// Where browsers are sent, by what was set.
func TestDashboardDomain(t *testing.T) {
	auto := config{dashDomain: "dash.example.com", tlsAuto: true}
	d, err := auto.dashboardDomain("18180")
	require.NoError(t, err)
	assert.Equal(t, "https", d.Scheme)
	assert.Contains(t, auto.certificateNames(), "*.dash.example.com")
	for _, row := range []struct{ setting, cert, want string }{
		{"dash.example.com", "", "http://dash.example.com:18180"},
		{"dash.example.com", "x", "https://dash.example.com:18180"},
		{"dash.example.com:99", "x", "https://dash.example.com:99"},
		{"https://dash.example.com", "", "https://dash.example.com"},
		{"http://dash.example.com:99", "x", "http://dash.example.com:99"},
	} {
		c := config{dashDomain: row.setting, tlsCert: row.cert}
		d, err := c.dashboardDomain("18180")
		require.NoError(t, err)
		assert.Equal(t, row.want, d.Scheme+"://"+d.Host)
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
		{args: []string{"config"}, code: exitUsage, want: "check"},
		{args: []string{"config", "check", "nonsense"}, code: exitUsage, want: "nonsense"},
		{args: []string{"--config", "/nowhere", "--log-level", "a"}, code: exitFailed, want: "--log-level"},
	} {
		t.Run(strings.Join(append(row.args, row.env...), " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, row.code, run(t.Context(), row.args, &stdout, &stderr, row.env))
			assert.Empty(t, stdout.String())
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
			assert.True(t, strings.HasPrefix(stderr.String(), "ecpd: "), stderr.String())
			assert.Contains(t, stderr.String(), row.want)
		})
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		newLogger(config{logFormat: format}, new(slog.LevelVar), &out).Info("x", "token", secret("hidden"))
		assert.Contains(t, out.String(), "[redacted]")
		assert.NotContains(t, out.String(), "hidden")
	}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", secret("hidden"), secret("hidden"), secret("hidden"),
		secret("hidden")), "hidden")
}
