package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/spf13/pflag"
)

// secret is a text that never shows in a log.
type secret string

const redacted = "[redacted]"

func (secret) String() string               { return redacted }
func (secret) GoString() string             { return redacted }
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// config holds the value of every setting. The table below says what each means, and
// what an empty one stands for.
type config struct {
	file, listen, dataDir, metricsListen, trustedProxies, publicURL      string
	kubeconfig, reach, identity, clusterDomain, ipFamily, ipPolicy       string
	database, databasePasswordFile, peerListen, peerAddress              string
	tlsCert, tlsKey, logLevel, logFormat, secretsKeyFile                 string
	dashDomain, dashListen, dashHost                                     string
	clusterAgent, agentsDir, agentsCAFile                                string
	token, secretsKey                                                    secret
	dev, tlsAuto, localServiceAddresses                                  bool
	tlsCheck, drain, sessionLife, auditKept, operationsKept              time.Duration
	databaseTimeout                                                      time.Duration
	workers, operations, projectsPerOrg, projects, streams, actorStreams int
	databaseConnections                                                  int

	origins map[string]origin // by the setting's name; one that is missing has its default
	unread  bool              // there is a file, and nothing in it could be read
}

// setting is one row of the table of settings. Its flag, its variable, its key in the
// file, its help and most of its checks are made from it.
type setting struct {
	name    string // of the flag and, in upper case after ECPD_, of the variable
	key     string // in the file, a section before a dot; empty where the file cannot set it
	at      any    // where its value is: a *string, *bool, *int or *time.Duration
	value   string // default
	least   string // bounds of a number or a time, as a user writes them; empty means none
	most    string
	allowed []string // the values of a text, beside an empty default; nil means any
	usage   string
	hidden  bool // a secret: it has no flag, because other users see those, and is never printed
	reload  bool // SIGHUP takes it without a restart
}

// settings returns the table, for the values of c. `ecpd config check` prints it in
// this order, and deploy/ecpd.yaml explains it.
func (c *config) settings() []setting {
	return []setting{
		{name: "config", at: &c.file,
			usage: "`file` with settings, in YAML; see deploy/ecpd.yaml"},
		{name: "listen", key: "listen", at: &c.listen, value: "127.0.0.1:18180",
			usage: "`address` of the API; port 0 means any free one"},
		{name: "data-dir", key: "dataDir", at: &c.dataDir,
			usage: "`directory` of the database (default /var/lib/ecpd; with --dev .cache/dev)"},
		{name: "database", key: "database.url", at: &c.database,
			usage: "`URL` of a PostgreSQL database, postgres://USER@HOST:PORT/NAME?sslmode=verify-full, without a " +
				"password (default SQLite in the data directory)"},
		{name: "database-password-file", key: "database.passwordFile", at: &c.databasePasswordFile,
			usage: "`file` with the password of the user in --database, read for each connection"},
		{name: "database-connections", key: "database.connections", at: &c.databaseConnections, value: "10",
			least: "3", most: "1000",
			usage: "`number` of connections to --database that are open at once at most"},
		{name: "database-timeout", key: "database.timeout", at: &c.databaseTimeout, value: "10s", least: "1s",
			most:  "1m",
			usage: "`time` that the server of --database may take over one statement"},
		{name: "peer-listen", key: "peers.listen", at: &c.peerListen,
			usage: "`address` for other daemons; with it this one works together with others on --database, without " +
				"it one works and the others stand by"},
		{name: "peer-address", key: "peers.address", at: &c.peerAddress,
			usage: "`address` HOST:PORT under which other daemons reach --peer-listen (default the one there, if it " +
				"is of one host)"},
		{name: "dev", key: "dev", at: &c.dev, value: "false",
			usage: "no Kubernetes: simulated clusters, kept in the data directory; listens on loopback only"},
		{name: "workers", key: "workers", at: &c.workers, value: "20", least: "1", most: "1000",
			usage: "`number` of clusters of a target that are written to at once"},
		{name: "drain", key: "drain", at: &c.drain, value: "1s", least: "0s", most: maxDrain,
			usage: "`time` between the signal to end and the closing of the listeners, in which /readyz is not ready"},
		{name: "kubeconfig", key: "kubernetes.kubeconfig", at: &c.kubeconfig,
			usage: "`file` with the way to Kubernetes; not needed in a pod with a service account, " +
				"or with --cluster-agent where clusters are only adopted"},
		{name: "kubernetes-identity", key: "kubernetes.identity", at: &c.identity,
			usage: "`uid` of the namespace kube-system of the Kubernetes that the clusters are on from now on, " +
				"where it was moved or rebuilt (default the one in the database)"},
		{name: "kubernetes-reach", key: "kubernetes.reach", at: &c.reach,
			allowed: []string{"pod-ip", "port-forward"},
			usage:   "`way` to the brokers: pod-ip or port-forward (default pod-ip in a pod, else port-forward)"},
		{name: "kubernetes-cluster-domain", key: "kubernetes.clusterDomain",
			at: &c.clusterDomain, value: ecp.DefaultClusterDomain,
			usage: "DNS `domain` of the Kubernetes cluster; existing clusters keep the one that they were made with"},
		{name: "kubernetes-ip-family", key: "kubernetes.ipFamily", at: &c.ipFamily,
			usage: "`family` that nodes talk to one another in, and the first of Services: IPv4 or IPv6 " +
				"(default IPv4 for nodes, Kubernetes' own for Services)"},
		{name: "kubernetes-ip-family-policy", key: "kubernetes.ipFamilyPolicy", at: &c.ipPolicy,
			usage: "`policy` of Services: SingleStack, PreferDualStack or RequireDualStack (default Kubernetes' own)"},
		{name: "metrics-listen", key: "metrics.listen", at: &c.metricsListen,
			usage: "`address` of a listener that serves only /metrics, without a token (default: on --listen, with " +
				"one)"},
		{name: "tls-cert", key: "tls.cert", at: &c.tlsCert,
			usage: "`file` with the certificate chain; the API is then served over HTTPS"},
		{name: "tls-key", key: "tls.key", at: &c.tlsKey,
			usage: "`file` with the key of the certificate"},
		{name: "tls-auto", key: "tls.auto", at: &c.tlsAuto, value: "false",
			usage: "serve HTTPS with a certificate authority of its own, kept in the data directory"},
		{name: "tls-check", key: "tls.check", at: &c.tlsCheck, value: "10s", least: "1s",
			usage: "`time` between two checks whether the files of certificate and key have changed"},
		{name: "trusted-proxies", key: "trustedProxies", at: &c.trustedProxies,
			usage: "`networks` of proxies whose X-Forwarded-For is believed, with commas between"},
		{name: "dashboard-domain", key: "dashboard.domain", at: &c.dashDomain,
			usage: "`domain` below which each cluster's dashboard has a name, ID.DOMAIN; " +
				"https://DOMAIN where TLS ends in front of the daemon"},
		{name: "dashboard-listen", key: "dashboard.listen", at: &c.dashListen,
			usage: "`address` HOST:FIRST-LAST with the ports of dashboards, one for each cluster; port 0 means any " +
				"free ones " +
				"(default none; with --dev 127.0.0.1:0)"},
		{name: "dashboard-host", key: "dashboard.host", at: &c.dashHost,
			usage: "`name` or address under which browsers reach the ports of --dashboard-listen (default the one " +
				"there)"},
		{name: "cluster-agent", key: "cluster.agent", at: &c.clusterAgent,
			usage: "`URL` that agents of adopted clusters dial, https://HOST[:PORT]; without it no agent can be set " +
				"up " +
				"(default none; with --dev the API's own address)"},
		{name: "allow-local-service-addresses", key: "cluster.localServiceAddresses",
			at: &c.localServiceAddresses, value: "false",
			usage: "allow service addresses of adopted clusters that each browser takes for its own host or link: " +
				"loopback, link-local, a cloud's metadata"},
		{name: "public-url", key: "publicUrl", at: &c.publicURL,
			usage: "`URL` under which programs such as Prometheus reach the API, https://HOST[:PORT] " +
				"(default that of --cluster-agent, else --listen where that is one address)"},
		{name: "agents-dir", key: "agents.dir", at: &c.agentsDir,
			usage: "`folder` with the agents to download, as make agents fills it (default agents, beside the " +
				"program)"},
		{name: "agents-ca-file", key: "agents.caFile", at: &c.agentsCAFile,
			usage: "`file` with the certificates, in PEM, that agents trust from now on; the SHA-256 of the first " +
				"one is " +
				"part of the guide (default the authority of --tls-auto)"},
		{name: "secrets-key-file", key: "secrets.keyFile", at: &c.secretsKeyFile,
			usage: "`file` with the keys that encrypt kubeconfigs, licenses and passwords of registries in the " +
				"database"},
		{name: "secrets-key", key: "secrets.key", at: (*string)(&c.secretsKey), hidden: true,
			usage: "the keys of --secrets-key-file themselves; wins over it"},
		{name: "session-life", key: "sessionLife", at: &c.sessionLife,
			value: "1h", least: "1m", most: "720h",
			usage: "`time` after which a login ends"},
		{name: "audit-kept", key: "auditKept", at: &c.auditKept, value: "2160h", least: "24h",
			usage: "`time` for which entries of the audit are kept"},
		// An idempotency key leads to its operation for as long as that is kept.
		{name: "operations-kept", key: "operationsKept", at: &c.operationsKept,
			value: "2160h", least: "24h",
			usage: "`time` for which operations are kept that have ended"},
		{name: "operations-per-cluster", key: "limits.operationsPerCluster",
			at: &c.operations, value: "100", least: "1",
			usage: "`number` of operations of one cluster that are kept when they have ended, the newest"},
		{name: "projects-per-org", key: "limits.projectsPerOrg", at: &c.projectsPerOrg,
			value: "100", least: "1",
			usage: "`number` of projects that an organisation can have"},
		{name: "projects", key: "limits.projects", at: &c.projects, value: "1000", least: "1",
			usage: "`number` of projects in all"},
		{name: "streams", key: "limits.streams", at: &c.streams, value: "1000", least: "1",
			usage: "`number` of streams of events and of followed logs that can be open, in all"},
		{name: "streams-per-actor", key: "limits.streamsPerActor", at: &c.actorStreams,
			value: "100", least: "1",
			usage: "`number` of streams that one user, or one API token, can have open"},
		{name: "log-level", key: "log.level", at: &c.logLevel, value: "info", reload: true,
			allowed: []string{"debug", "info", "warn", "error"},
			usage:   "`level`: debug, info, warn or error"},
		{name: "log-format", key: "log.format", at: &c.logFormat, value: "text",
			allowed: []string{"text", "json"},
			usage:   "`format`: text or json"},
		{name: "bootstrap-token", key: "bootstrapToken", at: (*string)(&c.token), hidden: true,
			usage: "the API token of a system administrator, stored (as a hash) at the first start"},
	}
}

// setting returns the row with a name.
func (c *config) setting(name string) setting {
	all := c.settings()
	return all[slices.IndexFunc(all, func(s setting) bool { return s.name == name })]
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// flag returns the value of the setting, for parsing and printing.
func (s setting) flag() value {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	switch at := s.at.(type) {
	case *string:
		flags.StringVar(at, s.name, *at, "")
	case *bool:
		flags.BoolVar(at, s.name, *at, "")
	case *int:
		flags.IntVar(at, s.name, *at, "")
	case *time.Duration:
		flags.DurationVar(at, s.name, *at, "")
	}
	return value{flags.Lookup(s.name).Value}
}

// reset sets the setting to its default.
func (s setting) reset() {
	if err := s.flag().Set(s.value); err != nil {
		panic("default of --" + s.name + ": " + err.Error())
	}
}

// value is a value as pflag parses and prints it.
type value struct{ pflag.Value }

// kinds are the kinds of values, by the name that pflag has for their types.
var kinds = map[string]struct {
	tag    string // in YAML
	wanted error  // what the error about another value says
}{
	"string":   {"!!str", errors.New("a text is wanted")},
	"bool":     {"!!bool", errors.New("true or false is wanted")},
	"int":      {"!!int", errors.New("a whole number is wanted")},
	"duration": {"!!str", errors.New("a time with its unit is wanted, e.g. 10s")},
}

// Set parses a text. If it cannot, the value stays as it was, and the error says what
// is wanted.
func (v value) Set(text string) error {
	before := v.String()
	if err := v.Value.Set(text); err != nil {
		_ = v.Value.Set(before) // it was printed by the same type
		return kinds[v.Type()].wanted
	}
	return nil
}

// origin is where a setting was given.
type origin struct {
	place string // "--listen", "ECPD_LISTEN" or "FILE:LINE"
	line  int    // in the file; 0 where it was given elsewhere
}

// at names a setting as the user gave it, for errors.
func (c *config) at(name string) string {
	s := c.setting(name)
	switch from := c.origins[name]; {
	case from.line > 0:
		return from.place + ": " + s.key
	case from.place != "":
		return from.place
	case s.hidden:
		return s.variable()
	}
	return "--" + name
}

// shown is a value as errors repeat it.
func (s setting) shown(value string) string {
	if s.hidden {
		return redacted
	}
	return fmt.Sprintf("%q", value)
}
